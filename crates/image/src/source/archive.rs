//! A tar that holds an image: its members are listed once, and then read where they are, without unpacking.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tar_core::EntryType;
use tar_core::parse::{ParseEvent, Parser};

use super::form::Form;
use super::unpack::tar_of;
use crate::error::Error;
use crate::image::Options;
use crate::limits::ARCHIVE_MEMBERS;

/// Bytes read at a time while listing. Most archives have all their headers far apart.
const STEP: usize = 4 << 10;
/// Bytes that the headers of one member may have, extensions included.
const MAX_HEADERS: usize = 4 << 20;
const BLOCK: u64 = 512;
/// Links to follow from one member to another.
const MAX_LINKS: usize = 8;

/// A tar with a table of its members.
pub(super) struct Archive {
    path: PathBuf,
    file: Arc<File>,
    members: BTreeMap<Vec<u8>, Member>,
}

enum Member {
    File {
        offset: u64,
        size: u64,
    },
    /// The name of another member.
    Link(Vec<u8>),
}

/// A member's content.
#[derive(Debug)]
pub(super) struct MemberReader {
    file: Arc<File>,
    offset: u64,
    left: u64,
}

impl Archive {
    /// Opens a tar and lists its members; of several with one name the last one counts.
    pub(super) fn open(path: &Path, form: &Form, options: &Options) -> Result<Archive, Error> {
        let file = tar_of(form.open(path)?, path, form, options)?;
        let members = list(path, &file, form)?;
        Ok(Archive { path: path.to_owned(), file: Arc::new(file), members })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens a member that the image refers to.
    pub(super) fn member(&self, name: &[u8]) -> Result<MemberReader, Error> {
        self.find(name).ok_or_else(|| {
            let name = nex_text::short_name(name);
            let problem = format!("has no file {name}, which the image needs; fetch or copy the image again");
            Error::document(self.path.display().to_string(), problem)
        })
    }

    /// Opens the member by which archives of a form are known.
    pub(super) fn mark(&self, name: &str, form: &Form) -> Result<MemberReader, Error> {
        self.find(name.as_bytes()).ok_or_else(|| form.missing(&self.path, format!("it has no file {name}")))
    }

    /// Opens a member, through links.
    fn find(&self, name: &[u8]) -> Option<MemberReader> {
        let mut at = normal(name);
        for _ in 0..MAX_LINKS {
            match self.members.get(&at)? {
                &Member::File { offset, size } => {
                    return Some(MemberReader { file: Arc::clone(&self.file), offset, left: size });
                }
                Member::Link(target) => at = target.clone(),
            }
        }
        None
    }
}

impl MemberReader {
    /// Bytes left to read.
    pub(super) fn len(&self) -> u64 {
        self.left
    }
}

impl Read for MemberReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let length = out.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = self.file.read_at(&mut out[..length], self.offset)?;
        self.offset += read as u64;
        self.left -= read as u64;
        Ok(read)
    }
}

/// Goes from header to header; file contents are skipped, not read.
fn list(path: &Path, file: &File, form: &Form) -> Result<BTreeMap<Vec<u8>, Member>, Error> {
    let broken = |problem: String| Error::document(path.display().to_string(), problem);
    let mut parser = Parser::with_defaults();
    let mut members = BTreeMap::new();
    let mut offset: u64 = 0;
    let mut headers = Vec::new();
    let mut wanted = STEP;
    loop {
        read_to(file, offset, wanted, &mut headers).map_err(Error::io("read", path))?;
        let event = parser.parse(&headers).map_err(|error| match offset {
            0 => form.missing(path, format!("it is no tar ({})", nex_text::excerpt(error.to_string()))),
            _ => broken(format!(
                "is damaged at byte {offset}: {}; fetch or copy it again",
                nex_text::excerpt(error.to_string())
            )),
        })?;
        let consumed = match event {
            ParseEvent::NeedData { min_bytes } if min_bytes > headers.len() => {
                if headers.len() < wanted {
                    return Err(broken("ends in the middle of a header; copy the archive again".to_owned()));
                }
                wanted = min_bytes.next_multiple_of(STEP);
                if wanted > MAX_HEADERS {
                    return Err(broken(format!("has a header of more than {MAX_HEADERS} bytes")));
                }
                continue;
            }
            ParseEvent::NeedData { .. } => return Err(broken("has a header that cannot be read".to_owned())),
            ParseEvent::End { .. } => return Ok(members),
            ParseEvent::GlobalExtensions { consumed, .. } => consumed as u64,
            ParseEvent::SparseEntry { consumed, entry, .. } => consumed as u64 + padded(entry.size, broken)?,
            ParseEvent::Entry { consumed, entry } => {
                let content = offset + consumed as u64;
                let name = normal(&entry.path);
                match (entry.entry_type, &entry.link_target) {
                    (EntryType::Regular | EntryType::Continuous, _) => {
                        members.insert(name, Member::File { offset: content, size: entry.size });
                    }
                    (EntryType::Symlink, Some(target)) => {
                        let target = beside(&name, target);
                        members.insert(name, Member::Link(target));
                    }
                    (EntryType::Link, Some(target)) => {
                        members.insert(name, Member::Link(normal(target)));
                    }
                    _ => {}
                }
                consumed as u64 + padded(entry.size, broken)?
            }
        };
        if members.len() > ARCHIVE_MEMBERS {
            return Err(Error::Limit {
                what: path.display().to_string(),
                limit: ARCHIVE_MEMBERS as u64,
                unit: "files",
            });
        }
        offset = offset.checked_add(consumed).ok_or_else(|| broken("has a member of an impossible size".to_owned()))?;
        wanted = STEP;
    }
}

/// Reads `length` bytes at `offset`, or as many as there are.
fn read_to(file: &File, offset: u64, length: usize, out: &mut Vec<u8>) -> io::Result<()> {
    out.resize(length, 0);
    let mut filled = 0;
    while filled < length {
        match file.read_at(&mut out[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    out.truncate(filled);
    Ok(())
}

/// Bytes that a member's content takes in the archive.
fn padded(size: u64, broken: impl Fn(String) -> Error) -> Result<u64, Error> {
    let fits = size.checked_next_multiple_of(BLOCK).filter(|&size| size <= i64::MAX as u64);
    fits.ok_or_else(|| broken("has a member of an impossible size".to_owned()))
}

/// A symlink's target, as a member's name.
fn beside(link: &[u8], target: &[u8]) -> Vec<u8> {
    let parent = link.iter().rposition(|&byte| byte == b'/').map_or(&[][..], |slash| &link[..=slash]);
    normal(&[parent, target].concat())
}

/// A name without `.` and `..`; what leads out of the archive stays at its top.
fn normal(name: &[u8]) -> Vec<u8> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in name.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join(&b'/')
}
