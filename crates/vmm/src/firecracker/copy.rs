//! Copies of drives' files for guests to write to. Firecracker knows no snapshots of drives.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use nex_file::holes;
use nex_file::private::unnamed_file;
use rustix::io::Errno;

use crate::disk::Disk;
use crate::error::Error;
use crate::interrupt::Interrupt;

/// How much is copied at once where the kernel does not copy, in bytes.
const PIECE: usize = 1 << 20;
/// How much the kernel copies at once, in bytes: nothing but its end ends that.
const AT_ONCE: usize = 16 << 20;

/// A copy without a name, which goes when nobody has it open any more.
///
/// It shares the original's blocks where the file system can (Btrfs, XFS, bcachefs), and costs nothing then. Elsewhere it takes
/// as much time and room as the original has content, its holes stay holes, and it is in `TMPDIR` or `/var/tmp`.
pub fn unnamed(original: &Disk, interrupt: Interrupt<'_>) -> Result<File, Error> {
    let from = original.file();
    if let Some(copy) = beside(original.path(), from) {
        return Ok(copy);
    }
    let place = std::env::var_os("TMPDIR").map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from);
    let copied = unnamed_file(&place).and_then(|copy| sparse(from, &copy, interrupt).map(|()| copy));
    copied.map_err(|cause| Error::Copy { path: original.path().into(), place, cause })
}

/// A copy of shared blocks, which is in the original's own file system. `None` where that cannot be.
fn beside(original: &Path, from: &File) -> Option<File> {
    let directory = original.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let copy = unnamed_file(directory).ok()?;
    rustix::fs::ioctl_ficlone(&copy, from).ok()?;
    Some(copy)
}

/// Copies what a file has, and leaves its holes out.
///
/// # Errors
/// When the file cannot be read, or the copy not be written, or the interrupt comes.
pub fn sparse(from: &File, to: &File, interrupt: Interrupt<'_>) -> io::Result<()> {
    if rustix::fs::ioctl_ficlone(to, from).is_ok() {
        return Ok(());
    }
    // Of a block device, metadata tells no length.
    let length = nex_file::length(from)?;
    to.set_len(length)?;
    for run in holes::runs(from, 0..length) {
        let run = run?;
        copy_range(from, to, run.start, run.end, interrupt)?;
    }
    Ok(())
}

fn copy_range(from: &File, to: &File, start: u64, end: u64, interrupt: Interrupt<'_>) -> io::Result<()> {
    let (mut read, mut written) = (start, start);
    while read < end {
        interrupt.check()?;
        let left = usize::try_from(end - read).unwrap_or(usize::MAX).min(AT_ONCE);
        match rustix::fs::copy_file_range(from, Some(&mut read), to, Some(&mut written), left) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            // From one file system to another, not every kernel copies.
            Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                let mut piece = vec![0; left.min(PIECE)];
                from.read_exact_at(&mut piece, read)?;
                // A block device has no holes to be seen, and most of it may be zeros.
                if piece.iter().any(|byte| *byte != 0) {
                    to.write_all_at(&piece, read)?;
                }
                read += u64::try_from(piece.len()).map_err(io::Error::other)?;
                written = read;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn a_copy_ends_at_an_interrupt() -> io::Result<()> {
        let place = tempfile::tempdir()?;
        let from = File::options().read(true).write(true).create_new(true).open(place.path().join("from"))?;
        from.write_all_at(&vec![7; PIECE], 0)?;
        let (reader, mut writer) = io::pipe()?;
        let interrupt = Interrupt::by(reader.as_fd());
        let copy = |name: &str| {
            let to = File::options().read(true).write(true).create_new(true).open(place.path().join(name))?;
            copy_range(&from, &to, 0, PIECE as u64, interrupt).map(|()| to)
        };
        assert_eq!(copy("whole")?.metadata()?.len(), PIECE as u64);
        writer.write_all(b"x")?;
        assert!(copy("none").is_err());
        Ok(())
    }
}
