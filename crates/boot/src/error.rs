//! Why there is no boot, in the user's terms.

use std::path::PathBuf;

use thiserror::Error;

/// Why there is nothing to report. What happens in the guest is no error but an [`Outcome`](crate::Outcome).
#[derive(Debug, Error)]
pub enum Error {
    /// Nobody would know that the guest is up.
    #[error(
        "nothing would tell that the guest of '{}' is up: {} {why}; say what shows it: --ready REGEX (a line on its console) or \
         --ready-after TIME; or {remedy}",
        .path.display(), nex_contract::AGENT
    )]
    SilentAgent {
        /// The root filesystem.
        path: PathBuf,
        /// What its agent is.
        why: String,
        /// How it gets one that does.
        remedy: String,
    },
    /// Nobody would lay the overlay over the root.
    #[error(
        "nothing would lay the overlay over the root of '{}': {} {why}; boot it without --overlay and --overlay-drive, or give it \
         nex's own agent: nex rootfs set-agent {} NEX-AGENT",
        .path.display(), nex_contract::AGENT, nex_text::shell_word(.path)
    )]
    OverlayAgent {
        /// The root filesystem.
        path: PathBuf,
        /// What its agent is.
        why: String,
    },
    /// There is no guest.
    #[error(transparent)]
    Guest(#[from] nex_guest::Error),
}
