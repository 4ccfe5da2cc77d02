//! SIGINT, SIGTERM and SIGHUP end nex wherever it waits: the first lets it clean up, and the second, or some time, ends it
//! as it ends programs that do not catch it.

use std::fs;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nex_testkit::{Failure, Result, command};

use crate::nex::{self, full_pipe, names, wait_until_caught};

/// In what time nobody loses patience, on a busy machine.
const SOON: Duration = Duration::from_secs(8);

const SIGTERM: i32 = 15;

fn signal(child: &Child) -> Result<()> {
    command::run(Command::new("kill").arg(child.id().to_string())).map(drop)
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
            ends_within(&mut nex, SOON).map_err(|failure| Failure::new(format!("{what}: {failure}")))?.code(),
            Some(1)
        );
        assert!(names(&output)?.is_empty(), "{what}");
    }
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
    assert_eq!(ends_within(&mut nex, SOON)?.code(), Some(1));
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
