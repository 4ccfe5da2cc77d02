//! What a supervisor keeps, and what it does for its clients.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nex_channel::{Exit, Host, HostEvent, HostOptions};
use nex_contract::{Attach, ByteString, Exec, Stdin};
use nex_supervise::api::{self, Answer, Request, SOCKET};
use nex_supervise::spool::{Piece, SpoolReader};
use nex_supervise::{Event, Id, Line, Parsed, Reason, State, StateDir, list};
use nex_testkit::{Failure, Result, command};
use serde_json::json;

use crate::place::{Place, report};

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// The command with a script, and a directory for records.
fn script(place: &Place, flags: &[&str], script: &str) -> Result<Command> {
    let mut run = place.script(flags, script)?;
    run.env("XDG_STATE_HOME", place.path("state"));
    Ok(run)
}

fn state(place: &Place) -> Result<StateDir> {
    StateDir::open(&place.path("state/nex/run")).map_err(|error| Failure::new(error.to_string()))
}

/// The id that a detached run prints, and nothing else.
fn start(run: &mut Command) -> Result<Id> {
    let result = command::output(run)?;
    let (said, printed) = (String::from_utf8_lossy(&result.stderr), String::from_utf8_lossy(&result.stdout));
    let id = printed.strip_suffix('\n').and_then(Id::parse);
    id.filter(|_| said.is_empty() && result.status.success())
        .ok_or_else(|| Failure::new(format!("{}: {printed:?} {said}", result.status)))
}

fn connect(place: &Place, id: &Id) -> Result<UnixStream> {
    let directory = place.path("state/nex/run/guests").join(id.as_str());
    // Paths of sockets are short.
    let link = place.path("g");
    let _ = fs::remove_file(&link);
    std::os::unix::fs::symlink(directory, &link)?;
    let stream = UnixStream::connect(link.join(SOCKET))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Asks, and gives the connection behind the answer.
fn ask(place: &Place, id: &Id, request: &Request) -> Result<(Answer, BufReader<UnixStream>)> {
    let mut stream = BufReader::new(connect(place, id)?);
    stream.get_mut().write_all(&api::encode(request)?)?;
    let mut line = Vec::new();
    stream.read_until(b'\n', &mut line)?;
    Ok((api::decode(&line)?, stream))
}

/// Waits until a guest's output has these words.
fn output_until(place: &Place, id: &Id, words: &str) -> Result<String> {
    let guest = state(place)?.guest(id)?.ok_or_else(|| Failure::new("no guest"))?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut reader = SpoolReader::new(guest.directory())?;
        let mut text = String::new();
        while let Some(piece) = reader.next_piece()? {
            if let Piece::Output(output) = piece {
                text.push_str(&String::from_utf8_lossy(&output.bytes));
            }
        }
        if text.contains(words) {
            return Ok(text);
        }
        if Instant::now() > deadline {
            return Err(Failure::new(format!("no {words:?} in {text:?}")));
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Does something in a guest by a session of the channel, and gives what came on standard output, and how it ended.
fn talk(stream: UnixStream, request: &nex_contract::Request, input: &[u8]) -> Result<(String, Option<Exit>)> {
    let (mut stream, mut host) = (stream, Host::new(HostOptions::default()));
    let (mut id, mut output, mut buffer) = (None, Vec::new(), vec![0; 4096]);
    loop {
        let mut frames = Vec::new();
        host.transmit(&mut frames, 1 << 20);
        stream.write_all(&frames)?;
        let count = stream.read(&mut buffer)?;
        if count == 0 {
            return Ok((String::from_utf8_lossy(&output).into_owned(), None));
        }
        let mut bytes = &buffer[..count];
        while let Some(event) = host.receive(&mut bytes)? {
            match event {
                HostEvent::Ready(_) => {
                    let stream = host.open(request)?;
                    host.send(stream, input);
                    host.finish(stream);
                    id = Some(stream);
                }
                HostEvent::Data(stream, flow) => {
                    let held = host.held(stream, flow).to_vec();
                    host.consume(stream, flow, held.len());
                    output.extend(held);
                }
                HostEvent::Exit(stream, exit) if id == Some(stream) => {
                    return Ok((String::from_utf8_lossy(&output).into_owned(), Some(exit)));
                }
                HostEvent::Reset(_, reason) => return Err(Failure::new(reason)),
                _ => {}
            }
        }
    }
}

fn is_there(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// The numbers of a process's descriptors, and what they lead to.
fn descriptors(pid: u32) -> Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(format!("/proc/{pid}/fd"))? {
        let entry = entry?;
        found.push((entry.file_name().to_string_lossy().into_owned(), fs::read_link(entry.path())?));
    }
    Ok(found)
}

#[test]
fn a_detached_guest_has_a_life_of_its_own() -> Result<()> {
    let Some(place) = Place::new(json!({}))? else { return Ok(()) };
    let words = "trap 'echo stopping; exit 7' TERM; echo up; echo too >&2; while :; do sleep 1; done";
    let id = start(&mut script(&place, &["-d", "--name", "web"], words)?)?;
    let (answer, _) = ask(&place, &id, &Request::Inspect {})?;
    let Answer::Guest(guest) = answer else { return Err(Failure::new(format!("{answer:?}"))) };
    assert_eq!((&guest.id, guest.reason.as_deref(), guest.exit_code), (&id, None, None));
    assert!(guest.detached && !guest.stdin && guest.command[1..3] == ["sh", "-c"], "{guest:?}");
    let (supervisor, vmm) = (guest.supervisor_pid, guest.vmm_pid.unwrap_or_default());
    // It has a session of its own, and nothing of its starter's.
    let standard: Vec<_> =
        descriptors(supervisor)?.into_iter().filter(|(fd, _)| fd.len() == 1 && **fd < *"3").collect();
    assert!(standard.iter().all(|(_, file)| file == Path::new("/dev/null")), "{standard:?}");

    // A name is one guest's.
    let second = command::output(&mut script(&place, &["-d", "--name", "web"], "echo")?)?;
    let said = String::from_utf8_lossy(&second.stderr);
    assert_eq!(second.status.code(), Some(125), "{said}");
    assert!(said.contains(&format!("the guest {id} has the name 'web'")) && second.stdout.is_empty(), "{said}");

    output_until(&place, &id, "up\n")?;
    output_until(&place, &id, "too\n")?;
    let (events, mut lines) = ask(&place, &id, &Request::Events {})?;
    assert!(matches!(events, Answer::Events {}));
    // Nobody can be reached in it by its lines.
    let (refused, _) = ask(&place, &id, &Request::Kill { signal: 1 })?;
    assert!(matches!(&refused, Answer::Error(why) if why.code == "supervisor-no-channel"), "{refused:?}");
    let (refused, _) = ask(&place, &id, &Request::Kill { signal: 65 })?;
    assert!(matches!(&refused, Answer::Error(why) if why.code == "supervisor-signal"), "{refused:?}");

    let (ended, _) = ask(&place, &id, &Request::Stop { timeout_ms: None })?;
    let Answer::Ended(ended) = ended else { return Err(Failure::new(format!("{ended:?}"))) };
    assert_eq!((ended.reason, ended.exit_code), (Reason::Stopped { code: 7 }, 7));
    // Nothing is left but the record, and that says all.
    assert!(!is_there(vmm) && place.is_clean()?);
    let directory = place.path("state/nex/run/guests").join(id.as_str());
    let mut left: Vec<_> = fs::read_dir(directory)?.flatten().map(|entry| entry.file_name()).collect();
    left.sort();
    assert_eq!(left, ["journal", "output.0"]);
    let mut events = Vec::new();
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        if let Parsed::Line(line) = Line::parse(line.trim_ascii_end()) {
            events.push(line.event);
        }
        line.clear();
    }
    assert!(matches!(
        events.as_slice(),
        [Event::Created(_), Event::Started(_), Event::Up, Event::StopAsked(_), Event::Ended(_)]
    ));
    // The record keeps what came to the end, too.
    output_until(&place, &id, "stopping\n")?;
    let (guests, _) = list(&state(&place)?)?;
    assert!(matches!(guests.as_slice(), [guest] if guest.state == State::Ended(Reason::Stopped { code: 7 })));
    Ok(())
}

#[test]
fn a_foreground_guest_has_no_record_when_it_is_over() -> Result<()> {
    let Some(place) = Place::new(json!({}))? else { return Ok(()) };
    let mut run = script(&place, &["--format", "json", "--name", "web"], "echo up; exit 3")?;
    let result = command::output(&mut run)?;
    assert_eq!((result.status.code(), &*result.stdout), (Some(3), &b"up\n"[..]));
    assert_eq!(report(&result.stderr)?["reason"], "exited");
    assert_eq!(list(&state(&place)?)?.0, []);
    assert_eq!(fs::read_dir(place.path("state/nex/run/names"))?.count(), 0);
    // A guest that needs a record is refused where there is no place for one.
    for flags in [&["-d"][..], &["--name", "web"]] {
        let result = command::output(&mut place.script(flags, "echo up")?)?;
        let said = String::from_utf8_lossy(&result.stderr);
        assert_eq!(result.status.code(), Some(125), "{said}");
        assert!(said.contains("there is no place for the records of guests"), "{said}");
    }
    Ok(())
}

#[test]
fn what_is_killed_takes_its_guest_with_it_and_is_swept() -> Result<()> {
    let Some(place) = Place::new(json!({}))? else { return Ok(()) };
    let id = start(&mut script(&place, &["-d"], "echo up; sleep 1000")?)?;
    output_until(&place, &id, "up\n")?;
    let (answer, _) = ask(&place, &id, &Request::Inspect {})?;
    let Answer::Guest(guest) = answer else { return Err(Failure::new(format!("{answer:?}"))) };
    command::run(Command::new("kill").args(["-KILL", &guest.supervisor_pid.to_string()]))?;
    let deadline = Instant::now() + PATIENCE;
    while guest.vmm_pid.is_some_and(is_there) {
        assert!(Instant::now() < deadline, "the VMM is still there");
        thread::sleep(Duration::from_millis(10));
    }
    assert!(
        matches!(list(&state(&place)?)?.0.as_slice(), [guest] if guest.state == State::Lost(Reason::SupervisorKilled))
    );
    // The next run sweeps, be it refused.
    command::output(&mut script(&place, &["--user", "nobody-here"], "echo")?)?;
    let (guests, _) = list(&state(&place)?)?;
    assert!(
        matches!(guests.as_slice(), [guest] if guest.state == State::Ended(Reason::SupervisorKilled)),
        "{guests:?}"
    );
    assert!(place.is_clean()?);
    Ok(())
}

#[test]
fn standard_input_reaches_the_program_and_its_end_does() -> Result<()> {
    let Some(place) = Place::new(json!({}))? else { return Ok(()) };
    let mut run = script(&place, &["-i"], "cat; echo over >&2; exit 5")?;
    let mut nex = run.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut stdin = nex.stdin.take().ok_or_else(|| Failure::new("no input"))?;
    let sent: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
    let input = sent.clone();
    let writer = thread::spawn(move || stdin.write_all(&input));
    let result = nex.wait_with_output()?;
    let said = String::from_utf8_lossy(&result.stderr);
    assert_eq!((result.status.code(), &*said), (Some(5), "over\n"));
    assert!(result.stdout == sent, "{} bytes of {}", result.stdout.len(), sent.len());
    writer.join().map_err(|_| Failure::new("the writer failed"))??;
    // The end of the program ends the command, whatever may come of standard input.
    let mut run = script(&place, &["-i"], "read line; echo $line; exit 6")?;
    let mut nex = run.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let mut stdin = nex.stdin.take().ok_or_else(|| Failure::new("no input"))?;
    stdin.write_all(b"a line\n")?;
    let result = nex.wait_with_output()?;
    assert_eq!((result.status.code(), &*String::from_utf8_lossy(&result.stdout)), (Some(6), "a line\n"));
    drop(stdin);
    Ok(())
}

#[test]
fn clients_reach_a_guest_s_programs() -> Result<()> {
    let Some(place) = Place::new(json!({}))? else { return Ok(()) };
    let id = start(&mut script(&place, &["-d", "-i"], "while read line; do echo got $line; done; exit 9")?)?;
    let session = |place: &Place| -> Result<UnixStream> {
        let (answer, stream) = ask(place, &id, &Request::Channel {})?;
        assert!(matches!(answer, Answer::Channel {}) && stream.buffer().is_empty());
        Ok(stream.into_inner())
    };
    let argv = ["/bin/sh", "-c", "cat; echo $0 $A; exit 4", "name"];
    let argv: Vec<_> = argv.iter().filter_map(|word| ByteString::new(*word)).collect();
    let env = ByteString::new("A=a").into_iter().collect();
    let exec = nex_contract::Request::Exec(Exec { argv, env, stdin: Stdin::Stream, ..Exec::default() });
    // Before the guest is up, too: it waits.
    assert_eq!(talk(session(&place)?, &exec, b"in\n")?, ("in\nname a\n".into(), Some(Exit::Code(4))));
    // Idle, its supervisor does nothing.
    let (answer, _) = ask(&place, &id, &Request::Inspect {})?;
    let Answer::Guest(guest) = answer else { return Err(Failure::new(format!("{answer:?}"))) };
    let switches = || -> Result<u64> {
        let mut all = 0;
        for thread in fs::read_dir(format!("/proc/{}/task", guest.supervisor_pid))? {
            let status = fs::read_to_string(thread?.path().join("status"))?;
            let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            all += count.and_then(|count| count.trim().parse::<u64>().ok()).unwrap_or_default();
        }
        Ok(all)
    };
    thread::sleep(Duration::from_secs(2));
    let before = switches()?;
    thread::sleep(Duration::from_secs(3));
    assert_eq!(switches()?, before, "an idle supervisor wakes up");

    // Two are connected with the program, and one of them writes.
    let looks = Attach { stdin: Stdin::Null, size: None };
    let other = session(&place)?;
    let looker = thread::spawn(move || talk(other, &nex_contract::Request::Attach(looks), b"").ok());
    thread::sleep(Duration::from_secs(1));
    let writes = nex_contract::Request::Attach(Attach { stdin: Stdin::Stream, size: None });
    let ended = talk(session(&place)?, &writes, b"one\ntwo\n")?;
    assert_eq!(ended, ("got one\ngot two\n".into(), Some(Exit::Code(9))));
    assert_eq!(looker.join().ok().flatten(), Some(ended));
    assert_eq!(output_until(&place, &id, "two\n")?, "got one\ngot two\n");
    let deadline = Instant::now() + PATIENCE;
    while !matches!(list(&state(&place)?)?.0.as_slice(), [guest] if guest.state == State::Ended(Reason::Exited { code: 9 }))
    {
        assert!(Instant::now() < deadline, "{:?}", list(&state(&place)?)?.0);
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
