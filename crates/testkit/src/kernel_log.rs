//! The kernel's log: what it says about a file system that it finds at fault, while the caller notices nothing.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;

use rustix::fs::OFlags;

use crate::Result;
use crate::failure::Context;

/// The longest record that `/dev/kmsg` gives, in bytes (`PRINTK_MESSAGE_MAX`, with room to spare).
const RECORD_MAX: usize = 8192;
/// What begins a line about a file system.
const FILE_SYSTEM: [&str; 2] = ["EXT4-fs", "JBD2"];
/// What the kernel says about a file system in order.
const USUAL: [&str; 8] = [
    "mounted filesystem",
    "unmounting filesystem",
    "re-mounted",
    "recovery complete",
    "resizing filesystem from",
    "resized filesystem to",
    "Converting file system to meta_bg",
    "write access unavailable, skipping orphan cleanup",
];
/// What the kernel says about itself or a drive when something is wrong.
const FAULTS: [&str; 6] = ["I/O error", "WARNING: CPU", "BUG: ", "Oops", "Kernel panic", "hung_task"];

/// The lines that tell of a fault: each one about a file system that is not usual, and the kernel's own troubles.
pub fn faults(log: &str) -> Vec<&str> {
    let is_fault = |line: &&str| {
        let about_file_system = FILE_SYSTEM.iter().any(|word| line.contains(word));
        let usual = USUAL.iter().any(|words| line.contains(words));
        about_file_system && !usual || FAULTS.iter().any(|words| line.contains(words))
    };
    log.lines().filter(is_fault).collect()
}

/// Whether a line names this device: `loop1`, and not `loop10`.
pub fn names_device(line: &str, device: &str) -> bool {
    line.match_indices(device).any(|(at, _)| !line[at + device.len()..].starts_with(|next: char| next.is_ascii_digit()))
}

/// This machine's log from one moment on.
pub struct KernelLog {
    records: File,
}

impl KernelLog {
    /// The log from now on.
    ///
    /// # Errors
    /// When it may not be read; it is root's.
    pub fn from_now() -> Result<Self> {
        let flags = OFlags::NONBLOCK.bits().cast_signed();
        let mut records = OpenOptions::new().read(true).custom_flags(flags).open("/dev/kmsg").context("/dev/kmsg")?;
        records.seek(SeekFrom::End(0))?;
        Ok(Self { records })
    }

    /// What was said since then, or since the last call: a line for each record.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(&mut self) -> Result<String> {
        let mut text = String::new();
        let mut record = [0; RECORD_MAX];
        loop {
            match self.records.read(&mut record) {
                Ok(length) => {
                    // Numbers, a semicolon, the message; then lines that name the device in other words.
                    let record = String::from_utf8_lossy(&record[..length]);
                    let message = record.split_once(';').map_or(&*record, |(_, message)| message);
                    text.extend(message.lines().next());
                    text.push('\n');
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(text),
                // So much was said that the oldest records are gone; the next call goes on behind them.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
                Err(error) => return Err(error).context("/dev/kmsg"),
            }
        }
    }
}
