//! A guest that is being started: whenever a signal comes, nobody waits, and nothing is left.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nex_testkit::nex::boot::Place;
use nex_testkit::nex::{self, names, wait_until_caught};
use nex_testkit::tiny_guest::{self, Then};
use nex_testkit::{Failure, Result, command, firecracker, places};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// In what time nobody loses patience, on a busy machine: less than the 10 s after which a signal ends nex by force, and the 20 s
/// that a VMM has to answer.
const SOON: Duration = Duration::from_secs(8);
const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;

/// VMMs that tell their versions, and then say nothing any more.
const SILENT: &str = "#!/bin/sh
case \"$0 $1\" in
*qemu*--version) echo 'QEMU emulator version 7.2.22' ;;
*--version) echo 'Firecracker v1.12.1' ;;
*) exec sleep WORD ;;
esac
";

/// A place with silent VMMs, which all are `sleep` with this argument, and the ways to boot in them.
fn silent(place: &Place, word: &str) -> Result<Vec<Vec<String>>> {
    let programs = place.path("programs");
    fs::create_dir(&programs)?;
    for name in ["firecracker", "jailer", "qemu-system-x86_64"] {
        fs::write(programs.join(name), SILENT.replace("WORD", word))?;
        fs::set_permissions(programs.join(name), Permissions::from_mode(0o755))?;
    }
    let mut ways = vec![vec!["--vmm", "firecracker"], vec!["--vmm", "qemu", "--accel", "emulation"]];
    let base = jails(place).display().to_string();
    if places::is_root() {
        ways.push(vec!["--vmm", "firecracker", "--jail-user", "57321:57322", "--jail-base", &base]);
    } else {
        eprintln!("LEFT OUT: jails are root's");
    }
    Ok(ways.into_iter().map(|way| way.into_iter().map(String::from).collect()).collect())
}

fn jails(place: &Place) -> PathBuf {
    place.path("jails")
}

fn with_silent(place: &Place, mut command: Command) -> Command {
    let path = format!("{}:{}", place.path("programs").display(), std::env::var("PATH").unwrap_or_default());
    command.env("PATH", path).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Waits until there is a process with this argument.
fn wait_for(word: &str) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while command::running(word).is_empty() {
        if Instant::now() > deadline {
            return Err(Failure::new("no VMM is started"));
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn signal(nex: &Child, name: &str) -> Result<()> {
    command::run(Command::new("kill").args(["-s", name, &nex.id().to_string()])).map(drop)
}

fn ends_soon(nex: &mut Child) -> Result<ExitStatus> {
    let deadline = Instant::now() + SOON;
    loop {
        match nex.try_wait()? {
            Some(status) => return Ok(status),
            None if Instant::now() > deadline => {
                nex.kill()?;
                nex.wait()?;
                return Err(Failure::new("it goes on"));
            }
            None => thread::sleep(Duration::from_millis(10)),
        }
    }
}

fn no_jails(base: &Path) -> Result<()> {
    let left = if base.exists() { names(&base.join("firecracker"))? } else { Vec::new() };
    if left.is_empty() { Ok(()) } else { Err(Failure::new(format!("left: {left:?}"))) }
}

#[test]
fn one_signal_ends_what_waits_for_its_vmm() -> Result<()> {
    let Some(place) = Place::scratch()? else { return Ok(()) };
    let word = format!("600.1{}", std::process::id());
    for way in silent(&place, &word)? {
        let mut boot = with_silent(&place, place.boot_with(&place.parts.kernel)?);
        let mut nex = boot.args(&way).spawn()?;
        wait_for(&word)?;
        signal(&nex, "TERM")?;
        let status = ends_soon(&mut nex).map_err(|failure| Failure::new(format!("{way:?}: {failure}")))?;
        let said = String::from_utf8_lossy(&nex.wait_with_output()?.stderr).into_owned();
        assert_eq!(status.signal(), Some(SIGTERM), "{way:?}: {said}");
        assert_eq!(said, "error: interrupted by SIGTERM; the guest is ended\n", "{way:?}");
        assert!(command::running(&word).is_empty() && place.is_clean()?, "{way:?}");
        no_jails(&jails(&place))?;

        let mut run = Command::new(nex::program());
        run.env_clear().env("TMPDIR", place.path("tmp")).args(["run", "--rootfs"]).arg(place.file()).arg("--kernel");
        run.arg(&place.parts.kernel).arg("--agent").arg(nex::agent()?).args(&way).arg(&place.parts.busybox);
        let mut nex = with_silent(&place, run).spawn()?;
        wait_for(&word)?;
        signal(&nex, "INT")?;
        let status = ends_soon(&mut nex).map_err(|failure| Failure::new(format!("{way:?}: {failure}")))?;
        let said = String::from_utf8_lossy(&nex.wait_with_output()?.stderr).into_owned();
        assert_eq!(status.signal(), Some(SIGINT), "{way:?}: {said}");
        assert!(command::running(&word).is_empty() && place.is_clean()?, "{way:?}");
        no_jails(&jails(&place))?;
    }
    Ok(())
}

#[test]
fn what_the_caller_has_nex_ignore_ends_no_boot() -> Result<()> {
    let Some(place) = Place::scratch()? else { return Ok(()) };
    let word = format!("600.2{}", std::process::id());
    let ways = silent(&place, &word)?;
    for ignored in ["HUP", "HUP INT TERM"] {
        let boot = place.boot_with(&place.parts.kernel)?;
        let mut ignoring = Command::new("sh");
        ignoring.args(["-c", &format!("trap '' {ignored}; exec \"$@\""), "sh"]).arg(boot.get_program());
        ignoring.args(boot.get_args()).args(&ways[0]).env_clear();
        ignoring.envs(boot.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let mut nex = with_silent(&place, ignoring).spawn()?;
        wait_for(&word)?;
        for name in ignored.split(' ') {
            signal(&nex, name)?;
        }
        // In a fraction of that time the others end it.
        thread::sleep(Duration::from_secs(1));
        assert!(nex.try_wait()?.is_none(), "{ignored} ends it");
        if ignored == "HUP" {
            signal(&nex, "TERM")?;
            assert_eq!(ends_soon(&mut nex)?.signal(), Some(SIGTERM));
        } else {
            nex.kill()?;
            nex.wait()?;
        }
    }
    Ok(())
}

/// A boot that is ended by force, while a guest runs in a jail.
#[test]
fn a_forced_end_takes_a_jailed_guest_and_its_jail() -> Result<()> {
    let (Some(place), Some(real)) = (Place::scratch()?, firecracker::real()?) else { return Ok(()) };
    let Some(jailer) = firecracker::jailer()? else { return Ok(()) };
    if !firecracker::has_kvm() {
        return Ok(());
    }
    let kernel = place.path("vmlinux");
    fs::write(&kernel, tiny_guest::vmlinux("Linux version 6.1.0 (not really)\n", Then::Hang))?;
    let (_reader, full) = nex::full_pipe()?;
    let mut boot = place.boot_with(&kernel)?;
    boot.env("NEX_FIRECRACKER", &real).args(["--vmm", "firecracker", "--jail-user", "57321:57322", "--jailer"]);
    boot.arg(&jailer).arg("--jail-base").arg(jails(&place)).stdout(Stdio::null()).stderr(full);
    let mut nex = boot.spawn()?;
    drop(boot);
    wait_until_caught(nex.id())?;
    let deadline = Instant::now() + PATIENCE;
    let id = loop {
        let jails = names(&jails(&place).join("firecracker")).unwrap_or_default();
        if let [id] = &jails[..]
            && !command::running(id).is_empty()
            && jails_socket_is_gone(&place, id)
        {
            break id.clone();
        }
        assert!(Instant::now() < deadline && nex.try_wait()?.is_none(), "no guest: {jails:?}");
        thread::sleep(Duration::from_millis(10));
    };
    // It has to say who runs the guest, to somebody who does not listen.
    signal(&nex, "TERM")?;
    thread::sleep(Duration::from_millis(300));
    assert!(nex.try_wait()?.is_none(), "nothing keeps it from ending");
    signal(&nex, "TERM")?;
    assert_eq!(ends_soon(&mut nex)?.signal(), Some(SIGTERM));
    assert!(command::running(&id).is_empty(), "the guest runs on");
    no_jails(&jails(&place))
}

/// Once nex has connected to the API, it has no name any more, and the vsock has one.
fn jails_socket_is_gone(place: &Place, id: &str) -> bool {
    let root = jails(place).join("firecracker").join(id).join("root");
    root.join("vsock").exists() && !root.join("api").exists()
}
