//! A client's stream that is passed on to the guest, and back.

use nex_channel::{Exit, Flow, Guest, Host, Signal, StreamId};
use nex_contract::{Request, TerminalSize};

use crate::supervisor::clients::Key;

/// A stream of a client's, and that of the guest's which stands for it.
#[derive(Debug)]
pub struct Relay {
    /// Whose it is.
    pub client: Key,
    /// Its number in the client's session.
    pub stream: StreamId,
    phase: Phase,
    /// Signals and sizes that came before the guest could be asked.
    early: Vec<Early>,
}

#[derive(Debug)]
enum Phase {
    /// The guest cannot be asked yet.
    Waits(Box<Request>),
    /// It goes on by this stream of the guest's.
    Goes(StreamId),
    /// The guest's stream has ended, and what it wrote is still on its way.
    Ends(StreamId, End),
    Over,
}

#[derive(Clone, Debug)]
enum End {
    Exit(Exit),
    Reset(String),
}

#[derive(Debug)]
enum Early {
    Signal(Signal),
    Size(TerminalSize),
}

/// As many signals and sizes are kept for later.
const MOST_EARLY: usize = 16;

impl Relay {
    /// A stream whose request waits until the guest can be asked.
    pub fn new(client: Key, stream: StreamId, request: Request) -> Self {
        Self { client, stream, phase: Phase::Waits(Box::new(request)), early: Vec::new() }
    }

    /// Whether it is this one of this client's.
    pub fn is(&self, client: Key, stream: StreamId) -> bool {
        self.client == client && self.stream == stream && !self.is_over()
    }

    /// The guest's stream.
    pub fn guest(&self) -> Option<StreamId> {
        match self.phase {
            Phase::Goes(guest) | Phase::Ends(guest, _) => Some(guest),
            Phase::Waits(_) | Phase::Over => None,
        }
    }

    /// Asks the guest, which has a session now.
    pub fn open(&mut self, host: &mut Host, client: &mut Guest) {
        let Phase::Waits(request) = &self.phase else { return };
        match host.open(request) {
            Ok(guest) => {
                self.phase = Phase::Goes(guest);
                for early in self.early.drain(..) {
                    match early {
                        Early::Signal(signal) => _ = host.signal(guest, signal),
                        Early::Size(size) => host.resize(guest, size),
                    }
                }
            }
            Err(error) => {
                client.refuse(self.stream, &error.to_string());
                self.phase = Phase::Over;
            }
        }
    }

    /// Passes a signal on.
    pub fn signal(&mut self, host: Option<&mut Host>, signal: Signal) {
        match (&self.phase, host) {
            // One that finds no room is one of many.
            (Phase::Goes(guest), Some(host)) => _ = host.signal(*guest, signal),
            (Phase::Waits(_), _) => self.keep(Early::Signal(signal)),
            _ => {}
        }
    }

    /// Passes the size of the client's terminal on.
    pub fn resize(&mut self, host: Option<&mut Host>, size: TerminalSize) {
        match (&self.phase, host) {
            (Phase::Goes(guest), Some(host)) => host.resize(*guest, size),
            (Phase::Waits(_), _) => self.keep(Early::Size(size)),
            _ => {}
        }
    }

    fn keep(&mut self, early: Early) {
        if self.early.len() < MOST_EARLY {
            self.early.push(early);
        }
    }

    /// The client gives the stream up, or is gone.
    pub fn give_up(&mut self, host: Option<&mut Host>, client: Option<&mut Guest>, reason: &str) {
        match (&self.phase, host) {
            // The guest confirms it, and then the client learns it.
            (Phase::Goes(guest), Some(host)) => _ = host.reset(*guest, reason),
            (Phase::Ends(..), _) => {}
            _ => {
                if let Some(client) = client {
                    client.refuse(self.stream, "given up");
                }
                self.phase = Phase::Over;
            }
        }
    }

    /// The guest has taken the request.
    pub fn opened(&self, client: &mut Guest) {
        client.accept(self.stream);
    }

    /// What was asked for has ended, so.
    pub fn exit(&mut self, exit: Exit) {
        self.end(End::Exit(exit));
    }

    /// The guest has refused the request, or given the stream up.
    pub fn reset(&mut self, reason: String) {
        self.end(End::Reset(reason));
    }

    fn end(&mut self, end: End) {
        if let Phase::Goes(guest) = self.phase {
            self.phase = Phase::Ends(guest, end);
        }
    }

    /// Nothing more comes from the guest: a stream that has not ended never will.
    pub fn finish(&mut self, client: Option<&mut Guest>, reason: &str) {
        if !matches!(self.phase, Phase::Ends(..)) {
            self.lose(client, reason);
        }
    }

    /// There is no session in which it could go on.
    pub fn lose(&mut self, client: Option<&mut Guest>, reason: &str) {
        if let Some(client) = client {
            client.refuse(self.stream, reason);
        }
        self.phase = Phase::Over;
    }

    /// Moves what can be moved; without a client, what comes from the guest is dropped.
    pub fn pump(&mut self, host: &mut Host, client: Option<&mut Guest>) {
        let Some(guest) = self.guest() else { return };
        let Some(client) = client else {
            for flow in [Flow::Stdout, Flow::Stderr] {
                while let count @ 1.. = host.held(guest, flow).len() {
                    host.consume(guest, flow, count);
                }
            }
            if matches!(self.phase, Phase::Ends(..)) {
                self.phase = Phase::Over;
            }
            return;
        };
        loop {
            let count = host.send(guest, client.held(self.stream));
            if count == 0 {
                break;
            }
            client.consume(self.stream, count);
        }
        if client.has_ended(self.stream) {
            host.finish(guest);
        }
        for flow in [Flow::Stdout, Flow::Stderr] {
            loop {
                let count = client.send(self.stream, flow, host.held(guest, flow));
                if count == 0 {
                    break;
                }
                host.consume(guest, flow, count);
            }
        }
        let is_empty = [Flow::Stdout, Flow::Stderr].into_iter().all(|flow| host.held(guest, flow).is_empty());
        if let Phase::Ends(_, end) = &self.phase
            && is_empty
        {
            match end.clone() {
                End::Exit(exit) => client.exit(self.stream, exit),
                End::Reset(reason) => client.refuse(self.stream, &reason),
            }
            self.phase = Phase::Over;
            return;
        }
        for flow in [Flow::Stdout, Flow::Stderr] {
            if host.has_ended(guest, flow) && matches!(self.phase, Phase::Goes(_)) {
                client.finish(self.stream, flow);
            }
        }
    }

    /// Whether there is nothing more to pass on.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }
}
