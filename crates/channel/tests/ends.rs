//! Both ends against each other, over a carrier that cuts what it carries anywhere and has little room.

use std::collections::{BTreeMap, VecDeque};

use nex_channel::{
    Carrier, Exit, Flow, GivenUp, Guest, GuestEvent, GuestOptions, Host, HostEvent, HostOptions, MIN_ROOM, Signal,
    StreamId,
};
use nex_contract::{ByteString, Exec, Request, Stdin, TerminalSize};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// What happens on one stream.
#[derive(Clone, Debug)]
struct Plan {
    /// Bytes of each flow.
    lengths: [usize; 3],
    /// Bytes of the longest argument.
    argument: usize,
    signals: u8,
    ending: Ending,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    Exit,
    /// The program ends before it has read its input.
    EarlyExit,
    Refused,
    /// The host gives up, sooner or later.
    GivenUp,
}

#[derive(Clone, Debug)]
struct Setup {
    windows: (u32, u32),
    /// How many bytes the carrier holds in each direction.
    room: usize,
    carrier: Carrier,
    plans: Vec<Plan>,
    seed: u64,
}

fn setup() -> impl Strategy<Value = Setup> {
    let window = || prop_oneof![1 => 1..20u32, 2 => 20..5000u32, 2 => Just(nex_channel::WINDOW)];
    let length = || prop_oneof![Just(0), 1..50usize, 50..6000usize];
    let ending = prop_oneof![
        6 => Just(Ending::Exit), 1 => Just(Ending::EarlyExit), 1 => Just(Ending::Refused), 2 => Just(Ending::GivenUp)
    ];
    let plan = ([length(), length(), length()], prop_oneof![Just(1), 1..100_000usize], 0..5u8, ending)
        .prop_map(|(lengths, argument, signals, ending)| Plan { lengths, argument, signals, ending });
    let carrier = prop_oneof![Just(Carrier::Connection), Just(Carrier::Port)];
    let room = MIN_ROOM..100_000usize;
    ((window(), window()), room, carrier, prop::collection::vec(plan, 1..12), any::<u64>())
        .prop_map(|(windows, room, carrier, plans, seed)| Setup { windows, room, carrier, plans, seed })
}

/// The byte of a flow at a place.
fn content(stream: StreamId, flow: Flow, place: usize) -> u8 {
    (place as u32).wrapping_mul(2_654_435_761).wrapping_add(stream.get() * 3 + u32::from(flow.number())).to_le_bytes()
        [3]
}

fn piece(stream: StreamId, flow: Flow, from: usize, length: usize) -> Vec<u8> {
    (from..from + length).map(|place| content(stream, flow, place)).collect()
}

/// How far a stream is, at both ends.
#[derive(Debug, Default)]
struct Progress {
    sent: [usize; 3],
    taken: [usize; 3],
    signals: (u8, u8),
    requested: bool,
    given_up: bool,
    opened: bool,
    exit_said: bool,
    end: Option<HostEvent>,
}

struct Pair {
    setup: Setup,
    random: TestRng,
    host: Host,
    guest: Guest,
    to_guest: VecDeque<u8>,
    to_host: VecDeque<u8>,
    progress: BTreeMap<StreamId, Progress>,
    ready: bool,
    /// Whether the host and the guest know that the session is over.
    closed: [bool; 2],
}

impl Pair {
    fn new(setup: &Setup) -> Self {
        let (host, guest) = setup.windows;
        let host = HostOptions { carrier: setup.carrier, session: setup.seed, window: host };
        let guest = GuestOptions { carrier: setup.carrier, window: guest };
        Self {
            setup: setup.clone(),
            random: TestRng::from_seed(RngAlgorithm::XorShift, &[setup.seed.to_le_bytes(), *b"schedule"].concat()),
            host: Host::new(host),
            guest: Guest::new(guest),
            to_guest: VecDeque::new(),
            to_host: VecDeque::new(),
            progress: BTreeMap::new(),
            ready: false,
            closed: [false; 2],
        }
    }

    fn plan(&self, stream: StreamId) -> Plan {
        self.setup.plans[stream.get() as usize - 1].clone()
    }

    /// A number below `end`, which is more than zero.
    fn below(&mut self, end: usize) -> usize {
        ((self.random.next_u64() >> 11) % end as u64) as usize
    }

    fn some(&mut self, most: usize) -> usize {
        self.below(most + 1)
    }

    /// Moves bytes from both ends to the carrier.
    fn transmit(&mut self) {
        for is_host in [true, false] {
            let carried = if is_host { self.to_guest.len() } else { self.to_host.len() };
            let free = self.setup.room - carried;
            let room = if self.below(3) == 0 { free } else { self.some(free) };
            let mut out = Vec::new();
            if is_host {
                self.host.transmit(&mut out, room);
                self.to_guest.extend(&out);
            } else {
                self.guest.transmit(&mut out, room);
                self.to_host.extend(&out);
            }
            assert!(out.len() <= room && (room >= MIN_ROOM || out.is_empty()));
        }
    }

    /// Moves bytes from the carrier to both ends.
    fn deliver(&mut self) {
        let count = self.some(self.to_guest.len());
        let bytes: Vec<u8> = self.to_guest.drain(..count).collect();
        let mut input = &bytes[..];
        while let Some(event) = self.guest.receive(&mut input).unwrap() {
            self.guest_event(event);
        }
        assert!(input.is_empty());
        let count = self.some(self.to_host.len());
        let bytes: Vec<u8> = self.to_host.drain(..count).collect();
        let mut input = &bytes[..];
        while let Some(event) = self.host.receive(&mut input).unwrap() {
            self.host_event(event);
        }
        assert!(input.is_empty());
    }

    fn guest_event(&mut self, event: GuestEvent) {
        match event {
            GuestEvent::Request(stream, request) => {
                let Request::Exec(exec) = request else { panic!("{request:?}") };
                assert_eq!(exec.argv[0].as_bytes().len(), self.plan(stream).argument);
                self.progress.get_mut(&stream).unwrap().requested = true;
                match self.plan(stream).ending {
                    Ending::Refused => self.guest.refuse(stream, "refused"),
                    _ => self.guest.accept(stream),
                }
            }
            GuestEvent::Signal(stream, _) => self.progress.get_mut(&stream).unwrap().signals.1 += 1,
            GuestEvent::Reset(stream, reason) => {
                assert!(self.progress[&stream].given_up && reason == "given up");
                self.guest.exit(stream, Exit::Signal(Signal::new(9).unwrap()));
            }
            GuestEvent::Closed => self.closed[1] = true,
            GuestEvent::Ready(_) | GuestEvent::Data(_) | GuestEvent::Eof(_) | GuestEvent::Resize(..) => {}
        }
    }

    fn host_event(&mut self, event: HostEvent) {
        let (stream, end) = match event {
            HostEvent::Ready(version) => {
                assert_eq!(version, 1);
                self.ready = true;
                return;
            }
            HostEvent::Data(..) | HostEvent::Eof(..) => return,
            HostEvent::Closed => {
                self.closed[0] = true;
                return;
            }
            HostEvent::Opened(stream) => {
                self.progress.get_mut(&stream).unwrap().opened = true;
                return;
            }
            HostEvent::Exit(stream, _) | HostEvent::Reset(stream, _) => (stream, event),
        };
        let before = self.progress.get_mut(&stream).unwrap().end.replace(end);
        assert_eq!(before, None);
    }

    /// What the user of the host does.
    fn act_as_host(&mut self) {
        if self.ready && self.progress.len() < self.setup.plans.len() && self.below(3) == 0 {
            let plan = &self.setup.plans[self.progress.len()];
            let argv = vec![ByteString::new("x".repeat(plan.argument)).unwrap()];
            let stream =
                self.host.open(&Request::Exec(Exec { argv, stdin: Stdin::Stream, ..Exec::default() })).unwrap();
            self.progress.insert(stream, Progress::default());
        }
        for stream in self.progress.keys().copied().collect::<Vec<_>>() {
            let plan = self.plan(stream);
            let most = self.some(3000);
            let progress = self.progress.get_mut(&stream).unwrap();
            let left = plan.lengths[0] - progress.sent[0];
            let bytes = piece(stream, Flow::Stdin, progress.sent[0], left.min(most));
            progress.sent[0] += self.host.send(stream, &bytes);
            if progress.sent[0] == plan.lengths[0] {
                self.host.finish(stream);
            }
            if progress.signals.0 < plan.signals && self.host.signal(stream, Signal::new(15).unwrap()) {
                progress.signals.0 += 1;
                self.host.resize(stream, TerminalSize { rows: progress.signals.0.into(), columns: 80 });
            }
            for flow in [Flow::Stdout, Flow::Stderr] {
                let place = usize::from(flow.number());
                let held = self.host.held(stream, flow).to_vec();
                let count = self.some(held.len());
                let taken = &mut self.progress.get_mut(&stream).unwrap().taken[place];
                assert_eq!(held, piece(stream, flow, *taken, held.len()));
                *taken += count;
                self.host.consume(stream, flow, count);
            }
            if plan.ending == Ending::GivenUp && self.below(20) == 0 {
                self.give_up(stream);
            }
        }
    }

    fn give_up(&mut self, stream: StreamId) {
        let progress = self.progress.get_mut(&stream).unwrap();
        if progress.end.is_none() && !progress.given_up {
            progress.given_up = true;
            if self.host.reset(stream, "given up") == GivenUp::Gone {
                progress.end = Some(HostEvent::Reset(stream, "before the guest knew".into()));
            }
        }
    }

    /// What the guest's programs do.
    fn act_as_guest(&mut self) {
        for stream in self.progress.keys().copied().collect::<Vec<_>>() {
            let plan = self.plan(stream);
            if !self.progress[&stream].requested {
                continue;
            }
            let held = self.guest.held(stream).to_vec();
            let count = self.some(held.len());
            let progress = self.progress.get_mut(&stream).unwrap();
            assert_eq!(held, piece(stream, Flow::Stdin, progress.taken[0], held.len()));
            progress.taken[0] += count;
            self.guest.consume(stream, count);
            for flow in [Flow::Stdout, Flow::Stderr] {
                let most = self.some(3000);
                let sent = &mut self.progress.get_mut(&stream).unwrap().sent[usize::from(flow.number())];
                let left = plan.lengths[usize::from(flow.number())] - *sent;
                *sent += self.guest.send(stream, flow, &piece(stream, flow, *sent, left.min(most)));
            }
            let progress = &self.progress[&stream];
            let is_written = progress.sent[1..] == plan.lengths[1..];
            let is_read = self.guest.has_ended(stream) || plan.ending == Ending::EarlyExit;
            if is_written && is_read && !progress.exit_said {
                self.guest.exit(stream, Exit::Code(stream.get() as u8));
                self.progress.get_mut(&stream).unwrap().exit_said = true;
            }
        }
    }

    fn check_bounds(&self) {
        let (host, guest) = self.setup.windows;
        for progress in self.progress.values() {
            for (sent, taken) in progress.sent.iter().zip(&progress.taken) {
                assert!(progress.given_up || progress.end.is_some() || sent - taken <= (host + guest) as usize);
            }
        }
    }

    fn is_over(&self) -> bool {
        let is_over = |(stream, progress): (&StreamId, &Progress)| {
            let drained = [Flow::Stdout, Flow::Stderr].iter().all(|flow| self.host.has_ended(*stream, *flow));
            drained && progress.end.is_some()
        };
        self.progress.len() == self.setup.plans.len() && self.progress.iter().all(is_over)
    }

    fn check_end(&self) {
        for (stream, progress) in &self.progress {
            let plan = self.plan(*stream);
            let end = progress.end.as_ref().unwrap();
            match plan.ending {
                Ending::Refused => assert_eq!(*end, HostEvent::Reset(*stream, "refused".into())),
                Ending::GivenUp if progress.given_up => {}
                _ => {
                    assert!(progress.opened);
                    assert_eq!(*end, HostEvent::Exit(*stream, Exit::Code(stream.get() as u8)));
                    assert_eq!(progress.taken[1..], plan.lengths[1..]);
                    if plan.ending == Ending::Exit {
                        assert_eq!(progress.taken[0], plan.lengths[0]);
                    }
                }
            }
        }
    }

    /// Ends the session from one end or from both, which makes no difference.
    fn close(&mut self) {
        let who = self.below(3);
        if who != 0 {
            self.host.close();
        }
        if who != 1 {
            self.guest.close();
        }
        for _ in 0..10_000 {
            if self.closed == [true; 2] {
                assert!(!self.guest.has_session() && self.to_guest.is_empty() && self.to_host.is_empty());
                return;
            }
            self.transmit();
            self.deliver();
        }
        panic!("it does not close: {:?} by {who}", self.closed);
    }

    fn run(&mut self) {
        for _ in 0..2_000_000 {
            match self.below(4) {
                0 => self.act_as_host(),
                1 => self.act_as_guest(),
                2 => self.transmit(),
                _ => self.deliver(),
            }
            self.check_bounds();
            if self.is_over() {
                self.check_end();
                return self.close();
            }
        }
        panic!("it hangs: {:#?}", self.progress);
    }
}

fn run(cases: u32) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let run = |setup: Setup| {
        Pair::new(&setup).run();
        Ok(())
    };
    TestRunner::new(config).run(&setup(), run).unwrap();
}

/// Every flow is whole and in order, no end holds more than its windows, and nothing hangs.
#[test]
fn any_session_over_any_carrier_comes_to_its_end() {
    run(30);
}

#[test]
#[ignore = "slow: a quarter of a minute"]
fn very_many_sessions_come_to_their_end() {
    run(300);
}
