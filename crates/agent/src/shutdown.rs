//! The clean end of the machine.

use std::time::Duration;

use nex_protocol::{EndBy, Event, MachineEnd};
use nix::mount::{MsFlags, mount};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, sync};

use crate::clock::uptime_ms;
use crate::host::Host;
use crate::power::Ending;
use crate::supervisor::Supervisor;
use crate::workload;

/// How long the others may take to end by themselves.
const GRACE: Duration = Duration::from_secs(3);

/// How long the kernel may take to bury those that were killed.
const BURIAL: Duration = Duration::from_millis(500);

/// How long the host may read nothing of the last lines. One that reads no more must not keep the machine from ending.
pub const LAST_WORDS: Duration = Duration::from_secs(2);

/// Ends every other process, writes everything to the disk, and ends the machine. Returns only when the kernel refuses.
pub fn run(supervisor: &mut Supervisor) {
    end_programs(supervisor, |_, signal| {
        /// All processes but this one, for `kill(2)`.
        const EVERYBODY: Pid = Pid::from_raw(-1);
        // An error says that there is nobody to send to, which shows in there being no children.
        let _ = kill(EVERYBODY, signal);
    });
    supervisor.host.flush(LAST_WORDS);
    end_machine(&mut supervisor.host);
}

/// Leaves the disks clean, and ends the machine. Returns only when the kernel refuses.
pub fn end_machine(host: &mut Host) {
    let ending = Ending::of_this_machine();
    sync();
    for problem in make_disks_read_only() {
        host.fail(problem);
    }
    let by = match ending {
        Ending::Off => EndBy::PowerOff,
        Ending::Reset => EndBy::Reset,
    };
    host.tell(&Event::End(MachineEnd { by, uptime_ms: uptime_ms() }));
    host.close(LAST_WORDS);
    for refusal in ending.take() {
        host.fail(refusal);
    }
}

/// Ends all programs: the workload first, by its own signal, then the others by theirs. Tells how it ended, and ends the channel.
pub fn end_programs(supervisor: &mut Supervisor, signal_others: impl Fn(&mut Supervisor, Signal)) {
    if let Some(channel) = &mut supervisor.channel {
        channel.refuse_programs();
    }
    supervisor.ask_program_to_end();
    supervisor.wait_until(GRACE, |supervisor| !supervisor.is_running());
    for (signal, patience) in [(Signal::SIGTERM, GRACE), (Signal::SIGKILL, BURIAL)] {
        signal_others(supervisor, signal);
        // Whoever has ended leaves its children to process 1, so no children means nobody.
        if supervisor.wait_until(patience, |supervisor| !supervisor.has_children()) {
            break;
        }
    }
    supervisor.tell_the_rest(LAST_WORDS);
    if let Some((source, end)) = supervisor.take_end_at_last() {
        workload::tell_end(supervisor, source, end, None);
    }
    supervisor.close_channel(LAST_WORDS);
}

/// Leaves the file systems of all drives clean: without this, the next mount replays their journals.
///
/// The root comes first, since it may be an overlay that keeps a drive's file system busy.
fn make_disks_read_only() -> Vec<String> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let fields = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>());
    let drives = fields.filter(|fields| fields.first().is_some_and(|source| source.starts_with("/dev/")));
    let mut targets: Vec<String> = drives.filter_map(|fields| fields.get(1).map(|target| unescape(target))).collect();
    targets.retain(|target| target != "/");
    targets.push("/".into());
    targets.reverse();
    targets.dedup();
    targets.iter().filter_map(|target| make_read_only(target).err()).collect()
}

fn make_read_only(target: &str) -> Result<(), String> {
    let flags = MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
    match mount(None::<&str>, target, None::<&str>, flags, None::<&str>) {
        // The root is no mount of its own, as in a container: there is nothing to leave clean.
        Ok(()) | Err(nix::Error::EINVAL) => Ok(()),
        Err(error) => Err(format!("cannot make {target} read-only: {error}; what was written is synced")),
    }
}

/// A mount point as `/proc/self/mounts` writes it: spaces and their like are octal.
fn unescape(text: &str) -> String {
    let mut parts = text.split('\\');
    let mut plain = String::from(parts.next().unwrap_or_default());
    for part in parts {
        match part.split_at_checked(3).map(|(octal, rest)| (u8::from_str_radix(octal, 8), rest)) {
            Some((Ok(byte), rest)) => {
                plain.push(char::from(byte));
                plain.push_str(rest);
            }
            _ => plain.push_str(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    #[test]
    fn mount_points_are_unescaped() {
        assert_eq!(super::unescape("/mnt/a\\040b\\134c"), "/mnt/a b\\c");
        assert_eq!(super::unescape("/run"), "/run");
    }
}
