//! Why there is no guest any more.

use std::fs;

use nex_supervise::Reason;

use crate::guest_end::GuestEnd;
use crate::record::Record;
use crate::report::{End, Stopped};

/// SIGKILL.
const KILL: u8 = 9;

/// What a guest's kernel writes when it kills a process for want of memory: in two words since Linux 5.3, in one before.
const OUT_OF_MEMORY: [&[u8]; 2] = [b"Out of memory: Killed process", b"Out of memory: Kill process"];

/// What it writes when it gives up.
const PANIC: &[u8] = b"Kernel panic - not syncing";

/// How many processes this machine's kernel has killed for want of memory, since it was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KilledForMemory(Option<u64>);

impl KilledForMemory {
    /// As many as there are now. Kernels before Linux 4.13 do not count them.
    pub fn so_far() -> Self {
        let counters = fs::read_to_string("/proc/vmstat").unwrap_or_default();
        let counter = counters.lines().find_map(|line| line.strip_prefix("oom_kill "));
        Self(counter.and_then(|count| count.trim().parse().ok()))
    }

    /// Whether there are more by now.
    fn has_grown(self) -> bool {
        self.0.is_some() && Self::so_far() != self
    }
}

/// The reason, from how the program and the guest ended.
pub fn reason(record: &Record, end: &GuestEnd, killed: KilledForMemory) -> Reason {
    let report = &record.report;
    let stopped_by =
        |signal, end: Option<End>| Reason::Stopped { code: end.unwrap_or(End::Signal(signal)).exit_code() };
    match (report.stopped, report.end) {
        (Some(Stopped::Timeout), _) => Reason::TimeOut,
        (Some(Stopped::Signal(signal)), end) => stopped_by(signal, end),
        (Some(Stopped::Client), end) => stopped_by(KILL, end),
        (None, Some(End::Code(code))) => Reason::Exited { code },
        (None, Some(End::Signal(KILL))) if OUT_OF_MEMORY.iter().any(|words| has(&record.console, words)) => {
            Reason::OutOfMemoryInGuest
        }
        (None, Some(End::Signal(signal))) => Reason::Signalled { signal },
        (None, Some(End::Unstarted(code))) => Reason::Unstarted { code },
        (None, None) => match end {
            // The kernel ends a process for want of memory by this signal, which nobody here has sent.
            GuestEnd::Vmm { signal: Some(9), .. } if killed.has_grown() => Reason::OutOfMemoryOnHost,
            GuestEnd::Vmm { .. } => Reason::VmmCrashed,
            GuestEnd::Killed if !record.is_up => Reason::BootTimeOut,
            GuestEnd::Itself(_) | GuestEnd::Killed if has(&record.console, PANIC) => Reason::Panic,
            GuestEnd::Itself(_) | GuestEnd::Killed => Reason::PoweredOff,
        },
    }
}

fn has(console: &[u8], words: &[u8]) -> bool {
    console.windows(words.len()).any(|window| window == words)
}

#[cfg(test)]
mod tests {
    use nex_vmm::Ending;

    use super::*;
    use crate::report::Report;

    #[test]
    fn every_end_has_one_reason() {
        let itself = || GuestEnd::Itself(Ending::PoweredOff);
        let vmm = || GuestEnd::Vmm { said: String::new(), signal: Some(9) };
        let oom = "[ 3.1] Out of memory: Killed process 77 (a) total-vm:1kB\n";
        let panic = "[ 1.0] Kernel panic - not syncing: VFS: Unable to mount root fs\n";
        let signal = Some(Stopped::Signal(15));
        let cases = [
            (Some(End::Code(3)), None, "", itself(), true, Reason::Exited { code: 3 }),
            (Some(End::Signal(9)), None, "", itself(), true, Reason::Signalled { signal: 9 }),
            (Some(End::Signal(9)), None, oom, itself(), true, Reason::OutOfMemoryInGuest),
            (Some(End::Signal(15)), None, oom, itself(), true, Reason::Signalled { signal: 15 }),
            (Some(End::Unstarted(127)), None, "", itself(), true, Reason::Unstarted { code: 127 }),
            (Some(End::Code(0)), Some(Stopped::Timeout), "", GuestEnd::Killed, true, Reason::TimeOut),
            (None, Some(Stopped::Timeout), "", GuestEnd::Killed, true, Reason::TimeOut),
            (Some(End::Code(0)), signal, "", itself(), true, Reason::Stopped { code: 0 }),
            (None, signal, "", GuestEnd::Killed, true, Reason::Stopped { code: 143 }),
            (None, Some(Stopped::Client), "", GuestEnd::Killed, true, Reason::Stopped { code: 137 }),
            (None, None, "", vmm(), true, Reason::VmmCrashed),
            (None, None, "", GuestEnd::Killed, false, Reason::BootTimeOut),
            (None, None, panic, itself(), false, Reason::Panic),
            (None, None, panic, GuestEnd::Itself(Ending::Reset), true, Reason::Panic),
            (None, None, "", itself(), true, Reason::PoweredOff),
        ];
        for (end, stopped, console, guest, is_up, expected) in cases {
            let report = Report { end, stopped, ..Report::default() };
            let record = Record { report, console: console.into(), is_up, ..Record::default() };
            let killed = KilledForMemory::so_far();
            assert_eq!(reason(&record, &guest, killed), expected, "{end:?} {stopped:?} {console:?} {guest:?}");
        }
        // Another process was killed meanwhile, and then this one.
        let record = Record::default();
        assert_eq!(reason(&record, &vmm(), KilledForMemory(Some(u64::MAX))), Reason::OutOfMemoryOnHost);
        assert_eq!(reason(&record, &vmm(), KilledForMemory(None)), Reason::VmmCrashed);
    }
}
