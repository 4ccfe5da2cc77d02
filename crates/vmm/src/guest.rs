//! A guest that runs.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Instant;

use crate::firecracker::{ChannelOpening, Vsock};
use crate::process::{Process, is_readable};

/// A guest that runs. Dropped, it is killed, as by a power cut.
///
/// It also ends when this process does, in whatever way, and it does not get the signals that a terminal sends to whoever runs
/// in it.
pub struct Guest {
    process: Process,
    control: Box<dyn Control + Send>,
    notes: Vec<String>,
}

/// What a VMM does to its guest beside the console.
pub trait Control {
    /// Presses Ctrl, Alt and Del.
    fn press_ctrl_alt_del(&mut self) -> io::Result<()>;

    /// How the guest has ended, as far as the VMM tells. Asked once the process has ended.
    fn ending(&mut self) -> Ending;

    /// Readable when the VMM says something about the guest, which [`Control::no_room`] takes note of.
    fn events(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Where there is no room for what the guest writes, if the VMM has stopped the guest for that.
    fn no_room(&mut self) -> Option<PathBuf> {
        None
    }

    /// The host's end of the guest's vsock, where the VMM has been given one.
    fn vsock(&self) -> Option<&Vsock> {
        None
    }

    /// Opens the channel, where the machine has one, and waits for nothing.
    fn open_channel(&mut self) -> io::Result<ChannelOpening>;

    /// Removes what stands on the disk for the guest, which has ended. Says what stays.
    fn clear(&mut self) -> Option<String> {
        None
    }

    /// What the VMM has logged, where it has a log.
    fn log(&mut self) -> String {
        String::new()
    }
}

/// What reading the console gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// So many bytes are there.
    Bytes(usize),
    /// Nothing came in time.
    Nothing,
    /// The console is closed: the guest has ended or is about to.
    Closed,
}

/// How a guest has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It switched its power off.
    PoweredOff,
    /// It reset itself: a reboot, or a panic.
    Reset,
    /// The VMM does not tell.
    Unknown,
}

impl Guest {
    /// The guest in a process, and what can be done to it.
    pub(crate) fn new(process: Process, control: Box<dyn Control + Send>) -> Self {
        Self { process, control, notes: Vec::new() }
    }

    /// Adds to what there is to know about how it runs.
    pub fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// What there is to know about how the VMM runs it: where it is confined less than it should be.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The console's output, for those who wait for more than one thing. What is readable is read with
    /// [`Guest::read_console`].
    pub fn console(&self) -> BorrowedFd<'_> {
        self.process.output.as_fd()
    }

    /// Reads what the guest has written to its console, and waits for it until the deadline.
    ///
    /// # Errors
    /// When the system fails to read.
    pub fn read_console(&mut self, buffer: &mut [u8], deadline: Instant) -> io::Result<Reading> {
        if !is_readable(self.process.output.as_fd(), deadline)? {
            return Ok(Reading::Nothing);
        }
        match self.process.output.read(buffer) {
            Ok(0) => Ok(Reading::Closed),
            Ok(bytes) => Ok(Reading::Bytes(bytes)),
            Err(error) => Err(error),
        }
    }

    /// Types into the console. Takes as many bytes as there is room for, and says how many; none while the guest reads
    /// nothing.
    ///
    /// # Errors
    /// When the guest has ended.
    pub fn write_console(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.process.input.write(bytes) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            result => result,
        }
    }

    /// Asks the guest to end: presses Ctrl, Alt and Del, on which an init reboots or powers off. Either ends the guest.
    ///
    /// A guest whose kernel knows no keyboard takes no notice.
    ///
    /// # Errors
    /// When the VMM has ended, or takes no orders, or the machine has no keyboard, as those for arm64.
    pub fn press_ctrl_alt_del(&mut self) -> io::Result<()> {
        self.control.press_ctrl_alt_del()
    }

    /// Waits for the guest's end until the deadline. `None` when it still runs.
    ///
    /// An exit code other than 0 says that the VMM failed, not the guest; [`Guest::said`] has its words.
    ///
    /// # Errors
    /// When the system fails to wait.
    pub fn wait(&mut self, deadline: Instant) -> io::Result<Option<(ExitStatus, Ending)>> {
        let status = self.process.wait(deadline)?;
        Ok(status.map(|status| (status, self.control.ending())))
    }

    /// Ends it at once, as a power cut does.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Ends it, and removes what stands on the disk for it, as dropping it does; what stays is added to the notes.
    pub fn clear(&mut self) {
        self.process.end();
        self.notes.extend(self.control.clear());
    }

    /// What the VMM says about the guest beside the console, for those who wait for more than one thing: when it is readable,
    /// [`Guest::no_room`] takes note. `None` when there is nothing to wait for.
    pub fn events(&self) -> Option<BorrowedFd<'_>> {
        self.control.events()
    }

    /// The file or directory that has no room for what the guest writes, if the VMM has stopped the guest for that: it would stand
    /// still until there is room. Firecracker stops no guest: the guest's write fails.
    pub fn no_room(&mut self) -> Option<PathBuf> {
        self.control.no_room()
    }

    /// The host's end of the guest's vsock; `None` when it has none.
    pub fn vsock(&self) -> Option<&Vsock> {
        self.control.vsock()
    }

    /// Opens the host's end of the channel, and waits for nothing.
    ///
    /// QEMU's is there once, from the start: dropped, it is closed for good. Firecracker's can be opened again and again, and may be refused
    /// until the guest's program listens.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotConnected`] when the machine has none, or it was taken already; others when the VMM does not take a
    /// connection now.
    pub fn open_channel(&mut self) -> io::Result<ChannelOpening> {
        self.control.open_channel()
    }

    /// The number of the VMM's process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// What the VMM itself has said, in one line that a terminal may see, beside the guest's console.
    pub fn said(&mut self) -> String {
        let (log, said) = (self.control.log(), self.process.said());
        nex_text::in_one_line([log, said].join("\n"))
    }

    /// The most memory that the VMM, and the guest in it, have had so far, in bytes; `None` when they have ended.
    pub fn peak_memory(&self) -> Option<u64> {
        self.process.peak_memory()
    }
}
