//! Copies into a guest and out of it: a guest of this process, which does what the agent does, and one that lies.

use std::fs::{self, File};
use std::io::{self, BufReader, PipeReader, PipeWriter, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nex_channel::{Exit, Flow, Guest, GuestEvent, GuestOptions, StreamId};
use nex_contract::{ByteString, Request, TarLink, TarOwners, TarPlace};
use nex_copy::{CopyError, CopyOptions, Source, Target, from_guest, to_guest};
use nex_testkit::fault::parts;
use nex_tree::{Devices, Link, Mounts, Notes, Owners, PackOptions, Place, TreeError, UnpackOptions, pack, unpack};

/// What the guest's process does, with its standard streams; gives its exit code, and what it says on standard error.
type Process = Box<dyn FnOnce(Request, PipeReader, PipeWriter) -> (u8, String) + Send>;

/// As the agent's.
fn honest() -> Process {
    Box::new(|request, stdin, mut stdout| {
        let mut notes = Notes::default();
        let done = match request {
            Request::TarIn(tar) => {
                let place = if tar.place == TarPlace::Copy { Place::Copy } else { Place::Below };
                let owners = if tar.owners == TarOwners::Kept { Owners::Kept } else { Owners::Own };
                let options = UnpackOptions { place, owners, devices: Devices::Made, ..UnpackOptions::default() };
                let mut stdin = BufReader::new(stdin);
                let path = Path::new(std::ffi::OsStr::new(str::from_utf8(tar.path.as_bytes()).unwrap()));
                let done = unpack(&mut stdin, path, options, &mut notes);
                if done.is_ok() {
                    io::copy(&mut stdin, &mut io::sink()).unwrap();
                }
                done
            }
            Request::TarOut(tar) => {
                let link = if tar.link == TarLink::Followed { Link::Followed } else { Link::Kept };
                let options = PackOptions { link, mounts: Mounts::LeftOut };
                pack(Path::new(str::from_utf8(tar.path.as_bytes()).unwrap()), options, &mut stdout, &mut notes)
            }
            _ => panic!("another request"),
        };
        let mut said: String = notes.lines().map(|line| line + "\n").collect();
        done.map(|()| (0, said.clone())).unwrap_or_else(|error: TreeError| {
            said += &error.to_string();
            (1, said)
        })
    })
}

/// A process that writes this tar.
fn writes(tar: Vec<u8>) -> Process {
    Box::new(move |_, _, mut stdout| (u8::from(stdout.write_all(&tar).is_err()), String::new()))
}

/// A guest that has one stream, and the connection to it.
fn guest(process: Process) -> (UnixStream, JoinHandle<()>) {
    let (connection, other) = UnixStream::pair().unwrap();
    (connection, std::thread::spawn(move || serve(other, process)))
}

/// Serves by looking again and again, which is all that a test needs.
fn serve(mut connection: UnixStream, process: Process) {
    let (mut guest, mut process) = (Guest::new(GuestOptions::default()), Some(process));
    let (mut running, mut buffer, mut out) = (None::<Running>, vec![0; 64 << 10], Vec::new());
    connection.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    loop {
        match connection.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => {
                let mut input = &buffer[..count];
                while let Some(event) = guest.receive(&mut input).unwrap() {
                    if let GuestEvent::Request(id, request) = event {
                        guest.accept(id);
                        running = Some(Running::start(id, request, process.take().unwrap()));
                    }
                }
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(_) => return,
        }
        if let Some(running) = &mut running {
            running.step(&mut guest);
        }
        while {
            out.clear();
            guest.transmit(&mut out, 64 << 10);
            !out.is_empty()
        } {
            if connection.write_all(&out).is_err() {
                return;
            }
        }
    }
}

struct Running {
    id: StreamId,
    stdin: Option<PipeWriter>,
    stdout: Option<PipeReader>,
    process: Option<JoinHandle<(u8, String)>>,
}

impl Running {
    fn start(id: StreamId, request: Request, process: Process) -> Self {
        let ((their_in, stdin), (stdout, their_out)) = (io::pipe().unwrap(), io::pipe().unwrap());
        let process = std::thread::spawn(move || process(request, their_in, their_out));
        Self { id, stdin: Some(stdin), stdout: Some(stdout), process: Some(process) }
    }

    fn step(&mut self, guest: &mut Guest) {
        while let Some(stdin) = &mut self.stdin {
            let held = guest.held(self.id);
            if held.is_empty() {
                if guest.has_ended(self.id) {
                    self.stdin = None;
                }
                break;
            }
            let count = held.len().min(4096);
            if !is_ready(stdin, rustix::event::PollFlags::OUT) {
                break;
            }
            if stdin.write_all(&held[..count]).is_err() {
                self.stdin = None;
                break;
            }
            guest.consume(self.id, count);
        }
        while let Some(stdout) = &mut self.stdout {
            let space = guest.space(self.id, Flow::Stdout);
            if space == 0 || !is_ready(stdout, rustix::event::PollFlags::IN | rustix::event::PollFlags::HUP) {
                break;
            }
            let mut bytes = vec![0; space.min(8192)];
            match stdout.read(&mut bytes).unwrap() {
                0 => self.stdout = None,
                count => assert_eq!(guest.send(self.id, Flow::Stdout, &bytes[..count]), count),
            }
        }
        if self.stdout.is_none()
            && let Some(process) = self.process.take()
        {
            let (code, said) = process.join().unwrap();
            guest.send(self.id, Flow::Stderr, said.as_bytes());
            guest.exit(self.id, Exit::Code(code));
        }
    }
}

fn is_ready(file: &impl std::os::fd::AsFd, flags: rustix::event::PollFlags) -> bool {
    let mut files = [rustix::event::PollFd::new(file, flags)];
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    rustix::event::poll(&mut files, Some(&now)).unwrap() > 0
}

fn bytes(path: &Path) -> ByteString {
    ByteString::new(path.as_os_str().as_encoded_bytes()).unwrap()
}

fn world() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    fs::create_dir_all(place.path().join("host/d")).unwrap();
    fs::create_dir(place.path().join("guest")).unwrap();
    fs::write(place.path().join("host/d/large"), (0..3_000_000u32).map(|at| (at / 7) as u8).collect::<Vec<_>>())
        .unwrap();
    fs::write(place.path().join("host/d/small"), "small").unwrap();
    place
}

#[test]
fn a_directory_goes_in_and_comes_out() {
    let place = world();
    let path = |name: &str| place.path().join(name);
    let (connection, serving) = guest(honest());
    let source = path("host/d");
    let lines = to_guest(connection, Source::Path(&source), bytes(&path("guest/")), CopyOptions::default()).unwrap();
    serving.join().unwrap();
    assert!(lines.is_empty(), "{lines:?}");
    let _socket = std::os::unix::net::UnixListener::bind(path("guest/d/socket")).unwrap();
    let (connection, serving) = guest(honest());
    let target = path("host/back");
    let lines =
        from_guest(connection, bytes(&path("guest/d/.")), Target::Path(&target), CopyOptions::default()).unwrap();
    serving.join().unwrap();
    assert_eq!(lines, ["'./socket' is a socket and is left out"]);
    for name in ["large", "small"] {
        assert!(fs::read(path("host/d").join(name)).unwrap() == fs::read(path("host/back").join(name)).unwrap());
    }
}

#[test]
fn tars_pass_through_both_ways() {
    let place = world();
    let path = |name: &str| place.path().join(name);
    let (connection, serving) = guest(honest());
    let mut tar = Vec::new();
    from_guest(connection, bytes(&path("host/d")), Target::Tar(&mut tar), CopyOptions::default()).unwrap();
    serving.join().unwrap();
    fs::write(path("d.tar"), &tar).unwrap();
    let (connection, serving) = guest(honest());
    let file = File::open(path("d.tar")).unwrap();
    to_guest(connection, Source::Tar(&file), bytes(&path("guest")), CopyOptions::default()).unwrap();
    serving.join().unwrap();
    assert_eq!(fs::read(path("guest/d/small")).unwrap(), b"small");

    let (connection, _serving) = guest(honest());
    fs::write(path("packed"), b"\x1f\x8b\x08").unwrap();
    let packed = File::open(path("packed")).unwrap();
    let refused = to_guest(connection, Source::Tar(&packed), bytes(&path("guest")), CopyOptions::default());
    assert!(matches!(refused, Err(CopyError::Packed(_))));
}

#[test]
fn the_guests_refusal_ends_the_copy_whatever_is_still_to_come() {
    let place = world();
    let path = |name: &str| place.path().join(name);
    for source in ["host/d", "host/d/large"] {
        let (connection, _serving) = guest(honest());
        let source = path(source);
        let to = bytes(&path("guest/missing/x"));
        let error = to_guest(connection, Source::Path(&source), to, CopyOptions::default()).unwrap_err();
        let said = error.to_string();
        assert!(said.contains("the directory that it should be in is missing"), "{said}");
        assert_eq!(parts(&error).1, "cp-guest");
    }
    // Standard input that nobody ends does not keep it waiting.
    let (connection, _serving) = guest(honest());
    let (reader, _writer) = io::pipe().unwrap();
    let input = File::from(std::os::fd::OwnedFd::from(reader));
    assert!(input.as_raw_fd() > 2);
    let start = Instant::now();
    let missing = to_guest(connection, Source::Tar(&input), bytes(&path("missing")), CopyOptions::default());
    assert!(missing.unwrap_err().to_string().contains("there is no such directory"));
    assert!(start.elapsed() < Duration::from_secs(10));

    let (connection, _serving) = guest(honest());
    let target = path("host/new");
    let missing = from_guest(connection, bytes(&path("missing")), Target::Path(&target), CopyOptions::default());
    assert!(missing.unwrap_err().to_string().contains("No such file or directory"));
}

#[test]
fn a_failure_of_this_side_says_so() {
    let place = world();
    let path = |name: &str| place.path().join(name);
    let (connection, _serving) = guest(honest());
    let missing = path("missing");
    let error = to_guest(connection, Source::Path(&missing), bytes(&path("guest")), CopyOptions::default());
    assert!(matches!(error, Err(CopyError::Tree(TreeError::System { action: "open", .. }))));
    let (connection, _serving) = guest(honest());
    let taken = path("host/d/small");
    let error = from_guest(connection, bytes(&path("host/d")), Target::Path(&taken), CopyOptions::default());
    assert!(matches!(error, Err(CopyError::Tree(TreeError::Refused { .. }))));
}

#[test]
fn a_guest_that_lies_writes_nowhere_else_and_keeps_nobody() {
    let place = world();
    let path = |name: &str| place.path().join(name);
    let target = path("host/d");
    let lie = |process: Process| {
        let (connection, _serving) = guest(process);
        from_guest(connection, bytes(Path::new("/etc/small")), Target::Path(&target), CopyOptions::default())
    };
    let mut tar = Vec::new();
    pack(&path("host/d/small"), PackOptions::default(), &mut tar, &mut Notes::default()).unwrap();
    let name_up = |tar: &[u8]| {
        let mut evil = tar.to_vec();
        let header = evil.windows(9).position(|bytes| bytes == b"small\0\0\0\0").unwrap();
        evil[header..header + 5].copy_from_slice(b"../ev");
        let record = &mut evil[header..header + 512];
        record[148..156].fill(b' ');
        let sum: u32 = record.iter().map(|&byte| u32::from(byte)).sum();
        record[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        evil
    };
    let error = lie(writes(name_up(&tar))).unwrap_err();
    assert_eq!(parts(&error).1, "copy-outside", "{error}");
    assert!(!path("host/ev").exists());

    // The name of another file in the directory is not what was asked for.
    let mut other = Vec::new();
    pack(&path("host/d/large"), PackOptions::default(), &mut other, &mut Notes::default()).unwrap();
    fs::write(path("host/d/large"), "mine").unwrap();
    let error = lie(writes(other)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot write 'large': the tar is to be a copy of 'small', which this name does not belong to"
    );
    assert_eq!(fs::read(path("host/d/large")).unwrap(), b"mine");

    // Words steer no terminal, and are not without end.
    let words: Process = Box::new(|_, _, _| (1, format!("{}\n\u{1b}[2Jcannot", "x".repeat(60_000))));
    let error = lie(words).unwrap_err();
    let said = error.to_string();
    assert!(!said.contains('\u{1b}') && said.len() < 5000, "{}", said.len());

    // Bytes behind the end are not taken for ever.
    let endless: Process = Box::new(|_, _, mut stdout| {
        while stdout.write_all(&[0; 4096]).is_ok() {}
        (0, String::new())
    });
    let mut long = tar.clone();
    long.resize(tar.len() + (4 << 20), 0);
    for process in [endless, writes(long)] {
        let error = lie(process).unwrap_err();
        assert!(error.to_string().contains("behind the end"), "{error}");
    }

    let cut = lie(writes(tar[..1600].to_vec())).unwrap_err();
    assert_eq!(parts(&cut).1, "tar-damaged");
    let (connection, other) = UnixStream::pair().unwrap();
    let gone = std::thread::spawn(move || {
        let mut hello = [0; 36];
        (&other).read_exact(&mut hello).unwrap();
    });
    let error = from_guest(connection, bytes(Path::new("/x")), Target::Path(&target), CopyOptions::default());
    assert_eq!(parts(&error.unwrap_err()).1, "cp-connection");
    gone.join().unwrap();
}
