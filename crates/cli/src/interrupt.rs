//! SIGINT, SIGTERM and SIGHUP: clean up, say so, and end with exit code 1. SIGXFSZ: the write that it comes with fails, and
//! says so itself.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::iterator::Signals;

use crate::diagnostic::tell;

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
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
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

fn name(signal: i32) -> &'static str {
    match signal {
        SIGINT => "SIGINT",
        SIGTERM => "SIGTERM",
        _ => "SIGHUP",
    }
}
