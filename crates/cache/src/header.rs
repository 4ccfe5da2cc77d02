//! An entry's header: what it is, and what its files are.
//!
//! One line of JSON, and the SHA-256 of that line. The header is written last; an entry without a whole one is none.

use std::fs::File;
use std::io::{self, Read};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The header's file.
pub const NAME: &str = "entry";

/// Changes whenever headers or what stands around them change their form.
const FORMAT: u32 = 1;

/// The longest header, in bytes.
const LONGEST: u64 = 64 << 10;

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    format: u32,
    /// The shelf's name.
    pub shelf: String,
    /// The entry's key.
    pub key: String,
    /// What it is, for people.
    pub about: String,
    /// Its files.
    pub files: Vec<FileFacts>,
}

/// What is known of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFacts {
    /// Its name in the entry.
    pub name: String,
    /// In bytes.
    pub length: u64,
    /// By [`crate::sum`].
    pub sum: u32,
}

impl Header {
    /// A header of the present form.
    pub fn new(shelf: &str, key: &str, about: &str, files: Vec<FileFacts>) -> Self {
        Self { format: FORMAT, shelf: shelf.into(), key: key.into(), about: about.into(), files }
    }

    /// The bytes of its file.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn to_bytes(&self) -> io::Result<Vec<u8>> {
        let line = serde_json::to_string(self)?;
        let sum = digest(&line);
        Ok(format!("{line}\n{sum}\n").into_bytes())
    }

    /// Reads a header back.
    ///
    /// # Errors
    /// In words, what is wrong with it.
    pub fn read(file: &File) -> Result<Self, String> {
        let mut bytes = Vec::new();
        file.take(LONGEST).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        let text = String::from_utf8(bytes).map_err(|_| "its header is damaged")?;
        let (line, sum) = text.split_once('\n').ok_or("its header is cut short")?;
        if sum.strip_suffix('\n') != Some(&digest(line)) {
            return Err("its header is damaged".into());
        }
        let header: Self = serde_json::from_str(line).map_err(|_| "its header is of another version of nex")?;
        if header.format == FORMAT { Ok(header) } else { Err("its header is of another version of nex".into()) }
    }
}

/// The SHA-256 of a line, in hex.
fn digest(line: &str) -> String {
    Sha256::digest(line).iter().map(|byte| format!("{byte:02x}")).collect()
}
