//! A bound on the work that an image can ask for.

use std::cell::Cell;

use super::Error;

/// How much a reader reads in all, before it says [`Error::OverBudget`]. Time and memory follow from it, whatever the
/// bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Bytes of metadata and of files; the holes in files count as what they read as.
    pub bytes: u64,
    /// Inodes, and blocks of metadata.
    pub structures: u64,
    /// Names in directories, each time that they are looked at.
    pub names: u64,
    /// Bytes of names that lists hand over, with what each of them takes in memory.
    pub listed: u64,
}

impl Budget {
    /// For images that are trusted, or looked at by somebody who can stop it.
    pub const UNLIMITED: Self = Self { bytes: u64::MAX, structures: u64::MAX, names: u64::MAX, listed: u64::MAX };
}

impl Default for Budget {
    /// The largest root filesystems need far less for a look at what boots in them; a hostile one takes some seconds.
    fn default() -> Self {
        Self { bytes: 2 << 30, structures: 1 << 21, names: 1 << 24, listed: 32 << 20 }
    }
}

const BYTES: &str = "bytes";

/// What is left of a budget.
pub(super) struct Remaining {
    limits: Budget,
    bytes: Cell<u64>,
    structures: Cell<u64>,
    names: Cell<u64>,
    listed: Cell<u64>,
}

impl Remaining {
    pub fn new(limits: Budget) -> Self {
        let Budget { bytes, structures, names, listed } = limits;
        let [bytes, structures, names, listed] = [bytes, structures, names, listed].map(Cell::new);
        Self { limits, bytes, structures, names, listed }
    }

    /// Whether so many bytes are left.
    pub fn check_bytes(&self, bytes: u64) -> Result<(), Error> {
        let (limit, what) = (self.limits.bytes, BYTES);
        if bytes > self.bytes.get() { Err(Error::OverBudget { limit, what }) } else { Ok(()) }
    }

    /// Pays for bytes of a file.
    pub fn spend_bytes(&self, bytes: u64) -> Result<(), Error> {
        spend(&self.bytes, bytes, self.limits.bytes, BYTES)
    }

    /// Pays for an inode or a block of metadata.
    pub fn spend_structure(&self, bytes: u64) -> Result<(), Error> {
        spend(&self.structures, 1, self.limits.structures, "inodes and blocks of metadata")?;
        self.spend_bytes(bytes)
    }

    /// Pays for a name.
    pub fn spend_name(&self) -> Result<(), Error> {
        spend(&self.names, 1, self.limits.names, "names")
    }

    /// Pays for a name that is handed over.
    pub fn spend_listed(&self, name: &[u8]) -> Result<(), Error> {
        /// What an entry of a list takes besides the bytes of its name.
        const ENTRY: u64 = 64;
        spend(&self.listed, name.len() as u64 + ENTRY, self.limits.listed, "bytes of listed names")
    }
}

fn spend(left: &Cell<u64>, amount: u64, limit: u64, what: &'static str) -> Result<(), Error> {
    let after = left.get().checked_sub(amount);
    left.set(after.unwrap_or(0));
    after.map(drop).ok_or(Error::OverBudget { limit, what })
}
