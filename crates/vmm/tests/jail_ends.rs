//! Whatever a jailed Firecracker has become, and whatever ends nex: nothing of it runs any more, and nothing of its jail is left.
//! Root alone can tell.

mod support;

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::chown;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use nex_cancel::Workspace;
use nex_testkit::tiny_guest::Then;
use nex_testkit::{Failure, Result, command};
use nex_vmm::{Error, Firecracker, Interrupt, Vmm};
use rustix::fs::{Mode, OFlags};
use support::PATIENCE;
use support::hostile::{GROUP, USER, hostile, jails, no_jails};

/// In what time nobody loses patience: less than a Firecracker has for its socket, on a busy machine.
const SOON: Duration = Duration::from_secs(15);
/// Deeper than a process may have files open, and than a stack has room for.
const DEPTH: usize = 20_000;
/// In memory, where so many directories cost no time.
const MEMORY: &str = "/dev/shm";

/// What does not want to be found, with a word by which a test finds it: one that leaves its parent and its session, one that
/// forks and ends all the time, so that it never is where it was looked for, and one in another user namespace with another root.
fn hiding(word: &str) -> String {
    let leaves = format!("setsid sh -c 'sleep 600; :' {word}");
    let moves = format!("sh -c 'f() {{ sleep 0.01; [ $1 = 0 ] || f $(($1 - 1)) & }}; f 3000' {word}");
    let changes = format!("unshare --user --map-root-user --mount sh -c 'mount --bind / /; sleep 600; :' {word}");
    format!("({leaves} &); ({moves} &); ({changes} 2>/dev/null &)")
}

/// Waits until there is a process with this word.
fn wait_for(word: &str) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while command::running(word).is_empty() {
        if Instant::now() > deadline {
            return Err(Failure::new("nothing is started"));
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// A socket in a jail on which nobody answers.
fn listen(jail: &Path) -> Result<UnixListener> {
    let socket = jail.join("root/api");
    let listener = UnixListener::bind(&socket)?;
    chown(&socket, Some(USER), Some(GROUP))?;
    Ok(listener)
}

/// Gives a guest up as soon as there are processes with this word, and says how long it took.
fn give_up(firecracker: &Firecracker, directory: &Path, word: &str, listens: bool) -> Result<Duration> {
    let (_kernel, kernel) = support::tiny(Then::Hang)?;
    let (reader, mut writer) = std::io::pipe()?;
    let (started, given_up) = thread::scope(|scope| {
        let starting =
            scope.spawn(|| firecracker.start_unless(&support::machine(kernel), Interrupt::by(reader.as_fd())));
        let given_up = (|| {
            wait_for(word)?;
            let listener = listens.then(|| listen(&jails(directory)[0])).transpose()?;
            // For the connection. It is right to give up before, too.
            thread::sleep(Duration::from_millis(200));
            writer.write_all(b"x")?;
            Ok::<_, Failure>((Instant::now(), listener))
        })();
        (starting.join(), given_up)
    });
    let (given_up, _listener) = given_up?;
    match started.map_err(|_| Failure::new("the thread panicked"))? {
        Err(Error::Interrupted) => Ok(given_up.elapsed()),
        Err(error) => Err(error.into()),
        Ok(_) => Err(Failure::new("it runs")),
    }
}

#[test]
fn nothing_that_was_started_in_a_jail_outlives_it() -> Result<()> {
    const WORD: &str = "nex-test-outlives";
    let directory = tempfile::tempdir()?;
    let does = format!("{}; until [ -e seen ]; do sleep 0.05; done; exit 1", hiding(WORD));
    let Some(firecracker) = hostile(&directory, &does)? else { return Ok(()) };
    let (_kernel, kernel) = support::tiny(Then::Hang)?;
    thread::scope(|scope| {
        let refused = scope.spawn(|| firecracker.start(&support::machine(kernel)).is_err());
        // The control: they are there, and can be found.
        let deadline = Instant::now() + PATIENCE;
        while command::running(WORD).len() < 2 {
            assert!(!refused.is_finished() && Instant::now() < deadline, "there are none");
        }
        fs::write(jails(directory.path())[0].join("root/seen"), "")?;
        assert!(refused.join().unwrap_or_default(), "it runs");
        Ok::<_, Failure>(())
    })?;
    assert!(command::running(WORD).is_empty(), "some are left");
    no_jails(&directory)
}

#[test]
fn a_start_that_is_given_up_leaves_nothing() -> Result<()> {
    const WORD: &str = "nex-test-given-up";
    let directory = tempfile::tempdir()?;
    for listens in [false, true] {
        let Some(firecracker) = hostile(&directory, &format!("{}; sleep 600", hiding(WORD)))? else { return Ok(()) };
        let took = give_up(&firecracker, directory.path(), WORD, listens)?;
        assert!(took < SOON, "listens: {listens}: {took:?}");
        assert!(command::running(WORD).is_empty(), "some are left");
        no_jails(&directory)?;
    }
    Ok(())
}

/// The variable that names the directory to a run of this test that is to end by itself.
const FORCED: &str = "NEX_TEST_FORCED_END";

#[test]
fn a_forced_end_takes_jails_with_it() -> Result<()> {
    const WORD: &str = "nex-test-forced";
    if let Some(directory) = std::env::var_os(FORCED) {
        return start_and_end_by_force(Path::new(&directory), WORD);
    }
    let directory = tempfile::tempdir()?;
    if hostile(&directory, &format!("{}; sleep 600", hiding(WORD)))?.is_none() {
        return Ok(());
    }
    let mut again = std::process::Command::new(std::env::current_exe()?);
    again.args(["--exact", "a_forced_end_takes_jails_with_it"]).env(FORCED, directory.path());
    let ended = again.output()?;
    assert_eq!(ended.status.code(), Some(9), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(command::running(WORD).is_empty(), "some are left");
    no_jails(&directory)
}

fn start_and_end_by_force(directory: &Path, word: &str) -> Result<()> {
    let firecracker = support::hostile::found(directory)?;
    let (_kernel, kernel) = support::tiny(Then::Hang)?;
    let workspace = Workspace::default();
    let firecracker = firecracker.in_workspace(&workspace);
    thread::spawn(move || firecracker.start(&support::machine(kernel)).is_ok());
    wait_for(word)?;
    assert_eq!(jails(directory).len(), 1);
    workspace.clean_up_within(PATIENCE);
    std::process::exit(9);
}

#[test]
fn a_jail_goes_however_deep_it_is() -> Result<()> {
    let directory = tempfile::tempdir_in(MEMORY).or_else(|_| tempfile::tempdir())?;
    let Some(firecracker) = hostile(&directory, "mkdir -p a/b/c/d/e/f/g/h/i/j; exit 1")? else { return Ok(()) };
    let abandoned = directory.path().join("jails/firecracker/nex-abandoned");
    fs::create_dir_all(abandoned.join("root"))?;
    let mut level: OwnedFd = File::open(abandoned.join("root"))?.into();
    for _ in 0..DEPTH {
        rustix::fs::mkdirat(&level, "d", Mode::RWXU)?;
        level = rustix::fs::openat(&level, "d", OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    }
    drop(level);
    File::open(&abandoned)?.set_modified(SystemTime::now() - PATIENCE)?;
    let (_kernel, kernel) = support::tiny(Then::Hang)?;
    assert!(firecracker.start(&support::machine(kernel)).is_err());
    no_jails(&directory)
}
