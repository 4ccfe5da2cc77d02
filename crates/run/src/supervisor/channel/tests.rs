//! Streams between clients and a guest, both played here.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;

use nex_channel::{Guest, GuestEvent, GuestOptions};
use nex_contract::{ByteString, Exec};
use nex_supervise::api::{self, Answer, SOCKET};
use nex_supervise::{About, Mode, StateDir};

use super::*;
use crate::supervisor::clients::{Ready, Wish};
use crate::supervisor::socket::Socket;

/// Enough for all that these tests do.
const ROUNDS: usize = 20_000;

/// A supervisor between a guest and its starter.
struct World {
    channel: Channel,
    clients: Clients,
    output: Output,
    guest: Link<Guest>,
    starter: Link<Host>,
}

impl World {
    fn new(reach: Reach) -> Self {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let host = Link::new(ours, Host::new(HostOptions { window: WINDOW, ..HostOptions::default() }), Vec::new());
        let guest = Link::new(theirs, Guest::new(GuestOptions::default()), Vec::new()).unwrap();
        let (ours, theirs) = UnixStream::pair().unwrap();
        let starter = Link::new(theirs, Host::new(HostOptions::default()), Vec::new()).unwrap();
        let state = State::Greeted(Box::new(host.unwrap()));
        let channel = Channel { state, ..Channel::new(reach) };
        Self { channel, clients: Clients::new(Some(ours)).unwrap(), output: Output::default(), guest, starter }
    }

    /// Lets all do what they can do, once, and gives what the guest and the starter hear.
    fn round(&mut self) -> (Vec<GuestEvent>, Vec<HostEvent>) {
        self.starter.flush();
        for (key, wish) in self.clients.advance(Ready::Client(Key::STARTER)) {
            match wish {
                Wish::Said(said) => self.channel.obey(key, said, &mut self.clients),
                Wish::Request(..) => panic!("a line in a session"),
            }
        }
        self.channel.read(&mut self.clients);
        self.output.settle();
        self.clients.distribute(&mut self.output);
        self.channel.pump(&mut self.clients, &mut self.output);
        for gone in self.clients.flush() {
            self.channel.forget(gone);
        }
        let heard = self.guest.read();
        self.guest.flush();
        (heard, self.starter.read())
    }

    /// Goes on until the starter hears something like this.
    fn until(&mut self, what: impl Fn(&HostEvent) -> bool, mut guest: impl FnMut(&mut Guest, GuestEvent)) -> HostEvent {
        for _ in 0..ROUNDS {
            let (heard, events) = self.round();
            heard.into_iter().for_each(|event| guest(&mut self.guest.end, event));
            if let Some(event) = events.into_iter().find(|event| what(event)) {
                return event;
            }
        }
        panic!("nothing comes");
    }
}

fn exec() -> Request {
    let argv = ByteString::new("yes").into_iter().collect();
    Request::Exec(Exec { argv, stdin: Stdin::Stream, ..Exec::default() })
}

#[test]
fn a_client_that_stops_reading_holds_the_program_and_no_memory() {
    let mut world = World::new(Reach::Others);
    world.until(|event| matches!(event, HostEvent::Ready(_)), |_, _| {});
    let id = world.starter.end.open(&exec()).unwrap();
    let mut asked = None;
    world.until(
        |event| matches!(event, HostEvent::Opened(_)),
        |guest, event| {
            if let GuestEvent::Request(stream, _) = event {
                asked = Some(stream);
                guest.accept(stream);
            }
        },
    );
    let stream = asked.unwrap();
    // The program writes as long as it can, and nobody takes it.
    let (mut sent, mut quiet) = (0_usize, 0);
    while quiet < 100 {
        let bytes: Vec<u8> = (sent..sent + 10_000).map(|number| (number % 251) as u8).collect();
        let count = world.guest.end.send(stream, Flow::Stdout, &bytes);
        sent += count;
        quiet = if count == 0 { quiet + 1 } else { 0 };
        world.round();
    }
    // Four windows and two sockets, whatever it would write.
    assert!((100_000..2_000_000).contains(&sent), "{sent} bytes");
    // A signal passes all of it by.
    assert!(world.starter.end.signal(id, Signal::new(10).unwrap()));
    let mut has_come = false;
    for _ in 0..100 {
        has_come |= world.round().0.contains(&GuestEvent::Signal(stream, Signal::new(10).unwrap()));
    }
    assert!(has_come);

    // The reader goes on, and the program ends: not a byte is missing.
    world.guest.end.exit(stream, Exit::Code(3));
    let (mut received, mut exit) = (Vec::new(), None);
    while exit.is_none() || !world.starter.end.held(id, Flow::Stdout).is_empty() {
        let held = world.starter.end.held(id, Flow::Stdout).to_vec();
        world.starter.end.consume(id, Flow::Stdout, held.len());
        received.extend(held);
        for event in world.round().1 {
            if let HostEvent::Exit(_, how) = event {
                exit = Some(how);
            }
        }
    }
    assert_eq!((received.len(), exit), (sent, Some(Exit::Code(3))));
    assert!(received.iter().enumerate().all(|(number, byte)| *byte == (number % 251) as u8));
    assert!(world.channel.relays.is_empty());
}

#[test]
fn what_a_guest_said_before_its_end_arrives_and_what_did_not_end_is_given_up() {
    let mut world = World::new(Reach::Others);
    world.until(|event| matches!(event, HostEvent::Ready(_)), |_, _| {});
    let (first, second) = (world.starter.end.open(&exec()).unwrap(), world.starter.end.open(&exec()).unwrap());
    let mut asked = Vec::new();
    for _ in 0..100 {
        for event in world.round().0 {
            if let GuestEvent::Request(stream, _) = event {
                world.guest.end.accept(stream);
                asked.push(stream);
            }
        }
    }
    world.guest.end.send(asked[0], Flow::Stdout, b"last words");
    world.guest.end.exit(asked[0], Exit::Code(0));
    world.guest.flush();
    let (ours, _) = UnixStream::pair().unwrap();
    // The guest is gone with its carrier.
    world.guest = Link::new(ours, Guest::new(GuestOptions::default()), Vec::new()).unwrap();
    let reset = world.until(|event| matches!(event, HostEvent::Reset(..)), |_, _| {});
    assert_eq!(reset, HostEvent::Reset(second, "the guest's channel has ended".into()));
    for _ in 0..100 {
        world.round();
    }
    assert_eq!(world.starter.end.held(first, Flow::Stdout), b"last words");
    // Nor can anything be asked of it any more.
    let third = world.starter.end.open(&exec()).unwrap();
    let refused = world.until(|event| matches!(event, HostEvent::Reset(..)), |_, _| {});
    assert!(matches!(&refused, HostEvent::Reset(id, why) if *id == third && why.contains("has ended")), "{refused:?}");
}

#[test]
fn a_guest_that_does_not_answer_is_given_up_when_it_has_been_up_for_a_while() {
    let mut world = World::new(Reach::Others);
    // Its kernel has no driver: nobody takes the HELLO.
    world.channel.state = State::Opening;
    world.until(|event| matches!(event, HostEvent::Ready(_)), |_, _| {});
    let first = world.starter.end.open(&exec()).unwrap();
    let rounds = |world: &mut World| (0..100).flat_map(|_| world.round().1).collect::<Vec<_>>();
    let up = Instant::now();
    // A boot has a time of its own.
    world.channel.expire(up + 100 * PATIENCE, &mut world.clients);
    world.channel.expect_answer(up);
    assert_eq!(world.channel.deadline(), Some(up + PATIENCE));
    world.channel.expire(up, &mut world.clients);
    assert_eq!(rounds(&mut world), []);
    world.channel.expire(up + PATIENCE, &mut world.clients);
    assert_eq!(rounds(&mut world), [HostEvent::Reset(first, UNANSWERED.into())]);
    assert_eq!(world.channel.deadline(), None);
    // Nor does anybody wait who comes later.
    let second = world.starter.end.open(&exec()).unwrap();
    let events = rounds(&mut world);
    let [HostEvent::Reset(id, why)] = events.as_slice() else { panic!("{events:?}") };
    assert!(*id == second && why.contains(UNANSWERED), "{why}");
}

#[test]
fn both_outputs_come_in_the_order_in_which_they_were_written() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    theirs.set_nonblocking(true).unwrap();
    let (mut clients, mut output) = (Clients::new(Some(ours)).unwrap(), Output::default());
    let mut expected = Vec::new();
    for number in 0..3000_usize {
        let (stream, flow) = if number % 3 == 0 { (Stream::Err, Flow::Stderr) } else { (Stream::Out, Flow::Stdout) };
        let bytes = vec![(number % 200) as u8; 1 + number * 7 % 900];
        output.push(stream, &bytes);
        expected.extend(bytes.into_iter().map(|byte| (flow, byte)));
    }
    output.settle();
    let mut starter = Host::new(HostOptions::default());
    let (mut received, mut exit, mut buffer) = (Vec::new(), None, vec![0; 4096]);
    for round in 0..ROUNDS {
        let mut frames = Vec::new();
        starter.transmit(&mut frames, 1 << 20);
        theirs.write_all(&frames).unwrap();
        clients.advance(Ready::Client(Key::STARTER));
        clients.distribute(&mut output);
        clients.flush();
        // As long as the program is not there, the starter waits for it.
        if round == 100 {
            assert!(received.is_empty());
            clients.open();
        }
        if output.is_empty() {
            clients.exit(&Exit::Code(7));
        }
        // A slow reader, that takes each frame as it comes.
        let count = theirs.read(&mut buffer).unwrap_or_default();
        let mut bytes = &buffer[..count];
        while let Some(event) = starter.receive(&mut bytes).unwrap() {
            match event {
                HostEvent::Ready(_) => {
                    starter.open(&Request::Attach(Attach { stdin: Stdin::Null, size: None })).unwrap();
                }
                HostEvent::Data(id, flow) => {
                    let held = starter.held(id, flow).to_vec();
                    starter.consume(id, flow, held.len());
                    received.extend(held.into_iter().map(|byte| (flow, byte)));
                }
                HostEvent::Exit(_, how) => exit = Some(how),
                _ => {}
            }
        }
        if exit.is_some() {
            break;
        }
    }
    assert_eq!(exit, Some(Exit::Code(7)));
    assert!(received == expected, "{} of {} bytes", received.len(), expected.len());
    clients.flush();
    assert!(output.is_empty() && !clients.starter_is_waiting());
}

#[test]
fn requests_in_lines_are_heard_and_what_is_none_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let state = StateDir::open(&place.path().join("s")).unwrap();
    let guest = state.create(None, About::default(), Mode::default()).unwrap();
    let mut clients = Clients::new(None).unwrap();
    clients.listen(Socket::bind(&guest.directory).unwrap());
    let path = guest.directory.path().join(SOCKET);
    let connect = |line: &[u8]| {
        let mut stream = UnixStream::connect(&path).unwrap();
        stream.write_all(line).unwrap();
        BufReader::new(stream)
    };
    let heard = |clients: &mut Clients| {
        clients.advance(Ready::Socket);
        let ready: Vec<_> = clients.wakers().map(|(ready, _)| ready).collect();
        let wishes: Vec<_> = ready.into_iter().flat_map(|ready| clients.advance(ready)).collect();
        clients.flush();
        wishes
    };
    for wrong in [&b"{}\n"[..], b"{\"schemaVersion\":1,\"inspect\":{\"all\":1}}\n", b"GET / HTTP/1.1\n"] {
        let mut stream = connect(wrong);
        assert!(heard(&mut clients).is_empty());
        let mut line = Vec::new();
        stream.read_until(b'\n', &mut line).unwrap();
        let Answer::Error(why) = api::decode(&line).unwrap() else { panic!("{line:?}") };
        assert_eq!(why.code, "supervisor-request");
        // And there is nothing more.
        assert_eq!(stream.read_until(b'\n', &mut line).unwrap(), 0);
    }
    let mut stream = connect(b"{\"schemaVersion\":1,\"stop\":{}}\n");
    let wishes = heard(&mut clients);
    let [(key, Wish::Request(api::Request::Stop { timeout_ms: None }, peer))] = wishes.as_slice() else {
        panic!("{wishes:?}")
    };
    assert_eq!(peer.pid, std::process::id());
    clients.wait(*key);
    clients.finish(&Answer::Killed {});
    let mut line = Vec::new();
    stream.read_until(b'\n', &mut line).unwrap();
    assert!(matches!(api::decode(&line), Ok(Answer::Killed {})));
    // As many as there is room for, and one more.
    clients.flush();
    let mut all: Vec<_> = (0..65).map(|_| UnixStream::connect(&path).unwrap()).collect();
    heard(&mut clients);
    line.clear();
    BufReader::new(all.pop().unwrap()).read_until(b'\n', &mut line).unwrap();
    assert!(matches!(api::decode(&line), Ok(Answer::Error(why)) if why.code == "supervisor-too-many"));
}

#[test]
fn a_client_that_has_stopped_reading_holds_the_starter_until_it_is_dismissed() {
    let place = tempfile::tempdir().unwrap();
    let state = StateDir::open(&place.path().join("s")).unwrap();
    let guest = state.create(None, About::default(), Mode::default()).unwrap();
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut starter = Link::new(theirs, Host::new(HostOptions::default()), Vec::new()).unwrap();
    let (mut clients, mut output) = (Clients::new(Some(ours)).unwrap(), Output::default());
    clients.listen(Socket::bind(&guest.directory).unwrap());
    clients.open();
    let mut stalled = UnixStream::connect(guest.directory.path().join(SOCKET)).unwrap();
    stalled.write_all(b"{\"schemaVersion\":1,\"channel\":{}}\n").unwrap();
    let mut line = Vec::new();
    for _ in 0..2 {
        let ready: Vec<_> = clients.wakers().map(|(ready, _)| ready).collect();
        ready.into_iter().for_each(|ready| drop(clients.advance(ready)));
        clients.flush();
    }
    BufReader::with_capacity(1, &stalled).read_until(b'\n', &mut line).unwrap();
    assert!(matches!(api::decode(&line), Ok(Answer::Channel {})));
    let mut stalled = Link::new(stalled, Host::new(HostOptions::default()), Vec::new()).unwrap();

    let attach = Request::Attach(Attach { stdin: Stdin::Null, size: None });
    let mut received = 0;
    let mut rounds = |clients: &mut Clients, output: &mut Output, stalled: Option<&mut Link<Host>>| {
        let mut stalled = stalled;
        for _ in 0..500 {
            for link in [Some(&mut starter), stalled.as_deref_mut()].into_iter().flatten() {
                link.flush();
            }
            let ready: Vec<_> = clients.wakers().map(|(ready, _)| ready).collect();
            ready.into_iter().for_each(|ready| drop(clients.advance(ready)));
            clients.distribute(output);
            clients.flush();
            for event in starter.read() {
                match event {
                    HostEvent::Ready(_) => drop(starter.end.open(&attach).unwrap()),
                    HostEvent::Data(id, flow) => {
                        let count = starter.end.held(id, flow).len();
                        starter.end.consume(id, flow, count);
                        received += count;
                    }
                    _ => {}
                }
            }
            // It attaches, and takes nothing of what comes then.
            for event in stalled.as_deref_mut().map(Link::read).unwrap_or_default() {
                if let (HostEvent::Ready(_), Some(stalled)) = (event, stalled.as_deref_mut()) {
                    stalled.end.open(&attach).unwrap();
                }
            }
        }
        received
    };
    rounds(&mut clients, &mut output, Some(&mut stalled));
    let length = 1_usize << 20;
    output.push(Stream::Out, &vec![b'x'; length]);
    output.settle();
    let held = rounds(&mut clients, &mut output, Some(&mut stalled));
    assert!((1..length).contains(&held) && !output.is_empty(), "{held} bytes");
    assert_eq!(clients.dismiss_others().len(), 1);
    assert_eq!(rounds(&mut clients, &mut output, None), length);
    assert!(output.is_empty());
}
