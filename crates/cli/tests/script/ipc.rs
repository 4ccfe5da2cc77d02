//! Abstract Unix sockets pass open files on, and ask for no rights. None connects a script and the host, in either direction,
//! and the host's network is there all the same.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nex_testkit::nex::script::{World, compile, messages, text};
use nex_testkit::nex::{failed, loud, names};
use nex_testkit::{Failure, Result, command, places};

use crate::callers::Caller;

/// How long a busy machine may take to begin a script.
const PATIENCE: Duration = Duration::from_secs(60);

const APART: &str = "connect: refused\nsend: refused\nraw: refused\npair: refused\n";
const CROSSED: &str = "connect: granted\nsend: granted\nraw: granted\npair: granted\n";

/// Sockets that the monitor makes are those that a script asks for.
const INTERNET: &str = "addresses: granted\nclose on exec: 0 1\nwaits: 1 0\nraw: refused\nlimit: Too many open files\n";

/// Sockets of the host, and a world whose scripts know the names.
struct Host {
    world: World,
    names: [String; 3],
    _stream: UnixListener,
    datagram: UnixDatagram,
}

fn address(name: &str) -> Result<SocketAddr> {
    Ok(SocketAddr::from_abstract_name(name)?)
}

impl Host {
    fn new() -> Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let names =
            ["stream", "datagram", "inside"].map(|name| format!("nex-test-{}-{number}-{name}", std::process::id()));
        let world = World::new()?;
        compile("sockets.c", &world.base().join("bin/sockets"))?;
        let shared = world.path("shared");
        fs::create_dir(&shared)?;
        fs::set_permissions(&shared, fs::Permissions::from_mode(0o777))?;
        let stream = UnixListener::bind_addr(&address(&names[0])?)?;
        let datagram = UnixDatagram::bind_addr(&address(&names[1])?)?;
        datagram.set_nonblocking(true)?;
        Ok(Self { world, names, _stream: stream, datagram })
    }

    /// A build whose script tries to reach the host's sockets.
    fn outward(&self, work_dir: &str) -> Result<Command> {
        let script = format!("sockets out {} {} > /seen\n", self.names[0], self.names[1]);
        Ok(loud(&self.world.command_in("image", &script, work_dir)?))
    }

    /// What the script was granted.
    fn seen(&self) -> Result<String> {
        let seen = text(&self.world.path("image"), "/seen");
        fs::remove_file(self.world.path("image"))?;
        seen
    }

    /// Whether the host reaches a socket of the script that this command runs.
    fn reaches_in(
        &self,
        run: impl FnOnce(&Command) -> Result<Option<Command>>,
        work_dir: &str,
    ) -> Result<Option<bool>> {
        let shared = self.world.path("shared");
        for name in names(&shared)? {
            fs::remove_file(shared.join(name))?;
        }
        let script = format!("sockets in {} /shared/sign /shared/go > /seen\n", self.names[2]);
        let mut build = self.world.command_in("image", &script, work_dir)?;
        build.arg("--mount").arg(format!("{}:/shared", shared.display()));
        let Some(mut build) = run(&build)? else { return Ok(None) };
        let nex = build.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let start = Instant::now();
        while !shared.join("sign").exists() && start.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(5));
        }
        let reached = UnixStream::connect_addr(&address(&self.names[2])?);
        fs::write(shared.join("go"), "")?;
        let result = nex.wait_with_output()?;
        if !result.status.success() {
            return Err(Failure::new(messages(&result)));
        }
        let answer = if reached.is_ok() { "granted" } else { "refused" };
        assert_eq!(self.seen()?, format!("bind: granted\nlisten: granted\naccept: {answer}\n"));
        Ok(Some(reached.is_ok()))
    }
}

/// Root of a container is none of them: it has a network of its own.
const CALLERS: [Caller; 3] = [Caller::Root, Caller::Subordinate, Caller::OneId];

#[test]
fn no_abstract_socket_connects_a_script_and_the_host() -> Result<()> {
    for caller in CALLERS {
        let host = Host::new()?;
        let Some(mut run) = caller.command(&host.outward("work")?, &host.world)? else { continue };
        let report = String::from_utf8_lossy(&command::run(&mut run)?).into_owned();
        assert_eq!(host.seen()?, APART, "{caller:?}");
        assert!(!report.contains("--script-network"), "{caller:?}: {report}");
        assert!(host.datagram.recv(&mut [0; 8]).is_err(), "{caller:?}");
        assert_eq!(host.reaches_in(|run| caller.command(run, &host.world), "work")?, Some(false), "{caller:?}");
        host.world.is_clean("work")?;
    }
    Ok(())
}

#[test]
fn the_hosts_network_is_there_for_scripts() -> Result<()> {
    for caller in CALLERS {
        let host = Host::new()?;
        let server = TcpListener::bind("127.0.0.1:0")?;
        let port = server.local_addr()?.port();
        let script = format!("nc 127.0.0.1 {port} < /dev/null > /seen; sockets internet >> /seen\n");
        let Some(mut run) = caller.command(&host.world.command("image", &script)?, &host.world)? else { continue };
        let serving = thread::spawn(move || -> std::io::Result<()> { server.accept()?.0.write_all(b"served\n") });
        command::run(&mut run)?;
        serving.join().map_err(|_| Failure::new("the server failed"))??;
        assert_eq!(host.seen()?, format!("served\n{INTERNET}"), "{caller:?}");
    }
    Ok(())
}

/// The same on other machines: the kernel before it had scopes, and in a container whose manager is told of system calls.
struct Machine {
    host: Host,
    program: std::path::PathBuf,
}

impl Machine {
    fn new() -> Result<Option<Self>> {
        if !places::is_root() {
            eprintln!("LEFT OUT: only root can put a filter over another user's processes");
            return Ok(None);
        }
        let host = Host::new()?;
        let program = host.world.path("hide");
        compile("hide.c", &program)?;
        Ok(Some(Self { host, program }))
    }

    /// The command of a caller on a machine without these.
    fn without(&self, hidden: &[&str], caller: Caller, run: &Command) -> Result<Option<Command>> {
        let Some(run) = caller.command(run, &self.host.world)? else { return Ok(None) };
        let mut machine = Command::new(&self.program);
        machine.args(hidden).arg("--").arg(run.get_program()).args(run.get_args());
        for (name, value) in run.get_envs() {
            value.map(|value| machine.env(name, value));
        }
        Ok(Some(machine))
    }
}

#[test]
fn without_landlock_nothing_crosses_either() -> Result<()> {
    let Some(machine) = Machine::new()? else { return Ok(()) };
    for caller in CALLERS {
        let run = machine.host.outward("work")?;
        let Some(mut run) = machine.without(&["landlock"], caller, &run)? else { continue };
        command::run(&mut run)?;
        assert_eq!(machine.host.seen()?, APART, "{caller:?}");
        fs::remove_dir_all(machine.host.world.path("work"))?;
    }
    Ok(())
}

#[test]
fn landlock_keeps_scripts_in_where_their_network_cannot_be_kept_apart() -> Result<()> {
    let Some(machine) = Machine::new()? else { return Ok(()) };
    for caller in CALLERS {
        let run = machine.host.outward("work")?;
        let Some(mut run) = machine.without(&["told"], caller, &run)? else { continue };
        let report = String::from_utf8_lossy(&command::run(&mut run)?).into_owned();
        assert_eq!(machine.host.seen()?, APART, "{caller:?}");
        // What cannot be kept out is told.
        assert!(report.contains("could connect to abstract Unix sockets of the setup script"), "{caller:?}: {report}");
        let reached = machine.host.reaches_in(|run| machine.without(&["told"], caller, run), "work")?;
        assert_eq!(reached, Some(true), "{caller:?}: the tests see what crosses");
        fs::remove_dir_all(machine.host.world.path("work"))?;
    }
    Ok(())
}

#[test]
fn where_nothing_keeps_sockets_apart_it_is_told_and_one_id_is_not_enough() -> Result<()> {
    let Some(machine) = Machine::new()? else { return Ok(()) };
    let hidden = ["told", "landlock"];
    for caller in CALLERS {
        let mut run = machine.host.outward("work")?;
        if caller == Caller::OneId {
            let Some(mut unasked) = machine.without(&hidden, caller, &run)? else { continue };
            let words = ["with your own user id", "--script-network none", "--script-network host", "Linux 6.12"];
            failed(&command::output(&mut unasked)?, &words)?;
            assert!(!machine.host.world.path("image").exists());
            run.args(["--script-network", "host"]);
        }
        let Some(mut run) = machine.without(&hidden, caller, &run)? else { continue };
        let report = String::from_utf8_lossy(&command::run(&mut run)?).into_owned();
        assert_eq!(machine.host.seen()?, CROSSED, "{caller:?}: the probe sees what is granted");
        assert!(report.contains("--script-network none keeps them apart"), "{caller:?}: {report}");
        let mut run = machine.host.outward("work")?;
        run.args(["--script-network", "none"]);
        let Some(mut run) = machine.without(&hidden, caller, &run)? else { continue };
        let report = String::from_utf8_lossy(&command::run(&mut run)?).into_owned();
        assert_eq!(machine.host.seen()?, APART, "{caller:?}");
        assert!(!report.contains("--script-network"), "{caller:?}: {report}");
        fs::remove_dir_all(machine.host.world.path("work"))?;
    }
    Ok(())
}
