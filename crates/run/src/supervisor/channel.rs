//! The supervisor's own session of the channel with the guest, and what goes through it.

use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nex_channel::{Carrier, Exit, Flow, Host, HostEvent, HostOptions, Signal, StreamId};
use nex_contract::{Attach, Request, Stdin, TerminalSize};
use nex_guest::{Session, Waker};
use nex_protocol::Stream;
use nex_vmm::ChannelDevice;

use crate::supervisor::clients::{Clients, Key};
use crate::supervisor::frames::Said;
use crate::supervisor::link::Link;
use crate::supervisor::output::Output;
use crate::supervisor::reach::Reach;
use crate::supervisor::relay::Relay;

/// How many bytes of each flow are held of the guest.
const WINDOW: u32 = 64 << 10;

/// How long the agent of a guest that is up may take to answer: it serves the channel from before then on.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why an agent does not answer.
const UNANSWERED: &str =
    "the guest does not answer on its channel: its kernel has no driver for it, or its agent hangs";

/// The session, and what goes through it.
#[derive(Debug)]
pub struct Channel {
    reach: Reach,
    state: State,
    relays: Vec<Relay>,
    /// The stream of the guest's own program, once that was asked for.
    program: Option<StreamId>,
    /// How that has ended.
    exit: Option<Exit>,
    /// The size that its terminal has.
    size: Option<TerminalSize>,
    /// Why nothing more comes from the guest; what has come is still on its way to clients.
    ending: Option<String>,
    /// Until when the agent has to have answered, once the guest is up.
    answer_until: Option<Instant>,
}

#[derive(Debug)]
enum State {
    /// It is not open yet.
    Opening,
    /// The guest has not answered yet.
    Greeted(Box<Link<Host>>),
    /// The guest can be asked.
    Runs(Box<Link<Host>>),
    /// It is over, or never was, for this reason.
    Over(String),
}

impl Channel {
    /// That of a guest that has just been started.
    pub fn new(reach: Reach) -> Self {
        let state = match &reach {
            Reach::Without(why) => State::Over(why.clone()),
            Reach::Others | Reach::All(_) => State::Opening,
        };
        Self {
            reach,
            state,
            relays: Vec::new(),
            program: None,
            exit: None,
            size: None,
            ending: None,
            answer_until: None,
        }
    }

    /// Another guest takes its place. Those who wait for the channel go on to wait.
    pub fn restart(&mut self) {
        let relays = std::mem::take(&mut self.relays);
        *self = Self { relays, size: self.size, ..Self::new(self.reach.clone()) };
    }

    fn link(&self) -> Option<&Link<Host>> {
        match &self.state {
            State::Greeted(link) | State::Runs(link) => Some(link),
            State::Opening | State::Over(_) => None,
        }
    }

    /// The session, once the guest can be asked.
    fn host(&mut self) -> Option<&mut Host> {
        host(&mut self.state)
    }

    /// What is waited for.
    pub fn waker(&self) -> Option<Waker<'_>> {
        let link = self.link().filter(|link| !link.is_closed());
        link.map(|link| Waker { file: link.as_fd(), interest: link.interest() })
    }

    /// Takes the channel where it has come to be open.
    ///
    /// # Errors
    /// When the system gives no random number.
    pub fn open(&mut self, session: &mut Session) -> io::Result<()> {
        if !matches!(self.state, State::Opening) {
            return Ok(());
        }
        let Some(stream) = session.take_channel() else { return Ok(()) };
        let carrier = match session.choice().vmm.channel_device() {
            ChannelDevice::VirtioSerial => Carrier::Port,
            ChannelDevice::Vsock => Carrier::Connection,
        };
        let options = HostOptions { carrier, session: random()?, window: WINDOW };
        self.state = State::Greeted(Box::new(Link::new(stream, Host::new(options), Vec::new())?));
        Ok(())
    }

    /// The guest is up, so that its agent has to answer soon.
    pub fn expect_answer(&mut self, now: Instant) {
        self.answer_until.get_or_insert(now + PATIENCE);
    }

    /// Until when the agent has to answer, if it has not.
    pub fn deadline(&self) -> Option<Instant> {
        self.answer_until.filter(|_| matches!(self.state, State::Opening | State::Greeted(_)))
    }

    /// Gives a guest up that has not answered in time: those who wait for it are refused.
    pub fn expire(&mut self, now: Instant, clients: &mut Clients) {
        if self.deadline().is_some_and(|deadline| deadline <= now) {
            self.finish(UNANSWERED, clients);
        }
    }

    /// Takes what the guest has sent.
    pub fn read(&mut self, clients: &mut Clients) {
        let events = match &mut self.state {
            State::Greeted(link) | State::Runs(link) => link.read(),
            State::Opening | State::Over(_) => return,
        };
        for event in events {
            self.take(event, clients);
        }
        if self.link().is_some_and(Link::is_closed) {
            self.finish("the guest's channel has ended", clients);
        }
    }

    fn take(&mut self, event: HostEvent, clients: &mut Clients) {
        match event {
            HostEvent::Ready(_) => self.begin(clients),
            HostEvent::Closed => self.finish("the guest ends", clients),
            HostEvent::Exit(id, exit) if self.program == Some(id) => self.exit = Some(exit),
            // The agent's lines say what has become of the program.
            HostEvent::Reset(id, _) if self.program == Some(id) => self.program = None,
            HostEvent::Opened(id) => {
                if let Some(relay) = self.relays.iter().find(|relay| relay.guest() == Some(id))
                    && let Some(client) = clients.session(relay.client)
                {
                    relay.opened(client);
                }
            }
            HostEvent::Exit(id, exit) => self.relay(id).into_iter().for_each(|relay| relay.exit(exit.clone())),
            HostEvent::Reset(id, reason) => self.relay(id).into_iter().for_each(|relay| relay.reset(reason.clone())),
            HostEvent::Data(..) | HostEvent::Eof(..) => {}
        }
    }

    fn relay(&mut self, guest: StreamId) -> Option<&mut Relay> {
        self.relays.iter_mut().find(|relay| relay.guest() == Some(guest))
    }

    /// The guest can be asked: for its own program, and for what clients have waited for.
    fn begin(&mut self, clients: &mut Clients) {
        self.state = match std::mem::replace(&mut self.state, State::Opening) {
            State::Greeted(link) => State::Runs(link),
            state => state,
        };
        let Some(host) = host(&mut self.state) else { return };
        if let Reach::All(stdin) = self.reach {
            let attach = Request::Attach(Attach { stdin, size: self.size });
            self.program = host.open(&attach).ok();
        }
        for relay in &mut self.relays {
            if let Some(client) = clients.session(relay.client) {
                relay.open(host, client);
            }
        }
    }

    /// Does what a client has said about its streams, or about the program.
    pub fn obey(&mut self, client: Key, said: Said, clients: &mut Clients) {
        match said {
            Said::Attached(size) => self.size(size),
            Said::ProgramSize(size) => self.size(Some(size)),
            Said::ProgramSignal(signal) => _ = self.signal(signal),
            Said::Open(stream, request) => self.ask(Relay::new(client, stream, request), clients),
            Said::Signal(stream, signal) => {
                let host = host(&mut self.state);
                if let Some(relay) = self.relays.iter_mut().find(|relay| relay.is(client, stream)) {
                    relay.signal(host, signal);
                }
            }
            Said::Resize(stream, size) => {
                let host = host(&mut self.state);
                if let Some(relay) = self.relays.iter_mut().find(|relay| relay.is(client, stream)) {
                    relay.resize(host, size);
                }
            }
            Said::Reset(stream, reason) => {
                let host = host(&mut self.state);
                match self.relays.iter_mut().find(|relay| relay.is(client, stream)) {
                    Some(relay) => relay.give_up(host, clients.session(client), &reason),
                    None => clients.session(client).into_iter().for_each(|client| client.refuse(stream, "given up")),
                }
            }
        }
    }

    fn ask(&mut self, mut relay: Relay, clients: &mut Clients) {
        let client = clients.session(relay.client);
        if let Some(why) = &self.ending {
            return relay.lose(client, why);
        }
        match (&mut self.state, client) {
            (State::Runs(link), Some(client)) => relay.open(&mut link.end, client),
            (State::Over(why), client) => relay.lose(client, &format!("nothing can be started in the guest: {why}")),
            _ => {}
        }
        if !relay.is_over() {
            self.relays.push(relay);
        }
    }

    /// A client is gone, and all that it wanted is given up.
    pub fn forget(&mut self, client: Key) {
        for relay in self.relays.iter_mut().filter(|relay| relay.client == client) {
            relay.give_up(host(&mut self.state), None, "the client is gone");
        }
    }

    fn size(&mut self, size: Option<TerminalSize>) {
        let Some(size) = size else { return };
        self.size = Some(size);
        if let Some((program, host)) = self.program.zip(host(&mut self.state)) {
            host.resize(program, size);
        }
    }

    /// Sends the program a signal.
    ///
    /// # Errors
    /// When there is no way to the program, which the text says; or when too many wait already.
    pub fn signal(&mut self, signal: Signal) -> Result<(), String> {
        let program = self.program;
        let Some((host, program)) = self.host().zip(program) else { return Err(self.why_not()) };
        if host.signal(program, signal) { Ok(()) } else { Err("it has not taken those before".into()) }
    }

    /// Why the program cannot be reached.
    fn why_not(&self) -> String {
        match (&self.reach, &self.state) {
            (_, State::Over(why)) => why.clone(),
            (Reach::Without(why), _) => why.clone(),
            (Reach::Others, _) => "its streams are not the channel's".into(),
            (Reach::All(_), _) => "it is not started yet, or has ended".into(),
        }
    }

    /// Moves what can be moved between the guest and the clients.
    pub fn pump(&mut self, clients: &mut Clients, output: &mut Output) {
        self.pump_program(clients, output);
        if let Some(host) = host(&mut self.state) {
            for relay in &mut self.relays {
                relay.pump(host, clients.session(relay.client));
            }
        }
        self.relays.retain(|relay| !relay.is_over());
        if let State::Greeted(link) | State::Runs(link) = &mut self.state {
            link.flush();
        }
        // The answer to the guest's CLOSE would be lost with the socket: that stays until the guest's end of it is gone.
        if let Some(why) = &self.ending
            && self.relays.is_empty()
            && self.is_drained()
            && self.link().is_some_and(Link::is_closed)
        {
            self.state = State::Over(why.clone());
        }
    }

    fn pump_program(&mut self, clients: &mut Clients, output: &mut Output) {
        let (program, is_input) = (self.program, self.reach == Reach::All(Stdin::Stream));
        let Some(host) = self.host() else {
            // What is not the program's goes nowhere.
            if !is_input {
                clients.input(&mut |bytes| bytes.len());
            }
            return;
        };
        if let Some(program) = program {
            for (flow, stream) in [(Flow::Stdout, Stream::Out), (Flow::Stderr, Stream::Err)] {
                while output.is_empty() && !host.held(program, flow).is_empty() {
                    let count = output.push(stream, host.held(program, flow));
                    host.consume(program, flow, count);
                    output.settle();
                    clients.distribute(output);
                }
            }
        }
        match program.filter(|_| is_input) {
            Some(program) => {
                let given = clients.input(&mut |bytes| host.send(program, bytes));
                if given.is_ended {
                    host.finish(program);
                }
            }
            None => _ = clients.input(&mut |bytes| bytes.len()),
        }
    }

    /// Whether all that the program has written has come, as far as it comes this way.
    pub fn is_drained(&self) -> bool {
        match (&self.state, self.program) {
            (State::Runs(link), Some(program)) => {
                (self.exit.is_some() || self.ending.is_some())
                    && [Flow::Stdout, Flow::Stderr].into_iter().all(|flow| link.end.held(program, flow).is_empty())
            }
            _ => true,
        }
    }

    /// Nothing more comes from the guest. What has come goes on to those who wait for it.
    pub fn finish(&mut self, why: &str, clients: &mut Clients) {
        for relay in &mut self.relays {
            relay.finish(clients.session(relay.client), why);
        }
        match self.state {
            State::Runs(_) => _ = self.ending.get_or_insert_with(|| why.to_owned()),
            State::Opening | State::Greeted(_) => self.state = State::Over(why.to_owned()),
            State::Over(_) => {}
        }
    }

    /// Whether something of the guest is still on its way to clients.
    pub fn has_rest(&self) -> bool {
        matches!(self.state, State::Runs(_)) && !(self.relays.is_empty() && self.is_drained())
    }
}

fn host(state: &mut State) -> Option<&mut Host> {
    match state {
        State::Runs(link) => Some(&mut link.end),
        State::Greeted(_) | State::Opening | State::Over(_) => None,
    }
}

/// The number of a session on a port, which a guest must not know before.
fn random() -> io::Result<u64> {
    let mut bytes = [0; 8];
    let count = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())?;
    if count == bytes.len() { Ok(u64::from_le_bytes(bytes)) } else { Err(io::Error::other("too few random bytes")) }
}

#[cfg(test)]
mod tests;
