//! Which process is meant. A pid alone says nothing: the kernel gives it to another process as soon as the first one has ended.
//!
//! A process is known by its pid, the namespace in which it has that pid, its start in the kernel's clock ticks, and the boot of
//! the kernel. Two processes would be taken for each other only where all pids of a namespace were used up within one tick (10 ms).

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};

use crate::boot_id::BootId;

/// The most that is read of a file in `/proc`: `stat` has 52 numbers and a name of 64 bytes at most.
const MOST_OF_STAT: u64 = 4096;

/// The number of the field of `/proc/PID/stat` that holds the start (proc_pid_stat(5)), counted from the one behind the name.
const START_BEHIND_NAME: usize = 22 - 3;

/// A process, as a record names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// Its number.
    pub pid: u32,
    /// When it started, in clock ticks since the boot: field 22 of `/proc/PID/stat`.
    pub start_ticks: u64,
    /// The pid namespace in which it has that number: the inode of `/proc/self/ns/pid` of the process that noted it.
    pub pid_namespace: u64,
    /// The boot in which it runs.
    pub boot_id: BootId,
}

/// A process that is held by a pidfd: whatever becomes of its number, a signal reaches this process or nobody.
#[derive(Debug)]
pub struct Held {
    pidfd: OwnedFd,
}

impl Identity {
    /// This process.
    ///
    /// # Errors
    /// When `/proc` tells nothing of it.
    pub fn of_self() -> io::Result<Self> {
        Self::of(std::process::id())
    }

    /// A process that cannot be gone meanwhile: this one, or a child that nobody has waited for.
    ///
    /// # Errors
    /// When `/proc` tells nothing of it.
    pub fn of(pid: u32) -> io::Result<Self> {
        let start_ticks = start_ticks(pid)?;
        Ok(Self { pid, start_ticks, pid_namespace: pid_namespace()?, boot_id: BootId::current()? })
    }

    /// Whether this process would see it: it is one of the same pid namespace, in the same boot. If so, it has ended unless it
    /// [is alive](Self::is_alive).
    ///
    /// # Errors
    /// When the system does not tell which namespace and which boot this is.
    pub fn is_of_this_namespace(&self) -> io::Result<bool> {
        Ok(self.boot_id == BootId::current()? && self.pid_namespace == pid_namespace()?)
    }

    /// Whether it runs. A process of another pid namespace counts as gone, as nothing here can tell.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn is_alive(&self) -> io::Result<bool> {
        Ok(self.hold()?.is_some())
    }

    /// Holds the process; `None` when it has ended.
    ///
    /// # Errors
    /// When the system does not tell whether it has.
    pub fn hold(&self) -> io::Result<Option<Held>> {
        if !self.is_of_this_namespace()? {
            return Ok(None);
        }
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else { return Ok(None) };
        let held = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(pidfd) => Held { pidfd },
            // Nobody has this number, or a thread that is no process has it.
            Err(Errno::SRCH | Errno::INVAL | Errno::NOENT) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // The pidfd comes first. Who has the number and the right start now has had the number since that start, so that the
        // pidfd leads to the same process. Looked up the other way round, another one could have come in between.
        let started = start_ticks(self.pid);
        if held.has_ended(Duration::ZERO)? {
            return Ok(None);
        }
        match started {
            Ok(started) => Ok((started == self.start_ticks).then_some(held)),
            Err(error) if is_hidden(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Held {
    /// Sends it a signal. Nothing happens to one that has ended.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        match pidfd_send_signal(&self.pidfd, signal) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits for its end, but no longer than that, and says whether it has ended: all of its threads, whether or not its parent
    /// has asked for it.
    ///
    /// # Errors
    /// When the system fails to wait.
    pub fn has_ended(&self, patience: Duration) -> io::Result<bool> {
        let end = Instant::now() + patience;
        loop {
            let left = Timespec::try_from(end.saturating_duration_since(Instant::now())).map_err(io::Error::other)?;
            match poll(&mut [PollFd::from_borrowed_fd(self.pidfd.as_fd(), PollFlags::IN)], Some(&left)) {
                Ok(count) => return Ok(count > 0),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// The pid namespace of this process.
fn pid_namespace() -> io::Result<u64> {
    Ok(std::fs::metadata("/proc/self/ns/pid")?.ino())
}

/// Whether `/proc` does not show a process that is there. Where it is mounted with `hidepid` (proc(5)), that is so for processes of other
/// users and for those that hide from their own. nex starts no such process, so the number has come to somebody else.
fn is_hidden(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::NOENT | Errno::SRCH | Errno::PERM | Errno::ACCESS))
}

fn start_ticks(pid: u32) -> io::Result<u64> {
    let mut stat = Vec::new();
    File::open(format!("/proc/{pid}/stat"))?.take(MOST_OF_STAT).read_to_end(&mut stat)?;
    parse_start(&stat).ok_or_else(|| io::Error::other(format!("/proc/{pid}/stat has no start time")))
}

/// The start in the content of `/proc/PID/stat`. The process chooses its name, which stands in brackets and may hold anything,
/// brackets included; behind the last one there are only numbers and a letter.
fn parse_start(stat: &[u8]) -> Option<u64> {
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let fields = std::str::from_utf8(stat.get(name_end + 1..)?).ok()?;
    fields.split_ascii_whitespace().nth(START_BEHIND_NAME)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use super::*;

    fn sleeping() -> Child {
        Command::new("sleep").arg("600").spawn().unwrap()
    }

    #[test]
    fn the_start_is_found_behind_any_name() {
        let numbers: Vec<_> = (4..=52).map(|number| number.to_string()).collect();
        let numbers = numbers.join(" ");
        for name in ["sleep", "a b", ") R 1 2 3", "((", "\u{fffd}"] {
            assert_eq!(parse_start(format!("7 ({name}) S {numbers}\n").as_bytes()), Some(22), "{name}");
        }
        assert_eq!(parse_start(b"7 (\xff\xfe) S 1 2"), None);
        for cut in ["", "7", "7 (a", "7 (a)", "7 (a) S 4 5"] {
            assert_eq!(parse_start(cut.as_bytes()), None, "{cut}");
        }
    }

    #[test]
    fn a_process_is_alive_until_it_ends_though_nobody_asks_for_its_end() {
        assert!(Identity::of_self().unwrap().is_alive().unwrap());
        let mut child = sleeping();
        let identity = Identity::of(child.id()).unwrap();
        let held = identity.hold().unwrap().unwrap();
        assert!(!held.has_ended(Duration::from_millis(20)).unwrap());
        held.signal(Signal::KILL).unwrap();
        assert!(held.has_ended(Duration::from_secs(60)).unwrap());
        // A zombie: its number is still taken.
        assert!(!identity.is_alive().unwrap());
        child.wait().unwrap();
        assert!(!identity.is_alive().unwrap());
        held.signal(Signal::KILL).unwrap();
    }

    #[test]
    fn every_part_of_an_identity_counts() {
        let mut child = sleeping();
        let identity = Identity::of(child.id()).unwrap();
        let other_boot = BootId::try_from("00000000-0000-4000-8000-000000000000".to_owned()).unwrap();
        let others = [
            Identity { start_ticks: identity.start_ticks + 1, ..identity.clone() },
            Identity { pid_namespace: identity.pid_namespace + 1, ..identity.clone() },
            Identity { boot_id: other_boot, ..identity.clone() },
            Identity { pid: std::process::id(), ..identity.clone() },
            Identity { pid: 0, ..identity.clone() },
            Identity { pid: u32::MAX, ..identity.clone() },
        ];
        for other in others {
            assert!(!other.is_alive().unwrap(), "{other:?}");
        }
        assert!(identity.is_alive().unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
    }

    #[test]
    fn a_process_whose_first_thread_has_ended_is_alive() {
        let script = "import ctypes, threading, time\n\
                      threading.Thread(target=time.sleep, args=(600,)).start()\n\
                      print(flush=True)\n\
                      ctypes.CDLL(None).syscall(60, 0)";
        let mut command = Command::new("python3");
        command.args(["-c", script]).stdout(std::process::Stdio::piped());
        let Ok(mut child) = command.spawn() else {
            eprintln!("LEFT OUT: python3 is not installed");
            return;
        };
        if cfg!(not(target_arch = "x86_64")) {
            eprintln!("LEFT OUT: the number of exit(2) is that of x86-64");
        } else {
            child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
            std::thread::sleep(Duration::from_millis(100));
            let identity = Identity::of(child.id()).unwrap();
            assert!(identity.is_alive().unwrap());
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
}
