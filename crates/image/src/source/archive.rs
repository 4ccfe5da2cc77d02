//! A tar that holds an image: its members are listed once, and then read where they are, without unpacking.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nex_file::to_read::ToRead;
use nex_tar::{self as tar, Kind, Reader, Types};

use super::form::Form;
use super::unpack::tar_of;
use crate::error::Error;
use crate::image::Options;
use crate::limits::ARCHIVE_MEMBERS;

/// Bytes read at a time while listing. Most archives have all their headers far apart.
const STEP: usize = 4 << 10;
/// Bytes that the headers of one member may have, extensions included.
const MAX_HEADERS: u32 = 4 << 20;
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
    pub(super) fn open(archive: &ToRead, form: &Form, options: &Options) -> Result<Archive, Error> {
        let path = archive.path();
        let file = tar_of(form.open(archive)?, path, form, options)?;
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
            let problem = format!("has no file {name}, which the image needs");
            Error::Incomplete { what: self.path.display().to_string(), problem }
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
    let mut members = BTreeMap::new();
    let mut headers = Headers::new(file);
    loop {
        let start = headers.position();
        let mut tar = Reader::new(headers, MAX_HEADERS, Types::Vendor);
        let header = tar.next_entry().map_err(|error| match error {
            tar::Error::Read(error) => Error::io("read", path)(error),
            error if start == 0 => form.missing(path, format!("it is no tar ({error})")),
            tar::Error::Truncated => Error::Incomplete {
                what: path.display().to_string(),
                problem: "ends in the middle of a header".to_owned(),
            },
            tar::Error::TooManyExtensions(limit) => broken(format!("has a header of more than {limit} bytes")),
            problem => {
                let problem = Box::new(problem);
                Error::DamagedArchive { place: path.display().to_string(), at: start, problem }
            }
        })?;
        let Some(header) = header else { return Ok(members) };
        let content;
        (headers, content) = tar.into_parts();
        let name = normal(&header.path);
        let offset = headers.position();
        match header.kind {
            Kind::File if !content.is_sparse => {
                members.insert(name, Member::File { offset, size: content.length });
            }
            Kind::Symlink(target) => {
                let target = beside(&name, &target);
                members.insert(name, Member::Link(target));
            }
            Kind::HardLink(target) => {
                members.insert(name, Member::Link(normal(&target)));
            }
            _ => {}
        }
        if members.len() > ARCHIVE_MEMBERS {
            return Err(Error::Limit {
                what: path.display().to_string(),
                limit: ARCHIVE_MEMBERS as u64,
                unit: "files",
            });
        }
        let next = offset.checked_add(content.padded).filter(|&next| i64::try_from(next).is_ok());
        headers.go_to(next.ok_or_else(|| broken("has a member of an impossible size".to_owned()))?);
    }
}

/// A file's bytes around its headers, a step at a time.
struct Headers<'a> {
    file: &'a File,
    step: Vec<u8>,
    /// How much of the step is taken.
    taken: usize,
    /// Where the file goes on behind the step.
    next: u64,
}

impl<'a> Headers<'a> {
    fn new(file: &'a File) -> Self {
        Self { file, step: Vec::new(), taken: 0, next: 0 }
    }

    fn position(&self) -> u64 {
        self.next - (self.step.len() - self.taken) as u64
    }

    fn go_to(&mut self, position: u64) {
        self.step.clear();
        (self.taken, self.next) = (0, position);
    }
}

impl BufRead for Headers<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.taken == self.step.len() {
            self.step.resize(STEP, 0);
            let read = loop {
                match self.file.read_at(&mut self.step, self.next) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    read => break read.inspect_err(|_| self.step.truncate(self.taken))?,
                }
            };
            self.step.truncate(read);
            (self.taken, self.next) = (0, self.next + read as u64);
        }
        Ok(&self.step[self.taken..])
    }

    fn consume(&mut self, amount: usize) {
        self.taken += amount;
    }
}

impl Read for Headers<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(out)?;
        self.consume(read);
        Ok(read)
    }
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
