//! All clients of a guest: its starter, and those at its socket.

use std::collections::BTreeMap;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use nex_channel::{Exit, Guest};
use nex_fault::Fault;
use nex_guest::{Interest, Waker};
use nex_protocol::Stream;
use nex_supervise::api::{Answer, Failure, Request};

use crate::supervisor::frames::{Frames, Given, Program, Said};
use crate::supervisor::lines::Lines;
use crate::supervisor::output::Output;
use crate::supervisor::refusal::Refusal;
use crate::supervisor::socket::{Peer, Socket};

/// As many are served at once.
const MOST: usize = 64;

/// A client; no other one has the same as long as the supervisor is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(u64);

impl Key {
    /// The one who has started the supervisor.
    pub(super) const STARTER: Self = Self(0);
}

#[derive(Debug)]
enum Client {
    Lines(Lines),
    Frames(Box<Frames>),
}

/// What a client wants.
#[derive(Debug)]
pub enum Wish {
    /// It has asked for something that is answered in a line.
    Request(Request, Peer),
    /// It has said something in its session.
    Said(Said),
}

/// What is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready {
    /// Somebody wants to connect.
    Socket,
    /// A client has something, or takes something.
    Client(Key),
}

/// All clients.
#[derive(Debug)]
pub struct Clients {
    socket: Option<Socket>,
    clients: BTreeMap<Key, Client>,
    next: u64,
    program: Program,
}

impl Clients {
    /// None but the starter, if it has a session for its output.
    ///
    /// # Errors
    /// When its socket cannot be had without waiting.
    pub fn new(starter: Option<UnixStream>) -> std::io::Result<Self> {
        let mut clients = BTreeMap::new();
        if let Some(stream) = starter {
            let (frames, _) = Frames::new(stream, Program::Awaited, Vec::new(), &[])?;
            clients.insert(Key::STARTER, Client::Frames(Box::new(frames)));
        }
        Ok(Self { socket: None, clients, next: 1, program: Program::Awaited })
    }

    /// Lets others connect.
    pub fn listen(&mut self, socket: Socket) {
        self.socket = Some(socket);
    }

    /// Lets nobody connect any more.
    pub fn close(&mut self) {
        self.socket = None;
    }

    /// What is waited for.
    pub fn wakers(&self) -> impl Iterator<Item = (Ready, Waker<'_>)> {
        let socket = self.socket.as_ref().map(|socket| (Ready::Socket, Waker::read(socket.as_fd())));
        let clients = self.clients.iter().map(|(key, client)| (Ready::Client(*key), client.waker()));
        socket.into_iter().chain(clients)
    }

    /// When something has to be looked at, though nothing comes.
    pub fn deadline(&self) -> Option<Instant> {
        self.clients.values().filter_map(Client::deadline).min()
    }

    /// Does what can be done with what is ready, and gives what is wanted.
    pub fn advance(&mut self, ready: Ready) -> Vec<(Key, Wish)> {
        match ready {
            Ready::Socket => {
                self.accept();
                Vec::new()
            }
            Ready::Client(key) => self.read(key),
        }
    }

    fn accept(&mut self) {
        while let Some((stream, peer)) = self.socket.as_ref().and_then(Socket::accept) {
            let Ok(mut lines) = Lines::new(stream, peer) else { continue };
            if self.clients.len() >= MOST {
                lines.answer(&Answer::Error(failure(&Refusal::TooMany)));
                continue;
            }
            self.clients.insert(Key(self.next), Client::Lines(lines));
            self.next += 1;
        }
    }

    fn read(&mut self, key: Key) -> Vec<(Key, Wish)> {
        let wishes: Vec<Wish> = match self.clients.get_mut(&key) {
            Some(Client::Lines(lines)) => match lines.read() {
                Some(Ok(Request::Channel {})) => return self.begin_session(key),
                Some(Ok(request)) => vec![Wish::Request(request, lines.peer)],
                Some(Err(error)) => {
                    lines.answer(&Answer::Error(failure(&error)));
                    Vec::new()
                }
                None => Vec::new(),
            },
            Some(Client::Frames(frames)) => frames.read().into_iter().map(Wish::Said).collect(),
            None => Vec::new(),
        };
        wishes.into_iter().map(|wish| (key, wish)).collect()
    }

    fn begin_session(&mut self, key: Key) -> Vec<(Key, Wish)> {
        let Some(Client::Lines(lines)) = self.clients.remove(&key) else { return Vec::new() };
        let begun =
            lines.into_channel().and_then(|(stream, answer, begun)| Frames::new(stream, self.program, answer, &begun));
        // A connection that cannot be used is closed.
        let Ok((frames, said)) = begun else { return Vec::new() };
        self.clients.insert(key, Client::Frames(Box::new(frames)));
        said.into_iter().map(|said| (key, Wish::Said(said))).collect()
    }

    /// Sends what waits, and gives those that are gone, or took too long to say what they want: they are clients no more.
    pub fn flush(&mut self) -> Vec<Key> {
        for client in self.clients.values_mut() {
            match client {
                Client::Lines(lines) => lines.flush(),
                Client::Frames(frames) => frames.link.flush(),
            }
        }
        let gone: Vec<Key> = self.clients.iter().filter(|(_, client)| client.is_gone()).map(|(key, _)| *key).collect();
        for key in &gone {
            self.clients.remove(key);
        }
        gone
    }

    /// Lets all go but the starter, and gives them: they are clients no more.
    pub fn dismiss_others(&mut self) -> Vec<Key> {
        let others: Vec<Key> = self.clients.keys().copied().filter(|key| *key != Key::STARTER).collect();
        for key in &others {
            self.clients.remove(key);
        }
        others
    }

    fn lines(&mut self, key: Key) -> Option<&mut Lines> {
        match self.clients.get_mut(&key) {
            Some(Client::Lines(lines)) => Some(lines),
            _ => None,
        }
    }

    /// Answers a client's request, and lets it go.
    pub fn answer(&mut self, key: Key, answer: &Answer) {
        self.lines(key).into_iter().for_each(|lines| lines.answer(answer));
    }

    /// Keeps a client until the guest's end.
    pub fn wait(&mut self, key: Key) {
        self.lines(key).into_iter().for_each(Lines::wait);
    }

    /// Tells a client what happens from now on.
    pub fn watch(&mut self, key: Key) {
        self.lines(key).into_iter().for_each(Lines::watch);
    }

    /// A client's session.
    pub fn session(&mut self, key: Key) -> Option<&mut Guest> {
        match self.clients.get_mut(&key) {
            Some(Client::Frames(frames)) => Some(&mut frames.link.end),
            _ => None,
        }
    }

    fn all_frames(&mut self) -> impl Iterator<Item = &mut Frames> {
        self.clients.values_mut().filter_map(|client| match client {
            Client::Frames(frames) => Some(&mut **frames),
            Client::Lines(_) => None,
        })
    }

    fn all_lines(&mut self) -> impl Iterator<Item = &mut Lines> {
        self.clients.values_mut().filter_map(|client| match client {
            Client::Lines(lines) => Some(lines),
            Client::Frames(_) => None,
        })
    }

    /// Gives output to all who are connected with the program, as much as all of them take.
    pub fn distribute(&mut self, output: &mut Output) {
        while let Some((stream, bytes)) = output.next() {
            let room = self.room(stream).min(bytes.len());
            if room == 0 {
                return;
            }
            let piece = bytes.get(..room).unwrap_or_default();
            self.all_frames().for_each(|frames| frames.give(stream, piece));
            output.advance(room);
        }
    }

    /// How many bytes of output all take who are connected with the program; none before the starter is.
    fn room(&self, stream: Stream) -> usize {
        let room = |client: &Client| match client {
            Client::Frames(frames) => frames.room(stream),
            Client::Lines(_) => usize::MAX,
        };
        let is_awaited = match self.clients.get(&Key::STARTER) {
            Some(Client::Frames(starter)) => !starter.was_attached,
            _ => false,
        };
        if is_awaited { 0 } else { self.clients.values().map(room).min().unwrap_or(usize::MAX) }
    }

    /// The program's standard input, from all who give it one: what `taker` does not take waits. It has ended when the last of them has
    /// sent its end.
    pub fn input(&mut self, taker: &mut dyn FnMut(&[u8]) -> usize) -> Given {
        let all = self.all_frames().map(|frames| frames.input(taker)).fold(Given::default(), |all, given| Given {
            is_open: all.is_open || given.is_open,
            is_ended: all.is_ended || given.is_ended,
        });
        Given { is_ended: all.is_ended && !all.is_open, ..all }
    }

    /// The program is about to start, or has: those who want to be connected with it are.
    pub fn open(&mut self) {
        if self.program == Program::Awaited {
            self.program = Program::Here;
            self.all_frames().for_each(Frames::open);
        }
    }

    /// The program has ended, so.
    pub fn exit(&mut self, exit: &Exit) {
        self.all_frames().for_each(|frames| frames.exit(exit));
    }

    /// Nobody will know how the program has ended.
    pub fn refuse(&mut self, reason: &str) {
        self.all_frames().for_each(|frames| frames.refuse(reason));
    }

    /// Tells those who watch what is new in the journal, which is read only where somebody does.
    pub fn tell(&mut self, journal: impl FnOnce() -> Vec<u8>) {
        if self.all_lines().any(|lines| lines.watches()) {
            let journal = journal();
            self.all_lines().for_each(|lines| lines.tell(&journal));
        }
    }

    /// The guest has ended: tells those who wait for that, and lets those go who watch.
    pub fn finish(&mut self, answer: &Answer) {
        for lines in self.all_lines() {
            if lines.waits() {
                lines.answer(answer);
            }
            lines.finish();
        }
    }

    /// Whether a client has not got all of what it was sent.
    pub fn are_waiting(&self) -> bool {
        self.clients.values().any(Client::is_waiting)
    }

    /// Whether the starter has not got all of its output.
    pub fn starter_is_waiting(&self) -> bool {
        self.clients.get(&Key::STARTER).is_some_and(Client::is_waiting)
    }
}

impl Client {
    fn waker(&self) -> Waker<'_> {
        let (file, interest): (BorrowedFd<'_>, Interest) = match self {
            Self::Lines(lines) => (lines.as_fd(), lines.interest()),
            Self::Frames(frames) => (frames.link.as_fd(), frames.link.interest()),
        };
        Waker { file, interest }
    }

    fn deadline(&self) -> Option<Instant> {
        match self {
            Self::Lines(lines) => lines.deadline(),
            Self::Frames(_) => None,
        }
    }

    fn is_gone(&self) -> bool {
        match self {
            Self::Lines(lines) => lines.is_gone(),
            Self::Frames(frames) => frames.link.is_closed(),
        }
    }

    fn is_waiting(&self) -> bool {
        match self {
            Self::Lines(lines) => lines.is_waiting(),
            Self::Frames(frames) => frames.is_waiting(),
        }
    }
}

/// An error as programs get it. No setting of a command has to do with those of a supervisor.
pub fn failure(error: &dyn Fault) -> Failure {
    Failure::of(error, |setting| setting.name().to_owned())
}
