//! The way to the host: events go out as lines, in order, without ever keeping the agent from its other duties.
//!
//! What cannot be written at once waits. While more than [`ROOM`] waits, no program's output is read any more, so that in the
//! end the programs wait for whoever reads the console. Only where a line cannot be written at all, as on a full disk, is it
//! dropped; the bytes of output in it are counted, and told before the next event that gets through.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Stdout, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nex_protocol::{Encoder, Event, Ready, Role, Start, Text};
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::termios::tcdrain;

use crate::clock::uptime_ms;
use crate::{VERSION, console};

/// How long a host may take in all for the last of one kind. One that takes a byte now and then must not keep the machine from ending.
pub const MOST_LAST_WORDS: Duration = Duration::from_secs(30);

/// How many bytes may wait before the programs have to.
const ROOM: usize = 64 << 10;

/// Where the lines go.
enum Way {
    /// To the console.
    Console(File),
    /// Over a connection to the host.
    Vsock(OwnedFd),
    /// To standard output. Unlike the others, it makes its writers wait.
    Output(Stdout),
    /// To what somebody has given for it, which may make its writers wait, too.
    Given(OwnedFd),
}

/// A line on its way.
struct Line {
    bytes: Vec<u8>,
    /// How many bytes of a program's output are in it.
    payload: u64,
}

/// The lines on their way.
pub struct Host {
    way: Way,
    /// Where a service's log is, beside the console.
    log: Option<Stdout>,
    encoder: Encoder,
    waiting: VecDeque<Line>,
    waiting_bytes: usize,
    /// How much of the first line is written.
    written: usize,
    /// How many bytes are written altogether.
    progress: u64,
    dropped: u64,
}

impl Host {
    /// The way of an init: the console, or standard output where there is none, as in a container.
    pub fn of_init() -> Self {
        Self::new(console::open_for_host().map_or_else(|_| Way::Output(io::stdout()), Way::Console), None)
    }

    /// The way of a service: standard output, and the console too where that leads elsewhere and this process may write to it.
    /// Under OpenRC, standard output is a file; under systemd, the journal brings it to the console.
    pub fn of_service() -> Self {
        match console::open_for_host() {
            Ok(console) if !console::is_standard_output(&console) => {
                Self::new(Way::Console(console), Some(io::stdout()))
            }
            _ => Self::new(Way::Output(io::stdout()), None),
        }
    }

    /// The way that a caller has chosen.
    pub fn of_descriptor(descriptor: OwnedFd) -> Self {
        Self::new(Way::Given(descriptor), None)
    }

    fn new(way: Way, log: Option<Stdout>) -> Self {
        Self {
            way,
            log,
            encoder: Encoder::new(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            written: 0,
            progress: 0,
            dropped: 0,
        }
    }

    /// Has all further lines go over a connection, counted anew.
    pub fn go_on_by(&mut self, connection: OwnedFd) {
        self.flush(Duration::from_secs(1));
        self.way = Way::Vsock(connection);
        self.encoder = Encoder::new();
    }

    /// Tells the host that the agent runs.
    pub fn tell_start(&mut self, role: Role, uptime_ms: u64) {
        self.tell(&Event::Start(Start { version: VERSION.into(), role, uptime_ms }));
    }

    /// Tells the host that the guest is up.
    pub fn tell_ready(&mut self, role: Role, start_ms: u64) {
        self.tell(&Event::Ready(Ready { version: VERSION.into(), role, start_ms, uptime_ms: uptime_ms() }));
    }

    /// Tells the host that something could not be done.
    pub fn fail(&mut self, text: impl Into<String>) {
        self.tell(&Event::Fail(Text { uptime_ms: uptime_ms(), text: text.into().into_bytes() }));
    }

    /// Tells the host something for its log.
    pub fn note(&mut self, text: impl Into<String>) {
        self.tell(&Event::Note(Text { uptime_ms: uptime_ms(), text: text.into().into_bytes() }));
    }

    /// Tells the host an event.
    pub fn tell(&mut self, event: &Event) {
        if self.dropped > 0 {
            let bytes = std::mem::take(&mut self.dropped);
            self.line(&Event::Dropped { bytes }, bytes);
        }
        let payload = match event {
            Event::Output(output) => output.text.len() as u64 + u64::from(output.line_ends),
            _ => 0,
        };
        self.line(event, payload);
        self.write();
    }

    fn line(&mut self, event: &Event, payload: u64) {
        let mut bytes = Vec::new();
        self.encoder.encode(event, &mut bytes);
        if let Some(log) = self.log.as_mut().filter(|_| payload == 0) {
            // The console has the line too, and a full disk is no reason to stop. A program's output would fill the disk.
            drop(log.write_all(&bytes).and_then(|()| log.flush()));
        }
        self.waiting_bytes += bytes.len();
        self.waiting.push_back(Line { bytes, payload });
    }

    /// Whether a program's output may be read.
    pub fn has_room(&self) -> bool {
        self.waiting_bytes < ROOM
    }

    /// A number that grows while the host reads.
    pub fn progress(&self) -> u64 {
        self.progress
    }

    /// What to wait for, to go on writing.
    pub fn waits_for(&self) -> Option<BorrowedFd<'_>> {
        (!self.waiting.is_empty()).then(|| self.way.descriptor())
    }

    /// Writes as much as goes without waiting.
    pub fn write(&mut self) {
        while let Some(line) = self.waiting.front() {
            match self.way.write(&line.bytes[self.written..]) {
                Ok(count) => {
                    self.written += count;
                    self.progress += count as u64;
                    if self.written == line.bytes.len() {
                        self.forget_first();
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => self.failed(&error),
            }
        }
    }

    fn forget_first(&mut self) -> u64 {
        self.written = 0;
        let Some(line) = self.waiting.pop_front() else { return 0 };
        self.waiting_bytes -= line.bytes.len();
        line.payload
    }

    /// Drops the line that cannot be written. A connection that is gone is replaced by the console.
    fn failed(&mut self, error: &io::Error) {
        if !matches!(self.way, Way::Vsock(_)) {
            self.dropped += self.forget_first();
            return;
        }
        // The lines that wait have the numbers of the connection.
        while !self.waiting.is_empty() {
            self.dropped += self.forget_first();
        }
        let Self { dropped, log, .. } = std::mem::replace(self, Self::of_init());
        (self.dropped, self.log) = (dropped, log);
        self.fail(format!("the vsock connection is gone: {error}; going on on the console"));
    }

    /// The same, and closes a connection, for which the host's end has to have taken everything: what the kernel still holds
    /// of it goes with the power. Further lines go to the console.
    pub fn close(&mut self, patience: Duration) {
        self.flush(patience);
        let Way::Vsock(connection) = &self.way else { return };
        let seconds = libc::c_int::try_from(patience.as_secs()).unwrap_or(libc::c_int::MAX);
        // Where it cannot linger, it is closed at once.
        let _ = setsockopt(connection, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: seconds });
        let log = self.log.take();
        *self = Self { log, ..Self::of_init() };
    }

    /// Writes what waits, and has the terminal send it, as long as the host has read something within the patience. The power
    /// goes off behind this, and takes with it what a serial port has not sent yet. The host has [`MOST_LAST_WORDS`] in all.
    pub fn flush(&mut self, patience: Duration) {
        let most = Instant::now() + MOST_LAST_WORDS;
        self.write();
        while let Some(descriptor) = self.waits_for().filter(|_| Instant::now() < most) {
            let timeout = PollTimeout::try_from(patience).unwrap_or(PollTimeout::MAX);
            match poll(&mut [PollFd::new(descriptor, PollFlags::POLLOUT)], timeout) {
                Ok(0) => return,
                Ok(_) | Err(nix::Error::EINTR) => self.write(),
                Err(_) => return,
            }
        }
        let Way::Console(console) = &self.way else { return };
        let Ok(console) = console.try_clone() else { return };
        // There is no way to wait for a terminal with a limit but in another thread.
        let (done, wait) = mpsc::channel();
        std::thread::spawn(move || {
            let _ = tcdrain(&console);
            let _ = done.send(());
        });
        let _ = wait.recv_timeout(patience);
    }
}

impl Way {
    fn descriptor(&self) -> BorrowedFd<'_> {
        match self {
            Self::Console(console) => console.as_fd(),
            Self::Vsock(connection) => connection.as_fd(),
            Self::Output(output) => output.as_fd(),
            Self::Given(descriptor) => descriptor.as_fd(),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Console(console) => console.write(bytes),
            Self::Vsock(connection) => Ok(nix::unistd::write(connection, bytes)?),
            Self::Output(output) => write_if_ready(output.as_fd(), bytes),
            Self::Given(descriptor) => write_if_ready(descriptor.as_fd(), bytes),
        }
    }
}

/// Writes to what may make its writers wait, once it takes something.
fn write_if_ready(descriptor: BorrowedFd<'_>, bytes: &[u8]) -> io::Result<usize> {
    let mut descriptors = [PollFd::new(descriptor, PollFlags::POLLOUT)];
    if poll(&mut descriptors, PollTimeout::ZERO)? == 0 {
        return Err(io::ErrorKind::WouldBlock.into());
    }
    Ok(nix::unistd::write(descriptor, bytes)?)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    use nex_protocol::{Decoder, Item, Output, Source, Stream};

    use super::*;

    fn output(text: &[u8]) -> Event {
        let (source, stream) = (Source::Workload, Stream::Out);
        Event::Output(Output { source, stream, uptime_ms: 1, text: text.to_vec(), line_ends: true })
    }

    fn decode(bytes: &[u8]) -> Vec<Item> {
        let mut decoder = Decoder::new();
        decoder.push(bytes).into_iter().chain(decoder.finish()).collect()
    }

    #[test]
    fn output_that_cannot_be_written_is_counted_and_told() {
        // It takes no byte: the disk is full.
        let full = File::options().write(true).open("/dev/full").expect("every Linux has it");
        let mut host = Host::new(Way::Console(full), None);
        host.tell(&output(b"lost"));
        host.tell(&output(b"lost too"));
        assert_eq!((host.dropped, host.waiting.len()), (14, 0));

        let mut disk = tempfile::tempfile().expect("a temporary file");
        host.way = Way::Console(disk.try_clone().expect("a descriptor"));
        host.tell(&output(b"kept"));
        let mut written = Vec::new();
        std::io::Seek::rewind(&mut disk).and_then(|()| disk.read_to_end(&mut written)).expect("readable");
        let items: Vec<Item> = decode(&written).into_iter().filter(|item| matches!(item, Item::Event(_))).collect();
        assert_eq!(items, [Item::Event(Event::Dropped { bytes: 14 }), Item::Event(output(b"kept"))]);
    }

    #[test]
    fn a_connection_gets_all_lines_from_then_on_counted_anew() {
        let before = tempfile::tempfile().expect("a temporary file");
        let mut host = Host::new(Way::Console(before), None);
        host.note("going on elsewhere");
        let (ours, mut theirs) = UnixStream::pair().expect("a socket");
        host.go_on_by(ours.into());
        host.tell(&output(b"one"));
        host.tell(&output(b"two"));
        drop(host);
        let mut read = Vec::new();
        theirs.read_to_end(&mut read).expect("readable");
        assert_eq!(decode(&read), [Item::Event(output(b"one")), Item::Event(output(b"two"))]);
    }
}
