//! Files that a user asks for: whole under their names, or not there.

use std::fs::Permissions;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What others may do with them, but for what the umask takes away.
const MODE: u32 = 0o666;

/// Writes a file in one step for everybody who looks; what had the name before is replaced. Its directory is made, too.
///
/// # Errors
/// When the directory takes no new file, or the disk fails. What had the name stays then.
pub fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory)?;
    let mut file =
        tempfile::Builder::new().prefix(".nex-").permissions(Permissions::from_mode(MODE)).tempfile_in(directory)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}
