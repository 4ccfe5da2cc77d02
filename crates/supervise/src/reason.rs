//! Why a guest is no more. Every guest that was begun ends for exactly one of these reasons.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
pub enum Reason {
    /// The program has ended by itself.
    Exited {
        /// Its exit code.
        code: u8,
    },
    /// A signal has ended the program.
    Signalled {
        /// The signal's number.
        signal: u8,
    },
    /// The program could not be started.
    Unstarted {
        /// What a shell gives: 125 to 127.
        code: u8,
    },
    /// The guest's kernel has killed the program for want of memory.
    OutOfMemoryInGuest,
    /// The machine's kernel has killed the VMM for want of memory.
    OutOfMemoryOnHost,
    /// The guest's time was over.
    TimeOut,
    /// The guest was not up in time.
    BootTimeOut,
    /// The guest has switched itself off, or was reset, before its program had ended.
    PoweredOff,
    /// The guest's kernel has given up.
    Panic,
    /// The VMM has failed.
    VmmCrashed,
    /// The guest needed more disk than there was.
    NoSpace,
    /// Somebody has asked for the end.
    Stopped {
        /// The exit code that stands for it: the program's own, or 128 and the number of the signal that ended it.
        code: u8,
    },
    /// The machine was started anew while the guest ran.
    LostAtReboot,
    /// The guest's supervisor was killed, and the guest with it.
    SupervisorKilled,
    /// A reason that a later nex knows.
    #[serde(other)]
    Unknown,
}

impl Reason {
    /// Its name, as journals have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exited { .. } => "exited",
            Self::Signalled { .. } => "signalled",
            Self::Unstarted { .. } => "unstarted",
            Self::OutOfMemoryInGuest => "out-of-memory-in-guest",
            Self::OutOfMemoryOnHost => "out-of-memory-on-host",
            Self::TimeOut => "time-out",
            Self::BootTimeOut => "boot-time-out",
            Self::PoweredOff => "powered-off",
            Self::Panic => "panic",
            Self::VmmCrashed => "vmm-crashed",
            Self::NoSpace => "no-space",
            Self::Stopped { .. } => "stopped",
            Self::LostAtReboot => "lost-at-reboot",
            Self::SupervisorKilled => "supervisor-killed",
            Self::Unknown => "unknown",
        }
    }

    /// The exit code that stands for it, as `nex run` has it: 124 for a time-out, 137 where the guest's kernel has killed the
    /// program, and 125 where nex or the guest failed.
    pub const fn exit_code(self) -> u8 {
        /// What shells add to a signal's number.
        const SIGNALS: u8 = 128;
        match self {
            Self::Exited { code } | Self::Unstarted { code } | Self::Stopped { code } => code,
            Self::Signalled { signal } => SIGNALS.saturating_add(signal),
            Self::OutOfMemoryInGuest => 137,
            Self::TimeOut => 124,
            Self::OutOfMemoryOnHost
            | Self::BootTimeOut
            | Self::PoweredOff
            | Self::Panic
            | Self::VmmCrashed
            | Self::NoSpace
            | Self::LostAtReboot
            | Self::SupervisorKilled
            | Self::Unknown => 125,
        }
    }
}

impl fmt::Display for Reason {
    /// With its number in brackets, where it has one: `exited(3)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited { code: number }
            | Self::Signalled { signal: number }
            | Self::Unstarted { code: number }
            | Self::Stopped { code: number } => write!(f, "{}({number})", self.name()),
            _ => f.write_str(self.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_journal_and_unknown_reasons_are_reasons() {
        let all = [
            Reason::Exited { code: 3 },
            Reason::Signalled { signal: 9 },
            Reason::Unstarted { code: 127 },
            Reason::OutOfMemoryInGuest,
            Reason::OutOfMemoryOnHost,
            Reason::TimeOut,
            Reason::BootTimeOut,
            Reason::PoweredOff,
            Reason::Panic,
            Reason::VmmCrashed,
            Reason::NoSpace,
            Reason::Stopped { code: 143 },
            Reason::LostAtReboot,
            Reason::SupervisorKilled,
        ];
        for reason in all {
            let json = serde_json::to_value(reason).unwrap();
            assert_eq!(json["reason"], reason.name());
            assert_eq!(serde_json::from_value::<Reason>(json).unwrap(), reason);
        }
        let later = serde_json::from_str::<Reason>(r#"{"reason":"eaten","by":"a grue"}"#).unwrap();
        assert_eq!((later, later.exit_code()), (Reason::Unknown, 125));
        let shown = [Reason::Signalled { signal: 9 }, Reason::TimeOut].map(|reason| reason.to_string());
        assert_eq!(shown, ["signalled(9)", "time-out"]);
        assert_eq!([Reason::Signalled { signal: 9 }, Reason::Stopped { code: 143 }].map(Reason::exit_code), [137, 143]);
    }
}
