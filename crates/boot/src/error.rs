//! Why there is no boot, in the user's terms.

use std::path::PathBuf;

use nex_diagnose::{CheckError, Refused};
use nex_fault::{Code, Fault, Remedy, Setting};
use thiserror::Error;

use crate::codes;

/// Why there is nothing to report. What happens in the guest is no error but an [`Outcome`](crate::Outcome).
#[derive(Debug, Error)]
pub enum Error {
    /// Nobody would know that the guest is up.
    #[error("nex would not learn when the guest of '{}' is up: {} {why}", .path.display(), nex_contract::AGENT)]
    SilentAgent {
        /// The root filesystem.
        path: PathBuf,
        /// What its agent is.
        why: String,
        /// How it gets one that does.
        remedy: String,
    },
    /// Nobody would lay the overlay over the root.
    #[error("the guest of '{}' cannot lay an overlay over its root: {} {why}", .path.display(), nex_contract::AGENT)]
    OverlayAgent {
        /// The root filesystem.
        path: PathBuf,
        /// What its agent is.
        why: String,
    },
    /// The root filesystem cannot be checked.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// No kernel mounts it.
    #[error(transparent)]
    Contract(#[from] Refused),
    /// There is no guest.
    #[error(transparent)]
    Guest(#[from] nex_guest::Error),
}

impl Fault for Error {
    fn code(&self) -> Code {
        match self {
            Self::SilentAgent { .. } => codes::SILENT_AGENT,
            Self::OverlayAgent { .. } => codes::OVERLAY_AGENT,
            Self::Check(error) => error.code(),
            Self::Contract(error) => error.code(),
            Self::Guest(error) => error.code(),
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::SilentAgent { remedy, .. } => Some(
                Remedy::say("say what shows it:")
                    .choose(Setting::Ready)
                    .and("REGEX (a line on its console) or")
                    .choose(Setting::ReadyAfter)
                    .and(format!("TIME; or {remedy}")),
            ),
            Self::OverlayAgent { path, .. } => {
                Some(Remedy::say("boot it without").omit(Setting::Overlay).and("and").omit(Setting::OverlayDrive).and(
                    format!(
                        ", or give it nex's own agent: nex rootfs set-agent {} NEX-AGENT",
                        nex_text::shell_word(path)
                    ),
                ))
            }
            Self::Check(error) => error.remedy(),
            Self::Contract(error) => error.remedy(),
            Self::Guest(error) => error.remedy(),
        }
    }
}

#[cfg(test)]
mod tests {
    use nex_fault::advised;

    use super::*;

    #[test]
    fn errors_say_what_is_wrong_and_programs_learn_what_to_do() {
        let why = "is not nex's own";
        let cases = [
            (
                Error::SilentAgent { path: "a.ext4".into(), why: why.into(), remedy: "make it anew".into() },
                "nex would not learn when the guest of 'a.ext4' is up: /usr/local/bin/agent is not nex's own; say what shows it: --ready \
                 REGEX (a line on its console) or --ready-after TIME; or make it anew",
                "boot-silent-agent",
            ),
            (
                Error::OverlayAgent { path: "a.ext4".into(), why: why.into() },
                "the guest of 'a.ext4' cannot lay an overlay over its root: /usr/local/bin/agent is not nex's own; boot it without \
                 --overlay and --overlay-drive, or give it nex's own agent: nex rootfs set-agent a.ext4 NEX-AGENT",
                "boot-overlay-agent",
            ),
            (
                Error::Guest(nex_guest::Error::NoEmulation),
                "Firecracker needs KVM, and cannot emulate a guest; for an emulated one there is --vmm qemu",
                "guest-other-vmm",
            ),
        ];
        for (error, line, code) in cases {
            let said = advised(&error, Setting::flag);
            assert_eq!((said.as_str(), error.code().id()), (line, code));
        }
    }
}
