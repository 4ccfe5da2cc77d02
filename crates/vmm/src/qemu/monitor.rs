//! QEMU's monitor: JSON objects, one a line (QMP).

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::firecracker::ChannelOpening;
use crate::guest::{Control, Ending};
use crate::interrupt::{Interrupt, OwnedInterrupt};
use crate::timed::Timed;

/// The longest answer or event, in bytes.
const LONGEST: usize = 1 << 20;
/// As many bytes are read in one go: who says more has to wait for the console.
const AT_ONCE: usize = 16 << 10;
/// As often that is done when the process has ended: a socket does not hold more, and others may have inherited QEMU's end.
const TIMES_AT_THE_END: usize = 256;

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
///
/// Once the machine runs, nothing here waits: a guest may have taken QEMU over, and nobody's time is that guest's to spend.
pub struct Monitor {
    socket: Timed,
    lines: Lines,
    patience: Duration,
    parts: Parts,
    ending: Ending,
    no_room: Option<PathBuf>,
    /// QEMU says no more.
    is_over: bool,
}

/// What has come, cut into lines.
#[derive(Default)]
struct Lines {
    held: Vec<u8>,
    /// How many bytes of it are known to be of a line without an end.
    searched: usize,
}

impl Lines {
    /// The next line, once it is whole.
    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let unknown = self.held.get(self.searched..).unwrap_or_default();
        match unknown.iter().position(|byte| *byte == b'\n') {
            Some(end) => {
                let line = self.held.drain(..=self.searched + end).collect();
                self.searched = 0;
                Ok(Some(line))
            }
            None if self.held.len() > LONGEST => Err(ErrorKind::InvalidData.into()),
            None => {
                self.searched = self.held.len();
                Ok(None)
            }
        }
    }
}

impl Monitor {
    /// Waits for QEMU's greeting, which comes when it has made the machine of these parts; no longer when the interrupt comes.
    pub fn greet(socket: UnixStream, parts: Parts, patience: Duration, interrupt: Interrupt<'_>) -> io::Result<Self> {
        let mut timed = Timed::new(socket, patience)?;
        timed.end_at(interrupt.try_into_owned()?);
        let mut monitor = Self {
            socket: timed,
            lines: Lines::default(),
            patience,
            parts,
            ending: Ending::Unknown,
            no_room: None,
            is_over: false,
        };
        while monitor.receive()?.get("QMP").is_none() {}
        monitor.order(&json!({ "execute": "qmp_capabilities" }))?;
        monitor.socket.end_at(OwnedInterrupt::default());
        Ok(monitor)
    }

    /// Gives an order, and waits for its answer. Events that come before it are taken note of.
    fn order(&mut self, order: &Value) -> io::Result<()> {
        self.socket.allow(self.patience);
        self.socket.write_all(format!("{order}\n").as_bytes())?;
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

    /// Waits for the next answer or event.
    fn receive(&mut self) -> io::Result<Value> {
        loop {
            if let Some(line) = self.lines.next()? {
                return self.understand(&line);
            }
            let mut chunk = [0; AT_ONCE];
            match self.socket.read(&mut chunk)? {
                0 => return Err(ErrorKind::UnexpectedEof.into()),
                count => self.lines.held.extend(chunk.iter().take(count)),
            }
        }
    }

    fn understand(&mut self, line: &[u8]) -> io::Result<Value> {
        let value: Value = serde_json::from_slice(line)?;
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

    /// Takes note of what has come, and waits for nothing. Says whether more may be there.
    fn take_note(&mut self) -> io::Result<bool> {
        let mut chunk = [0; AT_ONCE];
        let read = self.socket.read_now(&mut chunk)?;
        self.lines.held.extend(chunk.iter().take(read.unwrap_or_default()));
        while let Some(line) = self.lines.next()? {
            self.understand(&line)?;
        }
        match read {
            Some(0) => Err(ErrorKind::UnexpectedEof.into()),
            read => Ok(read.is_some()),
        }
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
        let keys = [key("ctrl"), key("alt"), key("delete")];
        let order = json!({ "execute": "send-key", "arguments": { "keys": keys } });
        // The answer comes with the events, and says nothing that the guest's end does not.
        self.socket.write_now(format!("{order}\n").as_bytes())
    }

    fn ending(&mut self) -> Ending {
        // The process has ended, so the socket holds all that it still said.
        for _ in 0..TIMES_AT_THE_END {
            if !matches!(self.take_note(), Ok(true)) {
                break;
            }
        }
        self.ending
    }

    fn events(&self) -> Option<BorrowedFd<'_>> {
        (!self.is_over).then(|| self.socket.as_fd())
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
    use std::time::Instant;

    use super::*;

    fn greeted() -> io::Result<(Monitor, UnixStream)> {
        let (ours, mut theirs) = UnixStream::pair()?;
        theirs.write_all(b"{\"QMP\": {}}\n{\"return\": {}}\n")?;
        let parts = Parts { has_keyboard: true, places: vec!["root".into(), "changes".into()], channel: None };
        Ok((Monitor::greet(ours, parts, Duration::from_secs(20), Interrupt::never())?, theirs))
    }

    /// A guest that has taken QEMU over says what it likes.
    #[test]
    fn nobody_waits_for_a_qemu_that_begins_a_line_drips_or_answers_nothing() -> io::Result<()> {
        let (mut monitor, mut theirs) = greeted()?;
        let begun = Instant::now();
        for byte in br#"{"event": "BLOCK_IO_ERROR", "data": {"device": "drive1", "action": "stop", "nospace": true}}"# {
            theirs.write_all(&[*byte])?;
            assert_eq!(monitor.no_room(), None);
        }
        monitor.press_ctrl_alt_del()?;
        assert!(monitor.events().is_some());
        theirs.write_all(b"\r\n{")?;
        assert_eq!(monitor.no_room(), Some("changes".into()));
        // Its end of the socket is somebody else's, too.
        theirs.write_all(b"\"event\": \"SHUTDOWN\", \"data\": {\"reason\": \"guest-reset\"}}\n{")?;
        assert_eq!(monitor.ending(), Ending::Reset);
        let talker = thread::spawn(move || (0..100_000).try_for_each(|_| theirs.write_all(b"{}\n")));
        monitor.ending();
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        drop(monitor);
        drop(talker.join());
        Ok(())
    }

    #[test]
    fn a_line_without_an_end_is_held_up_to_a_bound() -> io::Result<()> {
        let (mut monitor, mut theirs) = greeted()?;
        let talker = thread::spawn(move || theirs.write_all(&vec![b' '; 4 * LONGEST]));
        while monitor.events().is_some() {
            monitor.no_room();
            assert!(monitor.lines.held.len() <= LONGEST + AT_ONCE);
        }
        drop(monitor);
        drop(talker.join());
        // Orders that nobody reads are not waited for either.
        let (mut monitor, _theirs) = greeted()?;
        while monitor.press_ctrl_alt_del().is_ok() {}
        Ok(())
    }

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
