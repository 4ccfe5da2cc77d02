//! Layers made by hand, entry by entry, as tar with PAX records where the old header is too small.

use std::io::Write;

use tar::{EntryType, Header};

use crate::Result;

/// The largest number that an old header's seven octal digits hold.
const OCTAL_MAX: u64 = 0o7_777_777;
/// Bytes of a name that an old header holds.
const NAME_MAX: usize = 100;
/// What everything in a tar is padded to.
const RECORD: usize = 512;

/// One member of a layer, to be adjusted with the methods named after its parts.
#[derive(Clone, Debug)]
pub struct Entry {
    path: Vec<u8>,
    kind: EntryType,
    data: Vec<u8>,
    link: Vec<u8>,
    mode: u32,
    owner: (u32, u32),
    modified: (i64, u32),
    device: (u32, u32),
    pax: Vec<(String, Vec<u8>)>,
}

impl Entry {
    fn new(path: impl AsRef<[u8]>, kind: EntryType, mode: u32) -> Self {
        Self {
            path: path.as_ref().to_vec(),
            kind,
            data: Vec::new(),
            link: Vec::new(),
            mode,
            owner: (0, 0),
            modified: (1_600_000_000, 0),
            device: (0, 0),
            pax: Vec::new(),
        }
    }

    /// A regular file, 0644.
    pub fn file(path: impl AsRef<[u8]>, data: impl AsRef<[u8]>) -> Self {
        Self { data: data.as_ref().to_vec(), ..Self::new(path, EntryType::Regular, 0o644) }
    }

    /// A regular file with holes, 0644: `size` bytes, zero but for `regions`, each a place and its bytes, in order. In PAX
    /// format 1.0 of GNU tar: the map stands before the content, in decimal.
    pub fn sparse(path: impl AsRef<[u8]>, size: u64, regions: &[(u64, Vec<u8>)]) -> Self {
        let lines = regions.iter().map(|(place, bytes)| format!("{place}\n{}\n", bytes.len()));
        let mut data = format!("{}\n{}", regions.len(), lines.collect::<String>()).into_bytes();
        data.resize(data.len().next_multiple_of(RECORD), 0);
        regions.iter().for_each(|(_, bytes)| data.extend_from_slice(bytes));
        Self::file("GNUSparseFile.0/file", data)
            .pax("GNU.sparse.major", "1")
            .pax("GNU.sparse.minor", "0")
            .pax("GNU.sparse.name", path)
            .pax("GNU.sparse.realsize", size.to_string())
    }

    /// A directory, 0755.
    pub fn directory(path: impl AsRef<[u8]>) -> Self {
        Self::new(path, EntryType::Directory, 0o755)
    }

    /// A symbolic link.
    pub fn symlink(path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        Self { link: target.as_ref().to_vec(), ..Self::new(path, EntryType::Symlink, 0o777) }
    }

    /// A further name of the file `target`.
    pub fn hard_link(path: impl AsRef<[u8]>, target: impl AsRef<[u8]>) -> Self {
        Self { link: target.as_ref().to_vec(), ..Self::new(path, EntryType::Link, 0o644) }
    }

    /// A character device, 0600.
    pub fn character_device(path: impl AsRef<[u8]>, major: u32, minor: u32) -> Self {
        Self { device: (major, minor), ..Self::new(path, EntryType::Char, 0o600) }
    }

    /// A block device, 0600.
    pub fn block_device(path: impl AsRef<[u8]>, major: u32, minor: u32) -> Self {
        Self { device: (major, minor), ..Self::new(path, EntryType::Block, 0o600) }
    }

    /// A named pipe, 0600.
    pub fn fifo(path: impl AsRef<[u8]>) -> Self {
        Self::new(path, EntryType::Fifo, 0o600)
    }

    /// The mark that hides `path` of the layers below.
    pub fn whiteout(path: &str) -> Self {
        let (directory, name) = path.rsplit_once('/').map_or(("", path), |(directory, name)| (directory, name));
        Self::file(format!("{directory}/.wh.{name}").trim_start_matches('/'), "")
    }

    /// The mark that hides all that the layers below have in `directory`.
    pub fn opaque(directory: &str) -> Self {
        Self::file(format!("{directory}/.wh..wh..opq"), "")
    }

    /// Sets permission, setid and sticky bits.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// Sets owner and group.
    #[must_use]
    pub fn owner(mut self, uid: u32, gid: u32) -> Self {
        self.owner = (uid, gid);
        self
    }

    /// Sets the time of the last change: seconds since 1970 (negative before) and nanoseconds.
    #[must_use]
    pub fn modified(mut self, seconds: i64, nanoseconds: u32) -> Self {
        self.modified = (seconds, nanoseconds);
        self
    }

    /// Adds an extended attribute.
    #[must_use]
    pub fn xattr(self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.pax(&format!("SCHILY.xattr.{name}"), value)
    }

    /// Adds a PAX record as it is.
    #[must_use]
    pub fn pax(mut self, key: &str, value: impl AsRef<[u8]>) -> Self {
        self.pax.push((key.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Writes the records that the header cannot hold, the header, and the content.
    fn write(&self, tar: &mut tar::Builder<Vec<u8>>) -> Result<()> {
        let mut header = Header::new_ustar();
        let mut pax = self.pax.clone();
        header.set_entry_type(self.kind);
        header.set_mode(self.mode);
        header.set_size(self.data.len() as u64);
        set_name(&mut header.as_old_mut().name, &self.path, "path", &mut pax);
        set_name(&mut header.as_old_mut().linkname, &self.link, "linkpath", &mut pax);
        header.set_uid(small(self.owner.0, "uid", &mut pax));
        header.set_gid(small(self.owner.1, "gid", &mut pax));
        header.set_mtime(u64::try_from(self.modified.0).unwrap_or(0));
        if self.modified.0 < 0 || self.modified.1 > 0 {
            pax.push(("mtime".to_owned(), decimal_time(self.modified).into_bytes()));
        }
        if matches!(self.kind, EntryType::Char | EntryType::Block) {
            header.set_device_major(self.device.0)?;
            header.set_device_minor(self.device.1)?;
        }
        header.set_cksum();
        if !pax.is_empty() {
            tar.append_pax_extensions(pax.iter().map(|(key, value)| (key.as_str(), value.as_slice())))?;
        }
        tar.append(&header, &self.data[..])?;
        Ok(())
    }
}

/// The bytes of a [sparse](Entry::sparse) file, holes and all.
pub fn expanded(size: u64, regions: &[(u64, Vec<u8>)]) -> Vec<u8> {
    let mut whole = vec![0; size as usize];
    for (place, bytes) in regions {
        whole[*place as usize..][..bytes.len()].copy_from_slice(bytes);
    }
    whole
}

/// Puts a name into its field, cut when too long, and then the whole of it into a PAX record.
fn set_name(field: &mut [u8; NAME_MAX], name: &[u8], key: &str, pax: &mut Vec<(String, Vec<u8>)>) {
    let kept = name.len().min(NAME_MAX);
    field[..kept].copy_from_slice(&name[..kept]);
    if name.len() > NAME_MAX {
        pax.push((key.to_owned(), name.to_vec()));
    }
}

/// The number if an old header holds it, else 0 and a PAX record.
fn small(id: u32, key: &str, pax: &mut Vec<(String, Vec<u8>)>) -> u64 {
    if u64::from(id) > OCTAL_MAX {
        pax.push((key.to_owned(), id.to_string().into_bytes()));
        return 0;
    }
    u64::from(id)
}

/// A time as PAX writes it: a decimal number, negative before 1970.
fn decimal_time((seconds, nanoseconds): (i64, u32)) -> String {
    let total = i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds);
    let sign = if total < 0 { "-" } else { "" };
    let size = total.unsigned_abs();
    format!("{sign}{}.{:09}", size / 1_000_000_000, size % 1_000_000_000)
}

/// The header of a regular file, for content that is too large to be held; who writes it pads it and ends the stream.
///
/// # Errors
/// When the name does not fit.
pub fn file_header(path: &str, size: u64) -> Result<Vec<u8>> {
    let mut header = Header::new_gnu();
    header.set_path(path)?;
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header.set_cksum();
    Ok(header.as_bytes().to_vec())
}

/// The tar stream of a layer with these entries, in this order.
///
/// # Errors
/// When an entry cannot be written as tar.
pub fn tar(entries: &[Entry]) -> Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    for entry in entries {
        entry.write(&mut builder)?;
    }
    let mut stream = builder.into_inner()?;
    stream.flush()?;
    Ok(stream)
}
