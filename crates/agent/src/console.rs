//! What the agent says, and where.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::IntoRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

use nix::fcntl::OFlag;

const CONSOLE: &str = "/dev/console";

/// Writes one line to standard error, in one piece. A failure is dropped: there is nobody left to tell.
pub fn say(line: &str) {
    drop(std::io::stderr().write_all(format!("{line}\n").as_bytes()));
}

/// Opens the console for each of the three standard streams that the kernel left closed.
///
/// The kernel starts the init with closed streams where the root has no `/dev/console`. Does nothing when the streams are
/// open, or when there is still no console: an init works on in silence.
pub fn open_standard_streams() {
    const STANDARD_STREAMS: i32 = 3;
    loop {
        // A new descriptor is always the lowest free one, so a stream that was closed is filled first.
        let Ok(console) = open() else { return };
        let descriptor = console.into_raw_fd();
        if descriptor >= STANDARD_STREAMS {
            let _ = nix::unistd::close(descriptor);
            return;
        }
    }
}

/// Writes one line to the console, if this process may, and if standard output does not already lead there.
///
/// Under OpenRC the output of a service goes to a file; the host reads the console.
pub fn announce(line: &str) {
    let Ok(mut console) = open() else { return };
    if !is_standard_output(&console) {
        drop(console.write_all(format!("{line}\n").as_bytes()));
    }
}

fn open() -> std::io::Result<File> {
    // NONBLOCK: a terminal without carrier must not hold up the boot. NOCTTY: the agent takes no terminal for its own.
    let flags = OFlag::O_NOCTTY | OFlag::O_NONBLOCK;
    OpenOptions::new().read(is_init()).write(true).custom_flags(flags.bits()).open(CONSOLE)
}

/// Only the init reads its console; a service may have been given the right to write alone.
fn is_init() -> bool {
    std::process::id() == 1
}

fn is_standard_output(console: &File) -> bool {
    let output = std::fs::metadata("/proc/self/fd/1").map(|metadata| metadata.rdev());
    matches!((output, console.metadata()), (Ok(output), Ok(console)) if output == console.rdev())
}
