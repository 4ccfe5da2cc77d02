//! FICLONERANGE: lets two files of one file system share blocks, where it can.
#![allow(unsafe_code, reason = "an ioctl is an unsafe call")]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use rustix::ioctl::{Opcode, Setter, ioctl, opcode};

/// `struct file_clone_range` of `linux/fs.h`.
#[repr(C)]
struct FileCloneRange {
    source: i64,
    source_offset: u64,
    /// 0 stands for all that is left, so nobody may ask for nothing.
    source_length: u64,
    target_offset: u64,
}

/// `_IOW(0x94, 13, struct file_clone_range)`.
const FICLONERANGE: Opcode = opcode::write::<FileCloneRange>(0x94, 13);

/// Lets `target` share the blocks of `source`, holes too.
///
/// # Errors
/// When the file system cannot, for these files or these offsets; nothing has changed then.
pub fn share(source: &File, source_offset: u64, length: u64, target: &File, target_offset: u64) -> io::Result<()> {
    let argument =
        FileCloneRange { source: source.as_raw_fd().into(), source_offset, source_length: length, target_offset };
    // SAFETY: the kernel reads a `struct file_clone_range` for this opcode, which this is, and writes no memory of ours. Both
    // descriptors are borrowed for the call.
    Ok(unsafe { ioctl(target, Setter::<FICLONERANGE, FileCloneRange>::new(argument)) }?)
}
