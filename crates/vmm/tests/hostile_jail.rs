//! What a jailed Firecracker that its guest has taken over may do with its directory: root reads no file, connects to no socket
//! and waits for nothing that it has put there. Root alone can tell.

mod support;

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, chown, lchown, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use nex_testkit::tiny_guest::Then;
use nex_testkit::{Failure, Result};
use nex_vmm::{Firecracker, Vmm};
use rustix::fs::{CWD, FileType, Mode};
use support::PATIENCE;
use support::hostile::{USER, hostile, no_jails};

/// The most that is read of a log, in bytes, and something for the words around it.
const MOST_SAID: usize = 66 << 10;

/// Puts something where a name is.
type Plant<'a> = &'a dyn Fn(&Path) -> std::io::Result<()>;

/// What starting a guest says, in a time in which nobody has waited for anything.
fn refusal(firecracker: &Firecracker, within: Duration) -> Result<String> {
    let (kernel_directory, kernel) = support::tiny(Then::Hang)?;
    let (firecracker, (said, words)) = (firecracker.clone(), mpsc::channel());
    thread::spawn(move || {
        let started = firecracker.with_vsock(&[1024]).start(&support::machine(kernel));
        let _ = said.send(
            started.err().map(|error| nex_fault::advised(&error, |setting| setting.name().into())).unwrap_or_default(),
        );
        drop(kernel_directory);
    });
    words.recv_timeout(within).map_err(|_| Failure::new("it waits"))
}

#[test]
fn no_file_is_read_in_place_of_the_log_and_nobody_waits_for_one() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let secret = directory.path().join("secret");
    fs::write(&secret, "the words of root\n")?;
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600))?;
    let link = format!("rm log && ln -s {} log", secret.display());
    for plant in [&link, "rm log && mkfifo log", "rm log && ln -s /dev/zero log", "rm log && mkdir log"] {
        let does = format!("{plant} && echo planted >&2; exit 1");
        let Some(firecracker) = hostile(&directory, &does)? else { return Ok(()) };
        let said = refusal(&firecracker, PATIENCE)?;
        assert!(said.contains("refuses the machine: planted") && !said.contains("words of root"), "{plant}: {said}");
        no_jails(&directory)?;
    }
    let Some(firecracker) = hostile(&directory, "head -c 100000000 /dev/zero | tr '\\0' x >log; exit 1")? else {
        return Ok(());
    };
    let said = refusal(&firecracker, PATIENCE)?;
    assert!(said.contains("xxx") && said.len() < MOST_SAID, "{} bytes", said.len());
    no_jails(&directory)
}

#[test]
fn nobody_connects_to_what_is_not_its_own_socket() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let roots = directory.path().join("roots-socket");
    let listener = UnixListener::bind(&roots)?;
    listener.set_nonblocking(true)?;
    let link = format!("ln -s {} api", roots.display());
    for (plant, words) in [(&*link, "no socket"), ("mkfifo api", "no socket"), ("mkdir api", "no socket")] {
        let Some(firecracker) = hostile(&directory, &format!("{plant}; sleep 600"))? else { return Ok(()) };
        let said = refusal(&firecracker, PATIENCE)?;
        assert!(said.contains(words), "{plant}: {said}");
        no_jails(&directory)?;
    }
    let connected = listener.accept().map_err(|error| error.kind());
    assert!(matches!(connected, Err(std::io::ErrorKind::WouldBlock)), "{connected:?}");
    Ok(())
}

/// Files of a jail that a killed run has left say nothing of what is to be killed, and make nobody wait or read without end.
#[test]
fn an_abandoned_jail_is_removed_whatever_its_files_are() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let Some(firecracker) = hostile(&directory, "exit 1")? else { return Ok(()) };
    let jails = directory.path().join("jails/firecracker");
    fs::create_dir_all(&jails)?;
    let mut bystander = std::process::Command::new("sleep").arg("600").spawn()?;
    let plants: [Plant<'_>; 3] = [
        &|pid| symlink("/dev/zero", pid),
        &|pid| Ok(rustix::fs::mknodat(CWD, pid, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?),
        &|pid| fs::write(pid, format!("{}\n", bystander.id())),
    ];
    for (number, plant) in plants.iter().enumerate() {
        let abandoned = jails.join(format!("nex-abandoned{number}"));
        fs::create_dir_all(abandoned.join("root"))?;
        plant(&abandoned.join("root/firecracker.pid"))?;
        File::open(&abandoned)?.set_modified(SystemTime::now() - PATIENCE)?;
    }
    let started = Instant::now();
    let said = refusal(&firecracker, PATIENCE)?;
    assert!(said.contains("cannot talk") && started.elapsed() < PATIENCE, "{said}");
    no_jails(&directory)?;
    let lives = bystander.try_wait()?.is_none();
    bystander.kill()?;
    bystander.wait()?;
    assert!(lives, "a process outside of the jail was killed");
    Ok(())
}

#[test]
fn a_directory_that_others_can_write_to_takes_no_jails() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let Some(firecracker) = hostile(&directory, "exit 1")? else { return Ok(()) };
    let jails = directory.path().join("jails");
    fs::create_dir_all(jails.join("firecracker"))?;
    for path in [jails.join("firecracker"), jails.clone()] {
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777))?;
        let said = refusal(&firecracker, PATIENCE)?;
        assert!(said.contains(&format!("chmod go-w {}'", path.display())), "{said}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        std::os::unix::fs::chown(&path, Some(USER), None)?;
        let said = refusal(&firecracker, PATIENCE)?;
        assert!(said.contains(&format!("belongs to user {USER}")), "{said}");
        std::os::unix::fs::chown(&path, Some(0), None)?;
    }
    Ok(())
}

#[test]
fn no_jail_is_made_where_others_can_lead_root_elsewhere() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let Some(firecracker) = hostile(&directory, "exit 1")? else { return Ok(()) };
    let refused = refusal(&firecracker, PATIENCE)?;
    assert!(!refused.contains("reached through"), "{refused}");

    // Its jails are below a directory of another user, or of all users, or behind a link that another user has put up.
    let precious = directory.path().join("precious");
    fs::create_dir(&precious)?;
    let (parent, base) = (directory.path().join("parent"), directory.path().join("jails"));
    fs::create_dir(&parent)?;
    fs::remove_dir_all(&base)?;
    symlink(parent.join("base"), &base)?;
    symlink(&precious, parent.join("base"))?;
    lchown(&base, Some(0), Some(0))?;
    let spoils: [Plant; 3] = [
        &|parent| fs::set_permissions(parent, fs::Permissions::from_mode(0o777)),
        &|parent| fs::set_permissions(parent, fs::Permissions::from_mode(0o755)).and(chown(parent, Some(USER), None)),
        &|parent| chown(parent, Some(0), None).and(lchown(parent.join("base"), Some(USER), None)),
    ];
    for spoil in spoils {
        spoil(&parent)?;
        let refused = refusal(&firecracker, PATIENCE)?;
        assert!(refused.contains(&format!("it is reached through '{}", parent.display())), "{refused}");
        assert_eq!(fs::read_dir(&precious)?.count(), 0);
    }
    Ok(())
}
