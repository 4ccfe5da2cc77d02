//! The console, which the host reads.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::fd::{AsFd, IntoRawFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

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
        let Ok(console) = open(true) else { return };
        let descriptor = console.into_raw_fd();
        if descriptor >= STANDARD_STREAMS {
            let _ = nix::unistd::close(descriptor);
            return;
        }
    }
}

/// Opens the console to write to it, without waiting for whoever reads it.
///
/// # Errors
/// Where there is none, or this process may not.
pub fn open_for_host() -> std::io::Result<File> {
    open(false)
}

/// Whether standard output leads to the console already.
pub fn is_standard_output(console: &File) -> bool {
    let output = std::fs::metadata("/proc/self/fd/1").map(|metadata| metadata.rdev());
    matches!((output, console.metadata()), (Ok(output), Ok(console)) if output == console.rdev())
}

/// Has the standard streams make their users wait, as a program expects, and belong to its user, who may open them by name.
/// What fails is none that the program could not live with.
pub fn give_to(uid: Option<u32>) {
    for stream in [std::io::stdin().as_fd(), std::io::stdout().as_fd(), std::io::stderr().as_fd()] {
        if let Ok(flags) = fcntl(stream, FcntlArg::F_GETFL) {
            let flags = OFlag::from_bits_truncate(flags) & !OFlag::O_NONBLOCK;
            let _ = fcntl(stream, FcntlArg::F_SETFL(flags));
        }
        if uid.is_some() {
            let _ = fchown(stream, uid, None);
        }
    }
}

fn open(read: bool) -> std::io::Result<File> {
    // NONBLOCK: a terminal without carrier must not hold up the boot. NOCTTY: the agent takes no terminal for its own.
    let flags = OFlag::O_NOCTTY | OFlag::O_NONBLOCK;
    OpenOptions::new().read(read).write(true).custom_flags(flags.bits()).open(CONSOLE)
}
