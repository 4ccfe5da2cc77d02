//! The clean end of the machine.

use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, sync};

use crate::console::say;
use crate::init::{Children, reap};
use crate::power::Ending;

/// How long the others may take to end by themselves.
const GRACE: Duration = Duration::from_secs(3);

/// How long the kernel may take to bury those that were killed.
const BURIAL: Duration = Duration::from_millis(500);

/// Ends every other process, writes everything to the disk, and ends the machine. Returns only when the kernel refuses.
pub fn run() {
    let ending = Ending::of_this_machine();
    end_the_others();
    sync();
    remount_root_read_only();
    say("nex-agent: the machine ends");
    for refusal in ending.take() {
        say(&format!("nex-agent: {refusal}"));
    }
}

fn end_the_others() {
    if signal_all(Signal::SIGTERM, GRACE) == Children::Some {
        signal_all(Signal::SIGKILL, BURIAL);
    }
}

/// Sends a signal to every process but this one and reaps until none is left or the time is over.
///
/// Whoever has ended leaves its children to process 1, so no children means nobody.
fn signal_all(signal: Signal, patience: Duration) -> Children {
    /// A process that ends on its signal does so in a few milliseconds.
    const PAUSE: Duration = Duration::from_millis(5);
    /// All processes but this one, for `kill(2)`.
    const EVERYBODY: Pid = Pid::from_raw(-1);
    // An error says that there is nobody to send to, which shows below.
    let _ = kill(EVERYBODY, signal);
    let start = Instant::now();
    while reap() == Children::Some {
        if start.elapsed() >= patience {
            return Children::Some;
        }
        std::thread::sleep(PAUSE);
    }
    Children::None
}

/// Leaves the root file system clean: without this, the next mount replays its journal.
fn remount_root_read_only() {
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    match mount(None::<&str>, "/", None::<&str>, flags, None::<&str>) {
        // The root is no mount of its own, as in a container: there is nothing to leave clean.
        Ok(()) | Err(nix::Error::EINVAL) => {}
        Err(error) => say(&format!("nex-agent: cannot make / read-only: {error}; what was written is synced")),
    }
}
