//! What decides what scripts change: the key of their layer in the cache.
//!
//! In it are the tree that they begin with, their bytes, variables and names, what `--mount` shows them, which secrets there
//! are, and the version of this program. Not in it are the contents of secrets, which leave no trace in a cache, and the
//! limits, past which there is no layer at all.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

use nex_sandbox::{Mount, World};
use sha2::{Digest, Sha256};

use crate::cache::Key;
use crate::output::hex;

/// Changes when layers of earlier versions with the same key would be others.
const FORM: &str = "setup scripts 2";

/// How much is read at once.
const CHUNK: usize = 256 << 10;

/// The key of what these scripts make of the tree that `base` decides, with mounts of this digest. `one_id` tells whether
/// owners can be changed.
pub fn key(world: &World, base: &[String], mounts: &str, one_id: bool) -> Key {
    let World { scripts, env, directories, mounts: _, secrets, network, hostname, limits: _ } = world;
    let mut parts: Vec<Vec<u8>> = vec![FORM.into(), env!("CARGO_PKG_VERSION").into()];
    let mut list = |name: &str, entries: Vec<Vec<u8>>| {
        parts.push(format!("{name} {}", entries.len()).into());
        parts.extend(entries);
    };
    list("base", base.iter().map(|part| part.clone().into_bytes()).collect());
    list("scripts", scripts.iter().flat_map(|script| [script.name.clone().into(), script.content.clone()]).collect());
    list("env", env.iter().flat_map(|(name, value)| [name.clone().into(), value.clone().into()]).collect());
    list("directories", directories.clone());
    list("mounts", vec![mounts.into()]);
    list("secrets", secrets.iter().map(|secret| secret.name.clone().into()).collect());
    list("rest", vec![format!("{network:?}").into(), hostname.clone().into(), vec![u8::from(one_id)]]);
    Key::of(parts.iter().map(Vec::as_slice))
}

/// The digest of what is mounted where: names, types, bytes, modes and link targets of everything below.
///
/// # Errors
/// When something cannot be read.
pub fn mounts_digest(mounts: &[Mount]) -> io::Result<String> {
    let mut hasher = Sha256::new();
    for Mount { source, target, read_only } in mounts {
        part(&mut hasher, target);
        hasher.update([u8::from(*read_only)]);
        let mut pending = vec![source.clone()];
        while let Some(path) = pending.pop() {
            // The source itself may be named through a link; no link below it is followed.
            let metadata = if path == *source { path.metadata()? } else { path.symlink_metadata()? };
            let below = path.strip_prefix(source).unwrap_or(Path::new(""));
            part(&mut hasher, below.as_os_str().as_bytes());
            hasher.update(metadata.mode().to_le_bytes());
            let kind = metadata.file_type();
            if kind.is_dir() {
                let mut names =
                    std::fs::read_dir(&path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
                names.sort_unstable_by(|a, b| b.cmp(a));
                pending.append(&mut names);
            } else if kind.is_symlink() {
                part(&mut hasher, path.read_link()?.as_os_str().as_bytes());
            } else if kind.is_file() {
                part(&mut hasher, content_digest(&path)?.as_bytes());
            } else if kind.is_char_device() || kind.is_block_device() {
                hasher.update(metadata.rdev().to_le_bytes());
            }
        }
    }
    Ok(hex(&hasher.finalize()))
}

fn part(hasher: &mut Sha256, bytes: &[u8]) {
    hasher.update((bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

fn content_digest(path: &Path) -> io::Result<String> {
    let (mut file, mut hasher, mut buffer) = (File::open(path)?, Sha256::new(), vec![0; CHUNK]);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hasher.finalize())),
            read => hasher.update(&buffer[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_mounted_counts_with_names_bytes_and_modes() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("a/file");
        std::fs::create_dir(place.path().join("a")).unwrap();
        std::fs::write(&file, "one").unwrap();
        let mount = |target: &str| Mount { source: place.path().into(), target: target.into(), read_only: true };
        let digest = || mounts_digest(&[mount("/x")]).unwrap();
        let mut seen = vec![digest()];
        assert_eq!(digest(), seen[0]);
        std::fs::write(&file, "two").unwrap();
        seen.push(digest());
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        seen.push(digest());
        std::fs::rename(&file, place.path().join("a/other")).unwrap();
        seen.push(digest());
        std::os::unix::fs::symlink("other", &file).unwrap();
        seen.push(digest());
        seen.push(mounts_digest(&[mount("/y")]).unwrap());
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 6);
        assert!(mounts_digest(&[Mount { source: file.join("none"), ..mount("/x") }]).is_err());
    }
}
