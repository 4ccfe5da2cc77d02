//! How nex ends: with an exit code, or by the signal that it was told to end by.
//!
//! The two are not the same to a program that waits. A shell shows 130 for both, but it stops a loop at Ctrl-C only if what ran in it
//! died of SIGINT; a supervisor takes a death by SIGTERM for the stop that it has asked for.

/// The end of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With this exit code.
    Code(u8),
    /// By this signal, once all is cleaned up.
    Signal(i32),
}

impl End {
    /// All is well.
    pub const DONE: Self = Self::Code(0);

    /// What a shell shows for it.
    pub fn exit_code(self) -> u8 {
        /// What a shell adds to the number of the signal that has ended a program.
        const SIGNALLED: u8 = 128;
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => SIGNALLED.saturating_add(u8::try_from(signal).unwrap_or_default()),
        }
    }
}
