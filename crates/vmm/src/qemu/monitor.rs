//! QEMU's monitor: JSON objects, one a line (QMP).

use std::io::{self, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use serde_json::{Value, json};

use crate::guest::{Control, Ending};
use crate::interrupt::{Interrupt, OwnedInterrupt};
use crate::timed::{Timed, line};

/// The longest answer or event, in bytes.
const LONGEST: u64 = 1 << 20;

/// An open connection, over which commands may be given.
pub struct Monitor {
    reader: BufReader<Timed>,
    patience: Duration,
    has_keyboard: bool,
    ending: Ending,
}

impl Monitor {
    /// Waits for QEMU's greeting, which comes when it has made the machine, with a keyboard or without; no longer when the
    /// interrupt comes.
    pub fn greet(
        socket: UnixStream,
        has_keyboard: bool,
        patience: Duration,
        interrupt: Interrupt<'_>,
    ) -> io::Result<Self> {
        let mut timed = Timed::new(socket, patience)?;
        timed.end_at(interrupt.try_into_owned()?);
        let mut monitor = Self { reader: BufReader::new(timed), patience, has_keyboard, ending: Ending::Unknown };
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
        if value["event"] == "SHUTDOWN" {
            self.ending = match value["data"]["reason"].as_str() {
                Some("guest-shutdown") => Ending::PoweredOff,
                Some("guest-reset") => Ending::Reset,
                _ => Ending::Unknown,
            };
        }
        Ok(value)
    }
}

impl Control for Monitor {
    fn press_ctrl_alt_del(&mut self) -> io::Result<()> {
        if !self.has_keyboard {
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
}
