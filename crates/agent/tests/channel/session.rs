//! A host, which waits for what it expects.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nex_channel::{Carrier, Exit, Flow, Host, HostEvent, HostOptions, Signal, StreamId};
use nex_contract::{Attach, ByteString, Exec, Request, Stdin, Terminal, TerminalSize};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The host's end of a session.
pub struct Session {
    host: Host,
    stream: UnixStream,
    /// What each output has brought, without what was taken out.
    outputs: BTreeMap<(u32, u8), Vec<u8>>,
    ends: BTreeMap<u32, HostEvent>,
    opened: BTreeSet<u32>,
    /// Streams whose outputs nobody reads.
    stalled: BTreeSet<u32>,
    closed: bool,
}

/// What came of a program.
#[derive(Debug, PartialEq)]
pub struct Outcome {
    pub out: String,
    pub err: String,
    pub exit: Exit,
}

/// A program with arguments, without input.
pub fn exec(argv: &[&str]) -> Exec {
    Exec { argv: argv.iter().map(|word| ByteString::new(*word).expect("no zero")).collect(), ..Exec::default() }
}

/// The same with input.
pub fn exec_with_input(argv: &[&str]) -> Exec {
    Exec { stdin: Stdin::Stream, ..exec(argv) }
}

/// The same with a terminal.
pub fn exec_with_terminal(argv: &[&str]) -> Exec {
    let terminal = Terminal { size: TerminalSize { rows: 30, columns: 90 }, term: "vt220".into() };
    Exec { terminal: Some(terminal), ..exec_with_input(argv) }
}

impl Session {
    /// Begins a session on a connection.
    pub fn begin(stream: UnixStream) -> Self {
        Self::begin_with(stream, HostOptions::default())
    }

    /// Begins a session of this number on a port, which may have had another.
    pub fn begin_on_port(stream: UnixStream, session: u64) -> Self {
        Self::begin_with(stream, HostOptions { carrier: Carrier::Port, session, ..HostOptions::default() })
    }

    fn begin_with(stream: UnixStream, options: HostOptions) -> Self {
        stream.set_nonblocking(false).expect("a socket");
        stream.set_read_timeout(Some(Duration::from_millis(100))).expect("a socket");
        let mut session = Self {
            host: Host::new(options),
            stream,
            outputs: BTreeMap::new(),
            ends: BTreeMap::new(),
            opened: BTreeSet::new(),
            stalled: BTreeSet::new(),
            closed: false,
        };
        let (mut is_ready, start) = (false, Instant::now());
        while !is_ready {
            assert!(start.elapsed() < PATIENCE, "the guest says no HELLO");
            session.send();
            let bytes = session.read();
            is_ready = session.host.receive(&mut &bytes[..]).expect("no violation") == Some(HostEvent::Ready(1));
        }
        session
    }

    pub fn exec(&mut self, exec: Exec) -> StreamId {
        self.open(&Request::Exec(exec))
    }

    /// Attaches to the workload, with input.
    pub fn attach(&mut self) -> StreamId {
        self.open(&Request::Attach(Attach { stdin: Stdin::Stream, size: None }))
    }

    pub fn open(&mut self, request: &Request) -> StreamId {
        let stream = self.host.open(request).expect("a stream");
        self.send();
        stream
    }

    /// Runs a program to its end with this input.
    pub fn run(&mut self, exec: Exec, mut input: &[u8]) -> Outcome {
        let has_input = exec.stdin == Stdin::Stream;
        let stream = self.exec(exec);
        while !self.has_ended(stream) {
            input = &input[self.host.send(stream, input)..];
            if input.is_empty() && has_input {
                self.host.finish(stream);
            }
            self.step();
        }
        self.outcome(stream)
    }

    /// What came of a stream, at its end.
    pub fn outcome(&mut self, stream: StreamId) -> Outcome {
        let exit = match self.end(stream) {
            HostEvent::Exit(_, exit) => exit,
            other => panic!("{other:?}"),
        };
        let mut text = |flow: Flow| {
            let bytes = self.outputs.remove(&(stream.get(), flow.number())).unwrap_or_default();
            String::from_utf8(bytes).expect("text")
        };
        Outcome { out: text(Flow::Stdout), err: text(Flow::Stderr), exit }
    }

    /// How a stream ends.
    pub fn end(&mut self, stream: StreamId) -> HostEvent {
        self.until("the end of a stream", |session| session.ends.contains_key(&stream.get()));
        self.ends[&stream.get()].clone()
    }

    /// Why a stream is refused or given up.
    pub fn refusal(&mut self, stream: StreamId) -> String {
        match self.end(stream) {
            HostEvent::Reset(_, reason) => reason,
            other => panic!("{other:?}"),
        }
    }

    pub fn has_ended(&self, stream: StreamId) -> bool {
        self.ends.contains_key(&stream.get())
    }

    pub fn opened(&mut self, stream: StreamId) {
        self.until("OPENED", |session| session.opened.contains(&stream.get()));
    }

    /// Reads an output up to a text, which goes with what is before it.
    pub fn read_until(&mut self, stream: StreamId, flow: Flow, text: &str) -> String {
        let key = (stream.get(), flow.number());
        let place = |session: &Self| {
            let bytes = session.outputs.get(&key)?;
            bytes.windows(text.len()).position(|window| window == text.as_bytes())
        };
        self.until(text, |session| place(session).is_some());
        let end = place(self).expect("it is there") + text.len();
        let bytes = self.outputs.get_mut(&key).expect("it is there");
        String::from_utf8_lossy(&bytes.drain(..end).collect::<Vec<u8>>()).into_owned()
    }

    /// How many bytes of an output have come.
    pub fn count(&self, stream: StreamId, flow: Flow) -> usize {
        self.outputs.get(&(stream.get(), flow.number())).map_or(0, Vec::len)
    }

    /// Types or writes all of it.
    pub fn write(&mut self, stream: StreamId, mut bytes: &[u8]) {
        let start = Instant::now();
        while !bytes.is_empty() {
            assert!(start.elapsed() < PATIENCE && !self.has_ended(stream), "it takes no input: {:?}", self.ends);
            bytes = &bytes[self.host.send(stream, bytes)..];
            self.step();
        }
    }

    pub fn finish(&mut self, stream: StreamId) {
        self.host.finish(stream);
        self.send();
    }

    pub fn signal(&mut self, stream: StreamId, number: u8) {
        assert!(self.host.signal(stream, Signal::new(number).expect("a signal")));
        self.send();
    }

    pub fn resize(&mut self, stream: StreamId, rows: u16, columns: u16) {
        self.host.resize(stream, TerminalSize { rows, columns });
        self.send();
    }

    pub fn reset(&mut self, stream: StreamId) {
        self.host.reset(stream, "enough");
        self.send();
    }

    /// Reads a stream's outputs no more.
    pub fn stall(&mut self, stream: StreamId) {
        self.stalled.insert(stream.get());
    }

    /// Reads them again.
    pub fn go_on(&mut self, stream: StreamId) {
        self.stalled.remove(&stream.get());
        self.take(stream);
    }

    /// Steps for a while.
    pub fn pass(&mut self, time: Duration) {
        let until = Instant::now() + time;
        while Instant::now() < until {
            self.step();
        }
    }

    /// Waits until the guest has said CLOSE, and answers.
    pub fn closed(&mut self) {
        self.until("CLOSE", |session| session.closed);
        self.send();
    }

    /// The stream, for another session.
    pub fn leave(self) -> UnixStream {
        self.stream
    }

    pub fn close(&mut self) {
        self.host.close();
        self.closed();
    }

    /// Steps until something holds.
    pub fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        while !holds(self) {
            assert!(start.elapsed() < PATIENCE, "waited in vain: {what}; {:?}, {}", self.ends, self.tails());
            self.step();
        }
    }

    /// The ends of what has come, for messages.
    fn tails(&self) -> String {
        let tail = |bytes: &Vec<u8>| String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(100)..]).into_owned();
        self.outputs.iter().map(|(key, bytes)| format!("{key:?}: {} bytes, {:?}\n", bytes.len(), tail(bytes))).collect()
    }

    /// Sends what waits, and takes what has come.
    pub fn step(&mut self) {
        self.send();
        let bytes = self.read();
        let mut input = &bytes[..];
        while let Some(event) = self.host.receive(&mut input).expect("no violation") {
            match event {
                HostEvent::Data(stream, _) if !self.stalled.contains(&stream.get()) => self.take(stream),
                HostEvent::Opened(stream) => drop(self.opened.insert(stream.get())),
                HostEvent::Exit(stream, _) | HostEvent::Reset(stream, _) => drop(self.ends.insert(stream.get(), event)),
                HostEvent::Closed => self.closed = true,
                _ => {}
            }
        }
        self.send();
    }

    fn take(&mut self, stream: StreamId) {
        for flow in [Flow::Stdout, Flow::Stderr] {
            while !self.host.held(stream, flow).is_empty() {
                let held = self.host.held(stream, flow).to_vec();
                self.host.consume(stream, flow, held.len());
                self.outputs.entry((stream.get(), flow.number())).or_default().extend(held);
            }
        }
    }

    fn send(&mut self) {
        let mut out = Vec::new();
        self.host.transmit(&mut out, usize::MAX);
        // A guest that has hung up is seen by who reads.
        let _ = self.stream.write_all(&out);
    }

    fn read(&mut self) -> Vec<u8> {
        let mut buffer = vec![0; 100_000];
        match self.stream.read(&mut buffer) {
            Ok(count) => buffer.truncate(count),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => buffer.clear(),
            Err(_) => buffer.clear(),
        }
        buffer
    }
}
