//! Files that a user asks for: whole under their names, or not there.

use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tempfile::NamedTempFile;

use crate::private;

/// What others may do with them, but for what the umask takes away.
const MODE: u32 = 0o666;

/// Writes a file in one step for everybody who looks; what had the name before is replaced. Its directory is made, too.
///
/// # Errors
/// When the directory takes no new file, or the disk fails. What had the name stays then.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make_directory(directory)?;
    unnamed_yet(directory, content)?.persist(path)?;
    Ok(())
}

/// The same for a file that is nobody's but the caller's, in a directory that is there, whatever the umask says.
///
/// # Errors
/// As [`write()`].
pub fn write_own(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = unnamed_yet(directory, content)?;
    file.as_file().set_permissions(Permissions::from_mode(private::FILE))?;
    file.persist(path)?;
    Ok(())
}

/// Writes several files of a directory, which is made, too: none of them has its name before all are on the disk. They get their
/// names in this order, so that the last can lead to the others.
///
/// # Errors
/// When the directory takes no new files, or the disk fails.
pub fn write_all(directory: &Path, files: &[(&str, Vec<u8>)]) -> io::Result<()> {
    make_directory(directory)?;
    let mut complete = Vec::new();
    for (name, content) in files {
        complete.push((directory.join(name), unnamed_yet(directory, content)?));
    }
    for (path, file) in complete {
        file.persist(path)?;
    }
    Ok(())
}

/// Makes a directory and those above it where they are missing. Its owner can use one that was made, whatever the umask says, as with
/// `mkdir -p`.
fn make_directory(directory: &Path) -> io::Result<()> {
    const OWNER: u32 = 0o700;
    if directory.as_os_str().is_empty() || directory.is_dir() {
        return Ok(());
    }
    directory.parent().map_or(Ok(()), make_directory)?;
    match std::fs::create_dir(directory) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && directory.is_dir() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => {
            let mode = std::fs::metadata(directory)?.permissions().mode();
            let usable = Permissions::from_mode(mode | OWNER);
            if mode & OWNER == OWNER { Ok(()) } else { std::fs::set_permissions(directory, usable) }
        }
    }
}

/// A whole file that has yet to get its name.
fn unnamed_yet(directory: &Path, content: &[u8]) -> io::Result<NamedTempFile> {
    let file =
        tempfile::Builder::new().prefix(".nex-").permissions(Permissions::from_mode(MODE)).tempfile_in(directory)?;
    // Not by its name, which would stand in errors and says nothing to anybody.
    file.as_file().write_all(content)?;
    file.as_file().sync_all()?;
    Ok(file)
}
