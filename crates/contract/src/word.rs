//! The words of the kernel's command line by which the host tells the agent what to do.
//!
//! They have the form of the kernel's own parameters, a name, `=` and a value, and as for those the last one of a name counts. A kernel
//! hands words on that it does not know. `docs/agent.md` has them for people.

use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;

use nex_fault::{Code, Fault};

use crate::carrier::{Carrier, ParseCarrierError};
use crate::codes;
use crate::port;
use crate::restart::{ParseRestartError, Restart};

/// The value for [`Upper::Tmpfs`].
const TMPFS: &str = "tmpfs";
/// The value for [`WorkloadSource::Image`].
const IMAGE: &str = "image";

/// What stands before a word's `=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordName {
    /// Of [`Word::Overlay`].
    Overlay,
    /// Of [`Word::Init`].
    Init,
    /// Of [`Word::Workload`].
    Workload,
    /// Of [`Word::Restart`].
    Restart,
    /// Of [`Word::PowerOff`].
    PowerOff,
    /// Of [`Word::Vsock`].
    Vsock,
    /// Of [`Word::Channel`].
    Channel,
}

/// A word, with what it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// As the init, the agent lays an overlay over the root before anything else; changes go there.
    Overlay(Upper),
    /// What the agent starts in the overlay, by its path; without this word it goes on as the init itself.
    Init(String),
    /// What the agent runs.
    Workload(WorkloadSource),
    /// Whether a workload that the image describes is started again.
    Restart(Restart),
    /// When the machine ends, or how.
    PowerOff(PowerOff),
    /// As the init, the agent goes on over vsock, at this port of the host's.
    Vsock(u32),
    /// As the init, the agent has a channel to the host, by this.
    Channel(Carrier),
}

/// The upper layer of an overlay: where its changes go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upper {
    /// Into memory.
    Tmpfs,
    /// Onto this drive, which has an ext4.
    Drive(PathBuf),
}

/// Where a workload is described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkloadSource {
    /// In the root, by [`IMAGE_FILE`](crate::IMAGE_FILE).
    Image,
    /// On this drive, with its program, by [`WORKLOAD_FILE`](crate::WORKLOAD_FILE).
    Drive(PathBuf),
}

/// When the machine ends, or how. Words of both kinds may stand on one command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerOff {
    /// With the workload: once that has ended for good, and at once where there is none.
    WithWorkload,
    /// By switching its power off.
    Off,
    /// By a reset.
    Reboot,
}

/// A word of ours has a value that means nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WordError {
    /// The value is no restart policy.
    Restart(ParseRestartError),
    /// The value says neither when nor how the machine ends.
    PowerOff(String),
    /// The value is no port.
    Vsock(String),
    /// The value names no carrier.
    Channel(ParseCarrierError),
}

impl WordName {
    /// All names.
    pub const ALL: [Self; 7] =
        [Self::Overlay, Self::Init, Self::Workload, Self::Restart, Self::PowerOff, Self::Vsock, Self::Channel];

    /// The name as it stands on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Overlay => "nex.overlay",
            Self::Init => "nex.init",
            Self::Workload => "nex.workload",
            Self::Restart => "nex.restart",
            Self::PowerOff => "nex.poweroff",
            Self::Vsock => "nex.vsock",
            Self::Channel => "nex.channel",
        }
    }

    /// The word of this name with a value.
    ///
    /// # Errors
    /// When the value means nothing.
    pub fn with(self, value: &str) -> Result<Word, WordError> {
        Ok(match self {
            Self::Overlay => Word::Overlay(match value {
                TMPFS => Upper::Tmpfs,
                drive => Upper::Drive(drive.into()),
            }),
            Self::Init => Word::Init(value.into()),
            Self::Workload => Word::Workload(match value {
                IMAGE => WorkloadSource::Image,
                drive => WorkloadSource::Drive(drive.into()),
            }),
            Self::Restart => Word::Restart(value.parse().map_err(WordError::Restart)?),
            Self::PowerOff => Word::PowerOff(PowerOff::parse(value)?),
            Self::Vsock => Word::Vsock(port::parse(value).ok_or_else(|| WordError::Vsock(value.into()))?),
            Self::Channel => Word::Channel(value.parse().map_err(WordError::Channel)?),
        })
    }
}

impl Word {
    /// Reads a word of the command line; `None` for one that is not ours.
    ///
    /// # Errors
    /// When it has one of our names, and a value that means nothing.
    pub fn parse(word: &str) -> Option<Result<Self, WordError>> {
        let (name, value) = word.split_once('=')?;
        let name = WordName::ALL.into_iter().find(|known| known.as_str() == name)?;
        Some(name.with(value))
    }

    /// Its name.
    pub const fn name(&self) -> WordName {
        match self {
            Self::Overlay(_) => WordName::Overlay,
            Self::Init(_) => WordName::Init,
            Self::Workload(_) => WordName::Workload,
            Self::Restart(_) => WordName::Restart,
            Self::PowerOff(_) => WordName::PowerOff,
            Self::Vsock(_) => WordName::Vsock,
            Self::Channel(_) => WordName::Channel,
        }
    }
}

impl PowerOff {
    const ALL: [Self; 3] = [Self::WithWorkload, Self::Off, Self::Reboot];

    const fn as_str(self) -> &'static str {
        match self {
            Self::WithWorkload => "1",
            Self::Off => "off",
            Self::Reboot => "reboot",
        }
    }

    fn parse(value: &str) -> Result<Self, WordError> {
        let known = Self::ALL.into_iter().find(|known| known.as_str() == value);
        known.ok_or_else(|| WordError::PowerOff(value.into()))
    }
}

impl Display for WordName {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Display for Word {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}=", self.name())?;
        match self {
            Self::Overlay(Upper::Tmpfs) => formatter.write_str(TMPFS),
            Self::Workload(WorkloadSource::Image) => formatter.write_str(IMAGE),
            Self::Overlay(Upper::Drive(drive)) | Self::Workload(WorkloadSource::Drive(drive)) => {
                write!(formatter, "{}", drive.display())
            }
            Self::Init(path) => formatter.write_str(path),
            Self::Restart(policy) => write!(formatter, "{policy}"),
            Self::PowerOff(power_off) => formatter.write_str(power_off.as_str()),
            Self::Vsock(port) => write!(formatter, "{port}"),
            Self::Channel(carrier) => write!(formatter, "{carrier}"),
        }
    }
}

impl Display for WordError {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Restart(error) => write!(formatter, "{}: {error}", WordName::Restart),
            Self::PowerOff(value) => write!(formatter, "{}={value} is neither 1, off nor reboot", WordName::PowerOff),
            Self::Vsock(value) => write!(formatter, "{}={value} names no port", WordName::Vsock),
            Self::Channel(error) => write!(formatter, "{}: {error}", WordName::Channel),
        }
    }
}

impl std::error::Error for WordError {}

impl Fault for WordError {
    fn code(&self) -> Code {
        match self {
            Self::Restart(error) => error.code(),
            Self::Channel(error) => error.code(),
            Self::PowerOff(_) | Self::Vsock(_) => codes::WORD,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_and_written() {
        let words = [
            ("nex.overlay=tmpfs", Word::Overlay(Upper::Tmpfs)),
            ("nex.overlay=/dev/vdb", Word::Overlay(Upper::Drive("/dev/vdb".into()))),
            ("nex.init=/sbin/init", Word::Init("/sbin/init".into())),
            ("nex.workload=image", Word::Workload(WorkloadSource::Image)),
            ("nex.workload=/dev/vdc", Word::Workload(WorkloadSource::Drive("/dev/vdc".into()))),
            ("nex.restart=on-failure:3", Word::Restart(Restart::OnFailure { times: Some(3) })),
            ("nex.poweroff=1", Word::PowerOff(PowerOff::WithWorkload)),
            ("nex.poweroff=off", Word::PowerOff(PowerOff::Off)),
            ("nex.poweroff=reboot", Word::PowerOff(PowerOff::Reboot)),
            ("nex.vsock=1024", Word::Vsock(1024)),
            ("nex.channel=virtio", Word::Channel(Carrier::Virtio)),
            ("nex.channel=vsock:1023", Word::Channel(Carrier::Vsock(1023))),
        ];
        for (text, word) in &words {
            assert_eq!(Word::parse(text), Some(Ok(word.clone())));
            assert_eq!(word.to_string(), *text);
        }
        for name in WordName::ALL {
            assert!(words.iter().any(|(_, word)| word.name() == name), "{name}");
        }
    }

    #[test]
    fn a_value_that_means_nothing_is_told_from_a_word_of_others() {
        for (text, told) in [
            ("nex.restart=often", "nex.restart: \"often\" is no restart policy"),
            ("nex.poweroff=maybe", "nex.poweroff=maybe is neither"),
            ("nex.vsock=x", "nex.vsock=x names no port"),
            ("nex.vsock=", "nex.vsock= names no port"),
            ("nex.vsock=+1024", "nex.vsock=+1024 names no port"),
            ("nex.channel=serial", "nex.channel: \"serial\" is neither virtio nor vsock:PORT"),
        ] {
            let error = Word::parse(text).expect("ours").unwrap_err();
            assert!(error.to_string().starts_with(told), "{error}");
        }
        for other in ["", "rw", "nex.overlay", "nex.other=1", "init=/sbin/init", "nex=1", " nex.vsock=1"] {
            assert_eq!(Word::parse(other), None, "{other}");
        }
    }
}
