//! SIGINT, SIGTERM and SIGHUP end nex wherever it waits: the first lets it clean up, and the second, or some time, ends it at once.
//! Whoever waits for nex sees that signal.

use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nex_testkit::nex::{self, full_pipe, names, wait_until_caught};
use nex_testkit::{Failure, Result, command, places};

/// In what time nobody loses patience, on a busy machine.
const SOON: Duration = Duration::from_secs(8);

const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;

fn signal(child: &Child) -> Result<()> {
    send("TERM", &child.id().to_string())
}

/// To a process, or with `-` before its number to all of its group.
fn send(name: &str, whom: &str) -> Result<()> {
    command::run(Command::new("kill").args(["-s", name, "--", whom])).map(drop)
}

/// The only child of a process, once there is one.
fn child_of(process: u32) -> Result<u32> {
    let deadline = Instant::now() + SOON;
    while Instant::now() < deadline {
        if let Some(child) = command::children(process).first() {
            return Ok(*child);
        }
        thread::sleep(Duration::from_millis(5));
    }
    Err(Failure::new("it starts no process"))
}

fn ends_within(child: &mut Child, time: Duration) -> Result<ExitStatus> {
    let deadline = Instant::now() + time;
    loop {
        match child.try_wait()? {
            Some(status) => return Ok(status),
            None if Instant::now() > deadline => {
                child.kill()?;
                return Err(Failure::new("it goes on"));
            }
            None => thread::sleep(Duration::from_millis(10)),
        }
    }
}

/// An image that never comes.
fn fifo(directory: &Path) -> Result<String> {
    let path = directory.join("fifo");
    command::run(Command::new("mkfifo").arg(&path))?;
    Ok(format!("tar:{}", path.display()))
}

#[test]
fn one_signal_is_enough_wherever_a_build_waits() -> Result<()> {
    let place = nex::directory()?;
    let output = place.path().join("out");
    fs::create_dir(&output)?;
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let registry = format!("docker://{}/image:tag", silent.local_addr()?);
    let (_reader, full) = full_pipe()?;
    let mut onto_full = nex::rootfs("scratch", Path::new("-"))?;
    onto_full.stdout(full);
    let mut asking = nex::rootfs(&registry, &output.join("image"))?;
    asking.args(["--plain-http", "--no-cache"]);
    let waiting = nex::rootfs(&fifo(place.path())?, &output.join("image"))?;
    for (what, mut run) in [("a FIFO", waiting), ("a registry", asking), ("a full pipe", onto_full)] {
        let mut nex = run.stderr(Stdio::piped()).spawn()?;
        wait_until_caught(nex.id())?;
        // For what it waits for.
        thread::sleep(Duration::from_millis(200));
        assert!(nex.try_wait()?.is_none(), "{what}: it does not wait");
        signal(&nex)?;
        assert_eq!(
            ends_within(&mut nex, SOON).map_err(|failure| Failure::new(format!("{what}: {failure}")))?.signal(),
            Some(SIGTERM)
        );
        let said = std::io::read_to_string(nex.stderr.take().ok_or_else(|| Failure::new("no messages"))?)?;
        assert_eq!(said, "error: interrupted by SIGTERM; nothing was written\n", "{what}");
        assert!(names(&output)?.is_empty(), "{what}");
    }
    Ok(())
}

#[test]
fn a_signal_is_an_error_for_programs_too() -> Result<()> {
    let place = nex::directory()?;
    let mut build = nex::rootfs(&fifo(place.path())?, &place.path().join("image"))?;
    let mut nex = build.args(["--format", "json"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    wait_until_caught(nex.id())?;
    signal(&nex)?;
    assert_eq!(ends_within(&mut nex, SOON)?.signal(), Some(SIGTERM));
    let said: serde_json::Value = serde_json::from_reader(nex.stdout.take().ok_or_else(|| Failure::new("no output"))?)?;
    assert_eq!(said["error"]["code"], "interrupted");
    assert_eq!(said["error"]["message"], "interrupted by SIGTERM; nothing was written");
    Ok(())
}

/// bash goes on with its loop unless what ran in it has died of SIGINT: an exit code of 130 says that a program has dealt with it.
#[test]
fn ctrl_c_ends_a_shells_loop() -> Result<()> {
    let place = nex::directory()?;
    let build = nex::rootfs(&fifo(place.path())?, &place.path().join("image"))?;
    let mut waiting = Command::new(nex::program());
    waiting.args(["rootfs", "explain", "-"]);
    let mut deaf = Command::new("bash");
    deaf.args(["-c", "trap 'exit 130' INT TERM; while :; do sleep 0.05; done"]);
    for (run, turns) in [(build, 1), (waiting, 1), (deaf, 2)] {
        let mut shell = Command::new("bash");
        shell.args(["-c", "for turn in 1 2; do echo turn; \"$@\"; done; echo end", "bash"]).arg(run.get_program());
        shell.args(run.get_args()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut shell = shell.process_group(0).spawn()?;
        for _ in 0..turns {
            let child = child_of(shell.id())?;
            // It catches the signal, or ends at it anyway.
            thread::sleep(Duration::from_millis(400));
            // As a terminal does it: to all that stand before it.
            send("INT", &format!("-{}", shell.id()))?;
            let deadline = Instant::now() + SOON;
            while Path::new(&format!("/proc/{child}")).exists() && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(5));
            }
        }
        let status = ends_within(&mut shell, SOON)?;
        let mut said = String::new();
        shell.stdout.take().map(|mut stdout| stdout.read_to_string(&mut said)).transpose()?;
        let expected = if turns == 1 { (Some(SIGINT), "turn\n") } else { (None, "turn\nturn\nend\n") };
        assert_eq!((status.signal(), &*said), expected, "{run:?}");
    }
    assert!(!place.path().join("image").exists());
    Ok(())
}

#[test]
fn a_signal_behind_the_end_of_a_build_takes_nothing_back() -> Result<()> {
    let place = nex::directory()?;
    let image = place.path().join("image");
    let (_reader, full) = full_pipe()?;
    let mut build = nex::rootfs("scratch", &image)?;
    let mut nex = build.stdout(full).stderr(Stdio::piped()).spawn()?;
    let deadline = Instant::now() + Duration::from_secs(60);
    while !image.exists() {
        assert!(Instant::now() < deadline, "no image");
        thread::sleep(Duration::from_millis(5));
    }
    // For the report, which nobody takes.
    thread::sleep(Duration::from_millis(300));
    signal(&nex)?;
    assert_eq!(ends_within(&mut nex, SOON)?.signal(), Some(SIGTERM));
    let said = std::io::read_to_string(nex.stderr.take().ok_or_else(|| Failure::new("no messages"))?)?;
    assert_eq!(said, "", "the image is there");
    assert!(image.exists());
    Ok(())
}

/// The kernel ends it by no signal, as `docker stop` would otherwise find out after ten seconds.
#[test]
fn the_first_process_of_a_container_ends_with_a_shells_code_for_the_signal() -> Result<()> {
    if !places::is_root() {
        eprintln!("LEFT OUT: nex as the first process of a container, whose pid namespace is root's");
        return Ok(());
    }
    let place = nex::directory()?;
    let build = nex::rootfs(&fifo(place.path())?, &place.path().join("image"))?;
    let mut waiting = Command::new(nex::program());
    waiting.args(["rootfs", "explain", "-"]);
    for run in [build, waiting] {
        for (name, code) in [("TERM", 143), ("INT", 130)] {
            let mut container = Command::new("unshare");
            container.args(["--pid", "--fork", "--kill-child"]).arg(run.get_program()).args(run.get_args());
            let mut container = container.stdin(Stdio::piped()).stderr(Stdio::null()).spawn()?;
            let nex = child_of(container.id())?;
            wait_until_caught(nex)?;
            thread::sleep(Duration::from_millis(100));
            send(name, &nex.to_string())?;
            // Were it ended by the signal, unshare would end itself in the same way.
            assert_eq!(ends_within(&mut container, SOON)?.code(), Some(code), "{run:?}");
        }
    }
    assert!(!place.path().join("image").exists());
    Ok(())
}

/// As nohup(1) has it, and a shell without job control for what it runs in the background.
#[test]
fn what_the_caller_has_nex_ignore_ends_no_build() -> Result<()> {
    let place = nex::directory()?;
    let build = nex::rootfs(&fifo(place.path())?, &place.path().join("image"))?;
    let mut ignoring = Command::new("sh");
    ignoring.env_clear().args(["-c", "trap '' HUP INT; exec \"$@\"", "sh"]);
    ignoring.arg(build.get_program()).args(build.get_args()).stderr(Stdio::piped());
    let mut nex = ignoring.spawn()?;
    wait_until_caught(nex.id())?;
    for name in ["HUP", "INT", "HUP", "INT"] {
        command::run(Command::new("kill").args(["-s", name, &nex.id().to_string()]))?;
    }
    thread::sleep(Duration::from_millis(500));
    assert!(nex.try_wait()?.is_none(), "it ends");
    signal(&nex)?;
    assert_eq!(ends_within(&mut nex, SOON)?.signal(), Some(SIGTERM));
    Ok(())
}

/// A build that has to say that it was interrupted, to somebody who does not listen.
fn stuck(place: &Path) -> Result<Child> {
    let (reader, full) = full_pipe()?;
    let nex = nex::rootfs(&fifo(place)?, &place.join("image"))?.stdout(Stdio::null()).stderr(full).spawn()?;
    // As long as the test runs.
    std::mem::forget(reader);
    wait_until_caught(nex.id())?;
    thread::sleep(Duration::from_millis(200));
    signal(&nex)?;
    Ok(nex)
}

#[test]
fn a_second_signal_ends_what_the_first_does_not() -> Result<()> {
    let place = nex::directory()?;
    let mut nex = stuck(place.path())?;
    thread::sleep(Duration::from_millis(300));
    assert!(nex.try_wait()?.is_none(), "nothing keeps it from ending");
    signal(&nex)?;
    assert_eq!(ends_within(&mut nex, SOON)?.signal(), Some(SIGTERM));
    assert!(!place.path().join("image").exists());
    Ok(())
}

#[test]
#[ignore = "slow: waits until patience is over"]
fn without_a_second_signal_patience_ends() -> Result<()> {
    let place = nex::directory()?;
    let mut nex = stuck(place.path())?;
    let start = Instant::now();
    assert_eq!(ends_within(&mut nex, Duration::from_secs(10) + SOON)?.signal(), Some(SIGTERM));
    assert!(start.elapsed() > Duration::from_secs(8), "it has not cleaned up");
    Ok(())
}
