//! A file or a block device, for readers of file systems.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use nex_ext4::ReadAt;

/// One that is only read. Of a block device, unlike metadata, it tells the length.
pub struct Disk(pub File);

impl ReadAt for Disk {
    fn size(&self) -> io::Result<u64> {
        nex_file::length(&self.0)
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(bytes, offset)
    }
}
