//! QEMU's monitor: JSON objects, one a line (QMP).

use std::io::{self, BufReader, ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::firecracker::ChannelOpening;
use crate::guest::{Control, Ending};
use crate::interrupt::{Interrupt, OwnedInterrupt};
use crate::process::is_readable;
use crate::timed::{Timed, line};

/// The longest answer or event, in bytes.
const LONGEST: u64 = 1 << 20;
/// As many events are read in one go: who says more has to wait for the console.
const AT_ONCE: usize = 64;

/// What a machine has that its orders and events are about.
pub struct Parts {
    /// Whether it has a keyboard.
    pub has_keyboard: bool,
    /// Where what the guest writes to each of its drives goes.
    pub places: Vec<PathBuf>,
    /// The host's end of its channel, until it is taken.
    pub channel: Option<UnixStream>,
}

/// An open connection, over which commands may be given.
pub struct Monitor {
    reader: BufReader<Timed>,
    patience: Duration,
    parts: Parts,
    ending: Ending,
    no_room: Option<PathBuf>,
    /// QEMU says no more.
    is_over: bool,
}

impl Monitor {
    /// Waits for QEMU's greeting, which comes when it has made the machine of these parts; no longer when the interrupt comes.
    pub fn greet(socket: UnixStream, parts: Parts, patience: Duration, interrupt: Interrupt<'_>) -> io::Result<Self> {
        let mut timed = Timed::new(socket, patience)?;
        timed.end_at(interrupt.try_into_owned()?);
        let mut monitor = Self {
            reader: BufReader::new(timed),
            patience,
            parts,
            ending: Ending::Unknown,
            no_room: None,
            is_over: false,
        };
        while monitor.receive()?.get("QMP").is_none() {}
        monitor.order(&json!({ "execute": "qmp_capabilities" }))?;
        monitor.reader.get_mut().end_at(OwnedInterrupt::default());
        Ok(monitor)
    }

    /// Gives an order, and waits for its answer. Events that come before it are taken note of.
    fn order(&mut self, order: &Value) -> io::Result<()> {
        self.reader.get_mut().allow(self.patience);
        self.reader.get_mut().write_all(format!("{order}\n").as_bytes())?;
        loop {
            let answer = self.receive()?;
            if answer.get("return").is_some() {
                return Ok(());
            }
            if let Some(error) = answer.get("error") {
                return Err(io::Error::other(nex_text::in_one_line(
                    error["desc"].as_str().unwrap_or("an error without words"),
                )));
            }
        }
    }

    fn receive(&mut self) -> io::Result<Value> {
        let value: Value = serde_json::from_str(&line(&mut self.reader, LONGEST)?)?;
        let data = &value["data"];
        match value["event"].as_str() {
            Some("SHUTDOWN") => {
                self.ending = match data["reason"].as_str() {
                    Some("guest-shutdown") => Ending::PoweredOff,
                    Some("guest-reset") => Ending::Reset,
                    _ => Ending::Unknown,
                };
            }
            Some("BLOCK_IO_ERROR") if data["nospace"] == true && data["action"] == "stop" => {
                let number = data["device"].as_str().and_then(drive_number);
                self.no_room = number.and_then(|number| self.parts.places.get(number).cloned());
            }
            _ => {}
        }
        Ok(value)
    }

    /// Takes note of what has come, and waits for nothing but the end of a line that has begun.
    fn take_note(&mut self) -> io::Result<()> {
        for _ in 0..AT_ONCE {
            if self.reader.buffer().is_empty() && !is_readable(self.reader.get_ref().as_fd(), Instant::now())? {
                break;
            }
            self.reader.get_mut().allow(self.patience);
            self.receive()?;
        }
        Ok(())
    }
}

/// The number in the name that [`drive_name`] makes.
fn drive_number(name: &str) -> Option<usize> {
    name.strip_prefix(DRIVE)?.parse().ok()
}

/// What QEMU calls a drive.
pub fn drive_name(number: usize) -> String {
    format!("{DRIVE}{number}")
}

const DRIVE: &str = "drive";

impl Control for Monitor {
    fn press_ctrl_alt_del(&mut self) -> io::Result<()> {
        if !self.parts.has_keyboard {
            // QEMU takes the order all the same.
            return Err(ErrorKind::Unsupported.into());
        }
        let key = |name| json!({ "type": "qcode", "data": name });
        self.order(&json!({ "execute": "send-key", "arguments": { "keys": [key("ctrl"), key("alt"), key("delete")] } }))
    }

    fn ending(&mut self) -> Ending {
        // The process has ended, so the socket holds what it still said, and then its end.
        self.reader.get_mut().allow(self.patience);
        while self.receive().is_ok() {}
        self.ending
    }

    fn events(&self) -> Option<BorrowedFd<'_>> {
        (!self.is_over).then(|| self.reader.get_ref().as_fd())
    }

    fn no_room(&mut self) -> Option<PathBuf> {
        // Who has ended, or says nonsense, is not listened to any more.
        self.is_over = self.is_over || self.take_note().is_err();
        self.no_room.take()
    }

    fn open_channel(&mut self) -> io::Result<ChannelOpening> {
        let channel = self.parts.channel.take().ok_or(ErrorKind::NotConnected)?;
        Ok(ChannelOpening::Open(channel))
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_guest_that_is_stopped_for_want_of_room_is_noticed_and_nothing_waits() -> io::Result<()> {
        let (ours, mut theirs) = UnixStream::pair()?;
        theirs.write_all(b"{\"QMP\": {}}\n{\"return\": {}}\n")?;
        let parts = Parts { has_keyboard: false, places: vec!["root".into(), "changes".into()], channel: None };
        let mut monitor = Monitor::greet(ours, parts, Duration::from_secs(20), Interrupt::never())?;
        assert_eq!(monitor.no_room(), None);
        let event = |device: &str, action: &str, nospace: bool| {
            let data = json!({ "device": device, "action": action, "nospace": nospace });
            format!("{}\n", json!({ "event": "BLOCK_IO_ERROR", "data": data }))
        };
        for other in [event("drive1", "stop", false), event("drive1", "report", true), event("other", "stop", true)] {
            theirs.write_all(other.as_bytes())?;
            assert_eq!(monitor.no_room(), None, "{other}");
        }
        theirs.write_all(event("drive1", "stop", true).as_bytes())?;
        assert_eq!((monitor.no_room(), monitor.no_room()), (Some("changes".into()), None));

        // Who never stops talking is not listened to for ever, and who has ended not any more.
        assert!(monitor.events().is_some());
        let talker = thread::spawn(move || (0..10_000).try_for_each(|_| theirs.write_all(b"{}\n")));
        assert_eq!(monitor.no_room(), None);
        while monitor.events().is_some() {
            monitor.no_room();
        }
        talker.join().map_err(|_| ErrorKind::Other)?
    }
}
