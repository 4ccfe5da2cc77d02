//! Which boot of the kernel is meant: what was noted in another one runs no more.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};

/// The bytes of a UUID in its usual form.
const LENGTH: usize = 36;

/// What the kernel chooses at each boot, by chance: `/proc/sys/kernel/random/boot_id` (random(4)).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct BootId(Box<str>);

/// The text is no boot's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoBootId;

impl fmt::Display for NoBootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a boot's id is a UUID in lower case")
    }
}

impl std::error::Error for NoBootId {}

impl BootId {
    /// That of the kernel that runs.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub fn current() -> io::Result<Self> {
        /// No process sees two boots.
        static CURRENT: OnceLock<BootId> = OnceLock::new();
        if let Some(known) = CURRENT.get() {
            return Ok(known.clone());
        }
        let mut text = String::new();
        File::open("/proc/sys/kernel/random/boot_id")?.take(LENGTH as u64).read_to_string(&mut text)?;
        let id = Self::try_from(text).map_err(io::Error::other)?;
        Ok(CURRENT.get_or_init(|| id).clone())
    }
}

impl fmt::Display for BootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<BootId> for String {
    fn from(id: BootId) -> Self {
        id.0.into()
    }
}

impl TryFrom<String> for BootId {
    type Error = NoBootId;

    fn try_from(text: String) -> Result<Self, NoBootId> {
        let is_uuid = text.len() == LENGTH && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-'));
        if is_uuid { Ok(Self(text.into())) } else { Err(NoBootId) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_boot_has_one_id() {
        let id = BootId::current().unwrap();
        assert_eq!(id, BootId::current().unwrap());
        assert_eq!(BootId::try_from(String::from(id.clone())), Ok(id));
        for text in ["", "x", &"0".repeat(35), &"G".repeat(36)] {
            assert_eq!(BootId::try_from(text.to_owned()), Err(NoBootId));
        }
    }
}
