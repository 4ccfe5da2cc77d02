//! The guest's end of a channel, where what is asked for runs on this machine.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nex_channel::{Exit, Flow, Guest, GuestEvent, GuestOptions, NotStarted, StreamId};
use nex_contract::{
    ByteString, Exec, Request, Stdin, TarIn, TarLink, TarOut, TarOwners, TarPlace, Terminal, TerminalSize,
};
use rustix::fs::OFlags;
use rustix::process::{Pid, Signal, kill_process_group};
use rustix::pty::OpenptFlags;
use rustix::termios::{Winsize, tcsetwinsize};

/// Serves a session until its connection ends.
pub fn serve(mut connection: UnixStream) {
    connection.set_nonblocking(true).expect("a connection");
    let (mut guest, mut programs) = (Guest::new(GuestOptions::default()), BTreeMap::new());
    let (mut out, mut buffer) = (Vec::new(), vec![0; 32 << 10]);
    loop {
        let mut has_moved = false;
        if out.is_empty() {
            guest.transmit(&mut out, 64 << 10);
        }
        match connection.write(&out) {
            Ok(count) if count > 0 => {
                out.drain(..count);
                has_moved = true;
            }
            Err(error) if error.kind() != ErrorKind::WouldBlock => return,
            _ => {}
        }
        match connection.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => {
                let mut input = &buffer[..count];
                while let Some(event) = guest.receive(&mut input).expect("a host that keeps the rules") {
                    take(event, &mut guest, &mut programs);
                }
                has_moved = true;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
        programs.retain(|stream, program: &mut Program| {
            let (moved, exit) = program.step(*stream, &mut guest);
            has_moved |= moved;
            if let Some(exit) = exit.clone() {
                guest.exit(*stream, exit);
            }
            exit.is_none()
        });
        if !has_moved {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

fn take(event: GuestEvent, guest: &mut Guest, programs: &mut BTreeMap<StreamId, Program>) {
    match event {
        GuestEvent::Request(stream, Request::Exec(exec)) if exec.argv[0].as_bytes() == b"refused" => {
            guest.refuse(stream, "it is \x1b[1mrefused");
        }
        GuestEvent::Request(stream, Request::Exec(exec)) => {
            guest.accept(stream);
            match Program::start(&exec) {
                Some(program) => drop(programs.insert(stream, program)),
                None => {
                    let reason = format!("{} is \x1b[1mnot there", String::from_utf8_lossy(exec.argv[0].as_bytes()));
                    guest.exit(stream, Exit::NotStarted { code: NotStarted::NotFound, reason });
                }
            }
        }
        GuestEvent::Request(stream, Request::Attach(attach)) => {
            guest.accept(stream);
            let terminal = attach.size.map(|size| Terminal { size, term: String::new() });
            let workload = Exec { stdin: attach.stdin, terminal, ..workload() };
            programs.extend(Program::start(&workload).map(|program| (stream, program)));
        }
        GuestEvent::Request(stream, Request::TarIn(TarIn { path, place, owners })) => {
            let place = (place == TarPlace::Copy).then_some("copy");
            let owners = (owners == TarOwners::Kept).then_some("keep-owners");
            guest.accept(stream);
            let tar = tar("nex-tar-in", path, [place, owners], Stdin::Stream);
            programs.extend(Program::start(&tar).map(|program| (stream, program)));
        }
        GuestEvent::Request(stream, Request::TarOut(TarOut { path, link })) => {
            guest.accept(stream);
            let options = [(link == TarLink::Followed).then_some("follow"), None];
            let tar = tar("nex-tar-out", path, options, Stdin::Null);
            programs.extend(Program::start(&tar).map(|program| (stream, program)));
        }
        GuestEvent::Signal(stream, signal) => {
            if let Some(program) = programs.get(&stream) {
                program.signal(i32::from(signal.number()));
            }
        }
        GuestEvent::Resize(stream, size) => {
            if let Some(terminal) = programs.get(&stream).and_then(|program| program.terminal.as_ref()) {
                resize(terminal, size);
            }
        }
        GuestEvent::Reset(stream, _) => {
            programs.remove(&stream);
            guest.exit(stream, Exit::Code(137));
        }
        GuestEvent::Ready(_) | GuestEvent::Data(_) | GuestEvent::Eof(_) | GuestEvent::Closed => {}
    }
}

/// The agent's program under a name by which it packs or unpacks tars.
fn tar(name: &str, path: ByteString, options: [Option<&str>; 2], stdin: Stdin) -> Exec {
    let agent = nex_testkit::nex::agent().expect("the agent").display().to_string();
    let words = ["bash", "-c", r#"exec -a "$0" "$@""#, name, &agent].into_iter().filter_map(ByteString::new);
    let options = options.into_iter().flatten().filter_map(ByteString::new);
    Exec { argv: words.chain([path]).chain(options).collect(), stdin, ..Exec::default() }
}

/// What plays the guest's own program.
fn workload() -> Exec {
    let argv = ["sh", "-c", "echo up; read line && echo got $line; exit 5"];
    Exec { argv: argv.into_iter().filter_map(ByteString::new).collect(), ..Exec::default() }
}

/// A program that runs. All of its session ends with it.
struct Program {
    child: Child,
    status: Option<ExitStatus>,
    stdin: Option<File>,
    outputs: Vec<(Flow, File)>,
    terminal: Option<OwnedFd>,
}

impl Program {
    fn start(exec: &Exec) -> Option<Self> {
        let (program, arguments) = exec.argv.split_first()?;
        let is_path = program.as_bytes().contains(&b'/');
        if is_path && !Path::new(program.as_os_str()).exists() {
            return None;
        }
        let mut command = Command::new("setsid");
        if exec.terminal.is_some() {
            command.arg("--ctty");
        }
        command.arg(program.as_os_str()).args(arguments.iter().map(|argument| argument.as_os_str()));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("PS1", "guest$ ").current_dir("/");
        for variable in &exec.env {
            let (name, value) = std::str::from_utf8(variable.as_bytes()).ok()?.split_once('=')?;
            command.env(name, value);
        }
        if !exec.working_dir.is_empty() {
            command.current_dir(exec.working_dir.as_os_str());
        }
        match &exec.terminal {
            Some(wanted) => {
                let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
                let own = rustix::pty::openpt(flags).ok()?;
                rustix::pty::unlockpt(&own).ok()?;
                let side = rustix::pty::ioctl_tiocgptpeer(&own, flags).ok()?;
                resize(&own, wanted.size);
                command
                    .env("TERM", &wanted.term)
                    .stdin(side.try_clone().ok()?)
                    .stdout(side.try_clone().ok()?)
                    .stderr(side);
                let child = command.spawn().ok()?;
                let (stdin, output) = (nonblocking(own.try_clone().ok()?), nonblocking(own.try_clone().ok()?));
                let stdin = (exec.stdin == Stdin::Stream).then_some(stdin);
                Some(Self { child, status: None, stdin, outputs: vec![(Flow::Stdout, output)], terminal: Some(own) })
            }
            None => {
                command.stdin(if exec.stdin == Stdin::Stream { Stdio::piped() } else { Stdio::null() });
                let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().ok()?;
                let stdin = child.stdin.take().map(|file| nonblocking(file.into()));
                let outputs = vec![
                    (Flow::Stdout, nonblocking(child.stdout.take()?.into())),
                    (Flow::Stderr, nonblocking(child.stderr.take()?.into())),
                ];
                Some(Self { child, status: None, stdin, outputs, terminal: None })
            }
        }
    }

    fn signal(&self, number: i32) {
        let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some((group, signal)) = group.zip(Signal::from_named_raw(number)) {
            let _ = kill_process_group(group, signal);
        }
    }

    /// Moves what can be moved. Says whether that was anything, and how the program has ended.
    fn step(&mut self, stream: StreamId, guest: &mut Guest) -> (bool, Option<Exit>) {
        // First: what it has written before its end is then read below.
        self.status = self.status.or_else(|| self.child.try_wait().ok().flatten());
        let mut has_moved = false;
        if let Some(stdin) = &mut self.stdin {
            match stdin.write(guest.held(stream)) {
                Ok(count) => {
                    guest.consume(stream, count);
                    has_moved |= count > 0;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // Nobody reads it.
                Err(_) => guest.consume(stream, usize::MAX),
            }
            if guest.has_ended(stream) && self.terminal.is_none() {
                self.stdin = None;
            }
        }
        let mut waits = false;
        self.outputs.retain_mut(|(flow, file)| {
            let mut buffer = vec![0; guest.space(stream, *flow).min(32 << 10)];
            waits |= buffer.is_empty();
            if buffer.is_empty() {
                return true;
            }
            match file.read(&mut buffer) {
                Ok(count @ 1..) => {
                    guest.send(stream, *flow, &buffer[..count]);
                    (has_moved, waits) = (true, true);
                    true
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => true,
                _ => false,
            }
        });
        let exit = self.status.filter(|_| !waits).map(|status| match status.signal() {
            Some(signal) => {
                Exit::Signal(nex_channel::Signal::new(u8::try_from(signal).unwrap_or(1)).expect("a signal"))
            }
            None => Exit::Code(u8::try_from(status.code().unwrap_or(255)).unwrap_or(255)),
        });
        (has_moved, exit)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.signal(9);
        drop(self.child.wait());
    }
}

fn nonblocking(file: OwnedFd) -> File {
    let flags = rustix::fs::fcntl_getfl(&file).expect("flags");
    rustix::fs::fcntl_setfl(&file, flags | OFlags::NONBLOCK).expect("flags");
    file.into()
}

fn resize(terminal: impl AsFd, size: TerminalSize) {
    let size = Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal, size).expect("a size");
}
