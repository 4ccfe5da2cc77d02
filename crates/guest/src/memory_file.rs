//! A file that exists in memory only, and ends with this process, however that ends.

use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

use crate::proc_fd::path_of;

/// The file, as long as it is open.
#[derive(Debug)]
pub struct MemoryFile {
    file: File,
    length: u64,
}

impl MemoryFile {
    /// A file with this content.
    pub fn new(content: &[u8]) -> io::Result<Self> {
        let mut file = nex_file::private::memory_file(c"nex-initramfs")?;
        file.write_all(content)?;
        Ok(Self { file, length: content.len() as u64 })
    }

    /// A path by which processes of the same user open it.
    pub fn path(&self) -> PathBuf {
        path_of(&self.file)
    }

    /// Its length in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }
}
