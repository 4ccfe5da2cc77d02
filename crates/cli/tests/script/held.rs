//! Scripts that hold up who looks at them, and who waits for their output: the run ends all the same, and when it has to.

use std::fs;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::{Command, Output};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nex_testkit::nex::failed;
use nex_testkit::nex::script::{World, compile, messages};
use nex_testkit::{Failure, Result, command};
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags};

use crate::callers::Caller;

/// How long a busy machine may take for what takes a second.
const PATIENCE: Duration = Duration::from_secs(60);

/// A world with the program that holds up.
fn world() -> Result<World> {
    let world = World::new()?;
    compile("held.c", &world.base().join("bin/held"))?;
    Ok(world)
}

/// What a run says that ends in time.
fn in_time(run: impl FnOnce() -> Result<Output>) -> Result<Output> {
    let start = Instant::now();
    let result = run()?;
    let took = start.elapsed();
    if took < PATIENCE { Ok(result) } else { Err(Failure::new(format!("it took {took:?}: {}", messages(&result)))) }
}

/// The command, killed when it does not end.
fn bounded(run: &Command) -> Command {
    let mut bounded = Command::new("timeout");
    bounded.arg("--signal=KILL").arg((2 * PATIENCE).as_secs().to_string());
    bounded.arg(run.get_program()).args(run.get_args());
    bounded.env_clear().envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
    bounded
}

#[test]
fn a_socket_that_waits_for_its_peer_holds_up_no_limit() -> Result<()> {
    let world = world()?;
    let mut run = world.command("image", "exec held close\n")?;
    run.args(["--script-timeout", "3s", "--script-network", "none"]);
    let result = in_time(|| command::output(&mut bounded(&run)))?;
    failed(&result, &["still running after 3 s"])?;
    world.is_clean("work")
}

/// Runs a script with the file system that hangs at `/hung`. `None` where nobody can make one.
fn beside_what_hangs(world: &World, script: &str) -> Result<Option<Output>> {
    if fs::File::options().read(true).write(true).open("/dev/fuse").is_err() {
        eprintln!("LEFT OUT: there is no FUSE here");
        return Ok(None);
    }
    let (hang, place) = (world.path("hang"), world.path("hung"));
    compile("hang.c", &hang)?;
    fs::create_dir(&place)?;
    let mut run = world.command("image", script)?;
    run.args(["--script-timeout", "1s", "--mount"]).arg(format!("{}:/hung", place.display()));
    let before = format!("{} {}", hang.display(), place.display());
    // Whoever is still held up is let go then.
    let after = format!("umount -f {} 2> /dev/null", place.display());
    let result = in_time(|| {
        let result = Caller::Root.run_between(&bounded(&run), world, &before, &after)?;
        result.ok_or_else(|| Failure::new("nobody is root"))
    })?;
    Ok(Some(result))
}

#[test]
fn a_file_system_that_hangs_holds_up_no_limit() -> Result<()> {
    let world = world()?;
    let Some(result) = beside_what_hangs(&world, "exec held page /hung/page\n")? else { return Ok(()) };
    failed(&result, &["still running after 1 s"])?;
    world.is_clean("work")
}

#[test]
#[ignore = "slow: a process that nobody can end is waited for"]
fn a_process_that_does_not_end_keeps_nobody_waiting() -> Result<()> {
    let world = world()?;
    let Some(result) = beside_what_hangs(&world, "exec held flush /hung/flush\n")? else { return Ok(()) };
    failed(&result, &["still running after 1 s"])?;
    // The next run removes what it could not.
    assert!(world.is_clean("work").is_err());
    world.run("image", "true\n").map(drop)
}

#[test]
fn output_that_was_passed_on_keeps_nobody_waiting() -> Result<()> {
    let world = world()?;
    let shared = world.path("shared");
    fs::create_dir(&shared)?;
    let listener = UnixListener::bind(shared.join("socket"))?;
    for path in [&shared, &shared.join("socket")] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o777))?;
    }
    let (end, ended) = mpsc::channel::<()>();
    let outside = std::thread::spawn(move || -> Result<OwnedFd> {
        let output = receive(&listener)?;
        let mut writer = fs::File::from(output.try_clone()?);
        // Without an end, until there is one.
        while ended.try_recv() == Err(mpsc::TryRecvError::Empty) && writer.write_all(b"from outside\n").is_ok() {}
        Ok(output)
    });
    let mut run = world.command("image", "echo first; held pass /shared/socket && echo last\n")?;
    run.arg("--mount").arg(format!("{}:/shared", shared.display()));
    let result = in_time(|| command::output(&mut bounded(&run)))?;
    drop(end);
    assert!(result.status.success(), "{}", messages(&result));
    outside.join().map_err(|_| Failure::new("nothing was passed on"))??;
    Ok(())
}

#[test]
fn what_a_script_puts_on_a_mount_is_not_read_afterwards() -> Result<()> {
    let world = World::new()?;
    let shared = world.path("shared");
    fs::create_dir(&shared)?;
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o777))?;
    // Days of zeros, for who reads them; the run after that sees them from its beginning on.
    for script in ["truncate -s 16000000000000 /shared/days\n", "true\n"] {
        let mut run = world.command("image", script)?;
        run.arg("--mount").arg(format!("{}:/shared", shared.display())).env("NEX_CACHE_DIR", world.path("cache"));
        let result = in_time(|| command::output(&mut bounded(&run)))?;
        assert!(result.status.success(), "{}", messages(&result));
        fs::remove_file(world.path("image"))?;
    }
    Ok(())
}

/// The file that comes to a listener.
fn receive(listener: &UnixListener) -> Result<OwnedFd> {
    let (line, _) = listener.accept()?;
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    let parts = &mut [std::io::IoSliceMut::new(&mut byte)];
    rustix::net::recvmsg(&line, parts, &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let mut files = control.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(files) => Some(files),
        _ => None,
    });
    files.by_ref().flatten().next().ok_or_else(|| Failure::new("no file was passed"))
}
