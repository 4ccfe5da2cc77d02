//! Tar headers for a tree's entries: ustar, with PAX records for all that ustar cannot say.

use std::ops::Range;

use rustix::fs::{Stat, major, minor};
use tar_core::EntryType;
use tar_core::builder::{HeaderBuilder, PaxBuilder};

use super::xattr::Xattrs;

const BLOCK: usize = 512;
/// Bytes of ustar's `name` and `linkname`.
const MAX_NAME: usize = 100;
/// The largest numbers in ustar's octal fields of 7 and 11 digits.
const MAX_ID: u32 = 0o7_777_777;
const MAX_SIZE: u64 = 0o77_777_777_777;
/// The permission bits, with setuid, setgid and sticky.
const PERMISSIONS: u32 = 0o7777;
const NANOS_PER_SECOND: u64 = 1_000_000_000;
/// How PAX records name xattrs, in all tars since Schily's.
const XATTR_PREFIX: &str = "SCHILY.xattr.";

/// What an entry is.
#[derive(Clone, Copy)]
pub(super) enum Kind<'a> {
    File,
    /// A file with holes.
    Sparse(&'a SparseMap),
    Directory,
    Symlink(&'a [u8]),
    /// With the first name of the same file.
    HardLink(&'a [u8]),
    CharacterDevice,
    BlockDevice,
    Fifo,
}

/// Where the bytes stand in a file with holes: GNU tar's format for it, version 1.0, has the map in front of the content.
pub(super) struct SparseMap {
    /// The map as it stands in the tar, with its padding.
    pub text: Vec<u8>,
    /// How many bytes of content follow.
    pub stored: u64,
}

impl SparseMap {
    /// The map of these runs, which are in order. A run of no bytes at the end says how long the file is: without it, GNU tar makes no
    /// hole there.
    pub(super) fn new(runs: &[Range<u64>], length: u64) -> Self {
        let end = Some(length..length).filter(|_| runs.last().is_none_or(|last| last.end < length));
        let mut text = format!("{}\n", runs.len() + end.iter().len()).into_bytes();
        for run in runs.iter().chain(&end) {
            text.extend_from_slice(format!("{}\n{}\n", run.start, run.end - run.start).as_bytes());
        }
        text.extend_from_slice(padding(text.len() as u64));
        Self { text, stored: runs.iter().map(|run| run.end - run.start).sum() }
    }
}

/// An entry before its content.
pub(super) struct Entry<'a> {
    /// Relative to the root, whose own is empty.
    pub path: &'a [u8],
    pub stat: &'a Stat,
    pub kind: Kind<'a>,
    pub xattrs: &'a Xattrs,
}

impl Entry<'_> {
    /// The entry's blocks: the PAX header with its records, and the header.
    pub(super) fn to_tar(&self) -> Result<Vec<u8>, String> {
        let records = self.records()?;
        let mut pax = HeaderBuilder::new_ustar();
        pax.entry_type(EntryType::XHeader);
        let mut bytes = Vec::with_capacity(4 * BLOCK);
        (|| {
            pax.path("pax")?.mode(0)?.uid(0)?.gid(0)?.mtime(0)?.size(records.len() as u64)?;
            bytes.extend_from_slice(pax.finish().as_bytes());
            bytes.extend_from_slice(&records);
            bytes.extend_from_slice(padding(records.len() as u64));
            bytes.extend_from_slice(self.header()?.as_bytes());
            Ok(bytes)
        })()
        .map_err(|error: tar_core::HeaderError| format!("does not fit a tar header: {error}"))
    }

    fn header(&self) -> tar_core::Result<tar_core::Header> {
        let (kind, link) = match self.kind {
            Kind::File | Kind::Sparse(_) => (EntryType::Regular, None),
            Kind::Directory => (EntryType::Directory, None),
            Kind::Symlink(target) => (EntryType::Symlink, Some(target)),
            Kind::HardLink(target) => (EntryType::Link, Some(target)),
            Kind::CharacterDevice => (EntryType::Char, None),
            Kind::BlockDevice => (EntryType::Block, None),
            Kind::Fifo => (EntryType::Fifo, None),
        };
        let (path, stat) = (self.name(), self.stat);
        let mut header = HeaderBuilder::new_ustar();
        header.entry_type(kind).path(&path[..path.len().min(MAX_NAME)])?.mode(stat.st_mode & PERMISSIONS)?;
        header.uid(u64::from(stat.st_uid.min(MAX_ID)))?.gid(u64::from(stat.st_gid.min(MAX_ID)))?;
        header.size(self.size().min(MAX_SIZE))?;
        header.mtime(u64::try_from(stat.st_mtime).unwrap_or_default().min(MAX_SIZE))?;
        if let Some(link) = link {
            header.link_name(&link[..link.len().min(MAX_NAME)])?;
        }
        if matches!(self.kind, Kind::CharacterDevice | Kind::BlockDevice) {
            header.device(major(stat.st_rdev), minor(stat.st_rdev))?;
        }
        Ok(header.finish())
    }

    /// What ustar cannot say, and the time always, to the nanosecond.
    fn records(&self) -> Result<Vec<u8>, String> {
        let (path, stat) = (self.name(), self.stat);
        let mut pax = PaxBuilder::new();
        pax.add("mtime", pax_time(stat.st_mtime, stat.st_mtime_nsec));
        if path.len() > MAX_NAME {
            pax.path(&path);
        }
        if let Kind::Symlink(target) | Kind::HardLink(target) = self.kind
            && target.len() > MAX_NAME
        {
            pax.linkpath(target);
        }
        if stat.st_uid > MAX_ID {
            pax.uid(u64::from(stat.st_uid));
        }
        if stat.st_gid > MAX_ID {
            pax.gid(u64::from(stat.st_gid));
        }
        if self.size() > MAX_SIZE {
            pax.size(self.size());
        }
        if let Kind::Sparse(_) = self.kind {
            pax.add("GNU.sparse.major", "1");
            pax.add("GNU.sparse.minor", "0");
            pax.add("GNU.sparse.name", &path);
            pax.add("GNU.sparse.realsize", self.length().to_string());
        }
        for (name, value) in self.xattrs {
            let text = str::from_utf8(name).ok().filter(|text| !text.contains('='));
            let text = text
                .ok_or_else(|| format!("has an xattr '{}', whose name no tar can hold", nex_text::short_name(name)))?;
            pax.add(&format!("{XATTR_PREFIX}{text}"), value);
        }
        Ok(pax.finish())
    }

    /// The name in the tar. The root's is `./`, and other directories end with a slash.
    fn name(&self) -> Vec<u8> {
        match (self.path, self.kind) {
            (b"", _) => b"./".to_vec(),
            (path, Kind::Directory) => [path, b"/"].concat(),
            (path, _) => path.to_vec(),
        }
    }

    /// Bytes in the tar.
    fn size(&self) -> u64 {
        match self.kind {
            Kind::File => self.length(),
            Kind::Sparse(map) => map.text.len() as u64 + map.stored,
            _ => 0,
        }
    }

    /// Bytes of the file.
    fn length(&self) -> u64 {
        u64::try_from(self.stat.st_size).unwrap_or_default()
    }
}

/// The zeros behind content of `size` bytes.
pub(super) fn padding(size: u64) -> &'static [u8] {
    const ZEROS: [u8; BLOCK] = [0; BLOCK];
    let rest = (size % BLOCK as u64) as usize;
    &ZEROS[..(BLOCK - rest) % BLOCK]
}

/// A decimal number of seconds. The kernel counts nanoseconds upwards from a floor; a decimal counts away from zero.
fn pax_time(seconds: i64, nanoseconds: u64) -> String {
    match (seconds, nanoseconds) {
        (seconds, 0) => seconds.to_string(),
        (..0, nanoseconds) => {
            format!("-{}.{:09}", seconds.unsigned_abs() - 1, NANOS_PER_SECOND.saturating_sub(nanoseconds))
        }
        _ => format!("{seconds}.{nanoseconds:09}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_before_1970_are_decimals_too() {
        assert_eq!(pax_time(5, 0), "5");
        assert_eq!(pax_time(5, 1), "5.000000001");
        assert_eq!(pax_time(-2, 500_000_000), "-1.500000000");
        assert_eq!(pax_time(-1, 999_999_999), "-0.000000001");
    }

    #[test]
    fn padding_fills_the_block() {
        assert_eq!([0, 1, 511, 512, 513].map(|size| padding(size).len()), [0, 511, 1, 0, 511]);
    }
}
