//! SIGINT, SIGTERM and SIGHUP: clean up, say so, and end with exit code 1. SIGXFSZ: the write that it comes with fails, and
//! says so itself.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

use crate::diagnostic::tell;

/// The signals that end nex.
const SIGNALS: [i32; 3] = [SIGINT, SIGTERM, SIGHUP];

/// Lets a write past the limit on file sizes fail with EFBIG: uncaught, SIGXFSZ ends the process without a word.
///
/// # Errors
/// When the signal cannot be caught.
pub fn survive_file_size_limits() -> io::Result<()> {
    signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false))).map(drop)
}

/// Waits for the signals on a thread of its own.
///
/// # Errors
/// When the signals cannot be caught.
pub fn clean_up_when_interrupted() -> io::Result<()> {
    let mut signals = Signals::new(SIGNALS)?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        if let Some(signal) = signals.forever().next() {
            nex_rootfs::remove_leftovers();
            nex_sandbox::end_runs();
            tell(format_args!("error: interrupted by {}; nothing was written", name(signal)));
            std::process::exit(1);
        }
    })?;
    Ok(())
}

/// Ends nex some time after the first signal with this exit code, whatever keeps it from ending itself, such as somebody who
/// takes no output. Guests end with nex.
///
/// # Errors
/// When the signals cannot be caught.
pub fn end_when_interrupted(patience: Duration, exit_code: u8) -> io::Result<()> {
    let mut signals = Signals::new(SIGNALS)?;
    std::thread::Builder::new().name("signals".into()).spawn(move || {
        if let Some(signal) = signals.forever().next() {
            std::thread::sleep(patience);
            tell(format_args!("error: interrupted by {}, and the guest had to be killed", name(signal)));
            std::process::exit(exit_code.into());
        }
    })?;
    Ok(())
}

/// The signals as something to wait for beside other things. Whoever waits cleans up.
pub struct Interrupt {
    file: UnixStream,
    signal: Arc<AtomicUsize>,
}

impl Interrupt {
    /// Catches the signals from now on.
    ///
    /// # Errors
    /// When they cannot be caught.
    pub fn catch() -> io::Result<Self> {
        let (file, write) = UnixStream::pair()?;
        let signal = Arc::new(AtomicUsize::new(0));
        for number in SIGNALS {
            // In this order: who wakes up finds the number.
            signal_hook::flag::register_usize(
                number,
                Arc::clone(&signal),
                usize::try_from(number).unwrap_or_default(),
            )?;
            signal_hook::low_level::pipe::register(number, write.try_clone()?)?;
        }
        Ok(Self { file, signal })
    }

    /// Readable when one has come.
    pub fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Takes note of the one that has come, and gives its number: the file is readable again when the next one comes.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn take(&mut self) -> io::Result<u8> {
        self.file.read_exact(&mut [0])?;
        Ok(u8::try_from(self.signal.load(Ordering::SeqCst)).unwrap_or_default())
    }

    /// The name of the one that has come.
    pub fn name(&self) -> &'static str {
        name(i32::try_from(self.signal.load(Ordering::SeqCst)).unwrap_or_default())
    }
}

fn name(signal: i32) -> &'static str {
    match signal {
        SIGINT => "SIGINT",
        SIGTERM => "SIGTERM",
        _ => "SIGHUP",
    }
}
