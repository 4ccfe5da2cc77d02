//! What a session gives, by guests that the double acts out and by one that stands still.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

use nex_protocol::{Encoder, Event, Ready, Role, Text};
use nex_testkit::guest::Parts;
use nex_testkit::{Failure, firecracker};
use nex_vmm::{Accelerator, Architecture, Firecracker, Qemu};

use super::*;
use crate::agent_channel;
use crate::channel::ChannelWish;

/// What a session gives until this is in its console.
fn step_until(session: &mut Session, text: &str) -> nex_testkit::Result<(String, Vec<Item>)> {
    let deadline = Instant::now() + Duration::from_secs(60);
    let (mut console, mut all) = (String::new(), Vec::new());
    while !console.contains(text) {
        match session.step(&[], deadline)? {
            Step::Console { bytes, items } => {
                console.push_str(&String::from_utf8_lossy(&bytes));
                all.extend(items);
            }
            step => return Err(Failure::new(format!("{step:?} without {text:?}: {console}"))),
        }
    }
    Ok((console, all))
}

#[test]
fn the_first_connection_is_the_agents_and_all_others_are_closed() -> nex_testkit::Result<()> {
    let Some(parts) = Parts::find()? else { return Ok(()) };
    let mut choice = on_trial()?;
    choice.vmm = Box::new(Firecracker::at(firecracker::double()?)?.with_vsock(&[agent_channel::PORT]));
    choice.proved();
    let mut session = Session::start(choice, standing_still(parts.kernel), Interrupt::never())?;
    assert!(session.command_line().contains(" nex.vsock=1024 "), "{}", session.command_line());
    // The socket to which Firecracker connects for its guest.
    let socket = sockets(&mut session)?.join("vsock_1024");

    let mut agent = UnixStream::connect(&socket)?;
    let (mut lines, mut encoder) = (Vec::new(), Encoder::new());
    let ready = Ready { version: "1".into(), role: Role::Init, start_ms: 1, uptime_ms: 2 };
    encoder.encode(&Event::Ready(ready.clone()), &mut lines);
    agent.write_all(&lines)?;
    let (console, items) = step_until(&mut session, "@nex1 ready ")?;
    assert!(console.ends_with("\r\n"), "{console:?}");
    assert!(items.contains(&Item::Event(Event::Ready(ready))), "{items:?}");
    assert_eq!((session.way(), session.stages().ready.is_some()), (Some(Way::Vsock), true));

    // Others may connect as often as they like: nobody hears them, and they learn it.
    for _ in 0..50 {
        let mut other = UnixStream::connect(&socket)?;
        other.write_all(b"@nex1 note 3 from another\n")?;
        let deadline = Instant::now() + Duration::from_secs(60);
        other.set_nonblocking(true)?;
        while other.read(&mut [0]).is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock) {
            session.step(&[], Instant::now() + Duration::from_millis(10))?;
            assert!(Instant::now() < deadline, "the connection stays");
        }
    }
    lines.clear();
    encoder.encode(&Event::Note(Text { uptime_ms: 3, text: b"still here".to_vec() }), &mut lines);
    agent.write_all(&lines)?;
    let (console, _) = step_until(&mut session, "still here")?;
    assert!(!console.contains("another"), "{console}");
    Ok(())
}

/// Where Firecracker's sockets are, by the name that it has for the directory.
fn sockets(session: &mut Session) -> nex_testkit::Result<PathBuf> {
    let open = std::fs::read_dir(format!("/proc/{}/fd", session.guest().id()))?.flatten();
    let mut names = open.filter_map(|entry| std::fs::read_link(entry.path()).ok());
    names.find(|name| name.join("vsock_1024").exists()).ok_or_else(|| Failure::new("no sockets"))
}

/// What stands in for Firecracker's socket refuses twice, as for a guest whose agent does not listen yet, and then connects.
#[test]
fn a_channel_is_asked_for_until_the_agent_listens() -> nex_testkit::Result<()> {
    let Some(parts) = Parts::find()? else { return Ok(()) };
    let mut choice = on_trial()?;
    choice.vmm = Box::new(Firecracker::at(firecracker::double()?)?.with_vsock(&[agent_channel::PORT]));
    choice.proved();
    let mut session = Session::start(choice, standing_still(parts.kernel), Interrupt::never())?;
    let words = " nex.vsock=1024 nex.channel=vsock:1023 loglevel=0 ";
    assert!(session.command_line().contains(words), "{}", session.command_line());
    let socket = sockets(&mut session)?.join("vsock");
    std::fs::remove_file(&socket)?;
    let listener = UnixListener::bind(&socket)?;
    let firecracker = std::thread::spawn(move || {
        for answer in ["", "", "OK 1073741824\nfrom the guest"] {
            let (mut connection, _) = listener.accept()?;
            let mut asked = String::new();
            BufReader::new(&connection).read_line(&mut asked)?;
            assert_eq!(asked, "CONNECT 1023\n");
            connection.write_all(answer.as_bytes())?;
        }
        io::Result::Ok(())
    });
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut channel = loop {
        if let Some(channel) = session.take_channel() {
            break channel;
        }
        assert!(Instant::now() < deadline, "it does not open");
        session.step(&[], deadline)?;
    };
    firecracker.join().map_err(|_| Failure::new("it was asked for something else"))??;
    let mut said = String::new();
    channel.set_nonblocking(false)?;
    channel.read_to_string(&mut said)?;
    assert_eq!(said, "from the guest");
    assert!(session.take_channel().is_none());
    Ok(())
}

/// A guest whose kernel waits for ever, and says nothing.
fn standing_still(kernel: PathBuf) -> Machine {
    Machine {
        architecture: Architecture::X86_64,
        kernel,
        max_kernel: nex_kernel::MAX_KERNEL,
        initramfs: None,
        command_line: "loglevel=0 root=/dev/none rootwait".into(),
        drives: Vec::new(),
        memory_mib: 256,
        vcpus: 1,
        channel: ChannelWish::WhereThere.channel(),
    }
}

/// QEMU, as if KVM were on trial in it.
fn on_trial() -> Result<Choice, Error> {
    Ok(Choice::on_trial(Box::new(Qemu::find(Architecture::X86_64, Accelerator::Emulation)?)))
}

#[test]
#[ignore = "slow: waits until a guest has stood still for long enough"]
fn a_guest_that_stands_still_is_started_again_without_kvm() -> nex_testkit::Result<()> {
    let Some(parts) = Parts::find()? else { return Ok(()) };
    let mut session = Session::start(on_trial()?, standing_still(parts.kernel), Interrupt::never())?;
    let first = session.guest().id();
    let mut channel = session.take_channel().ok_or_else(|| Failure::new("QEMU's channel is not open at once"))?;
    assert!(session.take_channel().is_none());
    let deadline = Instant::now() + 4 * TRIAL;
    let restarted = loop {
        match session.step(&[], deadline)? {
            Step::Restarted => break true,
            Step::Console { .. } => {}
            _ => break false,
        }
    };
    assert!(restarted);
    assert_eq!(session.choice().accelerator, Accelerator::Emulation);
    assert!(session.choice().why.contains("stood still"), "{}", session.choice().why);
    assert_ne!(session.guest().id(), first);
    // The first guest's channel has ended with it, and the second has one of its own.
    assert_eq!(channel.read(&mut [0]).map_err(|error| error.kind()), Ok(0));
    assert!(session.take_channel().is_some_and(|mut channel| channel.read(&mut [0]).is_err()));
    // Nothing is on trial any more: it may stand still.
    let later = Instant::now() + TRIAL + Duration::from_secs(2);
    while let Step::Console { .. } = session.step(&[], later)? {}
    assert!(Instant::now() >= later);
    Ok(())
}
