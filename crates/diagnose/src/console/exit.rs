//! How a process ended, by its wait status.

/// Signals that end processes, with their numbers on x86 and arm64.
const SIGNALS: [(u32, &str, &str); 15] = [
    (1, "SIGHUP", "its terminal is gone"),
    (2, "SIGINT", "interrupted"),
    (3, "SIGQUIT", "quit"),
    (4, "SIGILL", "an instruction that this processor does not have"),
    (5, "SIGTRAP", "a breakpoint"),
    (6, "SIGABRT", "it gave up by itself, as after a panic or a failed assertion"),
    (7, "SIGBUS", "a part of its file or memory is not there"),
    (8, "SIGFPE", "a division by zero"),
    (9, "SIGKILL", "killed, as for want of memory"),
    (11, "SIGSEGV", "an access to memory that it does not have"),
    (13, "SIGPIPE", "nobody reads what it writes"),
    (14, "SIGALRM", "its alarm"),
    (15, "SIGTERM", "asked to end"),
    (24, "SIGXCPU", "too much processor time"),
    (31, "SIGSYS", "a system call that is not allowed"),
];

/// How a process has ended: a wait status, as the kernel gives it for an init (`exitcode=0x00007f00`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It ended by itself, with this code.
    Code(u32),
    /// This signal ended it.
    Signal(u32),
}

impl Status {
    /// The status in a word of the kernel's.
    pub fn new(word: u32) -> Self {
        const CORE: u32 = 0x80;
        match word & 0xff & !CORE {
            0 => Self::Code(word >> 8 & 0xff),
            signal => Self::Signal(signal),
        }
    }

    /// The status in the kernel's words about an init that has ended.
    pub fn in_panic(words: &str) -> Option<Self> {
        let (_, digits) = words.split_once("exitcode=0x")?;
        u32::from_str_radix(digits.get(..8)?, 16).ok().map(Self::new)
    }

    /// How process 1 has ended, by a message of the kernel's; `None` for any other message.
    pub fn of_process_one(message: &[u8]) -> Option<Self> {
        let message = String::from_utf8_lossy(message);
        message.contains("Attempted to kill init!").then(|| Self::in_panic(&message)).flatten()
    }

    /// What it means.
    pub fn words(self) -> String {
        match self {
            Self::Code(0) => "with exit code 0: it took its work for done".into(),
            Self::Code(126) => "with exit code 126, which a shell gives for what it may not execute".into(),
            Self::Code(127) => {
                "with exit code 127, which a shell and a loader give when a program or library is missing".into()
            }
            Self::Code(code) => format!("with exit code {code}"),
            Self::Signal(number) => format!("by {}", signal(number)),
        }
    }
}

/// A signal with its name and what it is for.
pub fn signal(number: u32) -> String {
    let known = SIGNALS.iter().find(|(own, ..)| *own == number);
    known.map_or_else(|| format!("signal {number}"), |(_, name, what)| format!("signal {number} ({name}: {what})"))
}

#[cfg(test)]
mod tests {
    use super::Status;

    #[test]
    fn the_kernels_words_are_wait_statuses() {
        assert_eq!(Status::new(0x0000_0300), Status::Code(3));
        assert_eq!(Status::new(0x0000_000b), Status::Signal(11));
        assert_eq!(Status::new(0x0000_008b), Status::Signal(11));
        assert_eq!(Status::new(0), Status::Code(0));
        assert_eq!(Status::new(u32::MAX), Status::Signal(0x7f));
        let panic = b"[    5.123456] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000700";
        assert_eq!(Status::of_process_one(panic), Some(Status::Code(7)));
        for other in
            [&b"Attempted to kill init!"[..], b"Attempted to kill init! exitcode=0x7", b"exitcode=0x00000700", b"\xff"]
        {
            assert_eq!(Status::of_process_one(other), None);
        }
    }
}
