//! How a guest was seen to end.

use nex_vmm::Ending;

/// How a guest was seen to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GuestEnd {
    /// By itself.
    Itself(Ending),
    /// Its VMM failed.
    Vmm {
        /// What it said.
        said: String,
        /// The signal that has ended it, if one has.
        signal: Option<i32>,
    },
    /// It was killed.
    Killed,
}
