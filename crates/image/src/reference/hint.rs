//! A path without a transport: what was probably meant.

use std::fs;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nex_file::kind;

use super::error::ReferenceError;
use crate::compression::Compression;
use crate::decoder::Decoder;

/// Bytes at the start of a file that tell an archive's kind.
const SNIFFED: usize = 1 << 20;
/// Bytes of a tar's header.
const BLOCK: usize = 512;

/// Refuses a text that is a path here, or can only be a path.
pub(super) fn refuse_path(path: &Path) -> Result<(), ReferenceError> {
    let Ok(metadata) = fs::metadata(path) else {
        return match path.as_os_str().as_bytes() {
            [b'/' | b'.' | b'~', ..] => Err(ReferenceError::NoSuchPath { path: path.to_owned() }),
            _ => Ok(()),
        };
    };
    let (kind, transports) = if metadata.is_dir() {
        ("directory", if path.join("oci-layout").exists() { &["oci"][..] } else { &["rootfs"] })
    } else if !metadata.is_file() {
        ("file", &["tar"][..])
    } else {
        let (start, end) = ends(path).unwrap_or_default();
        match kind::of(&start) {
            Some(found) if found.unpack.is_none() && !found.is_tar() => {
                return Err(ReferenceError::OtherFile { path: path.to_owned(), what: found.what });
            }
            Some(found) if found.unpack.is_some() => ("file", archive_transports(&unpacked(&start), &[])),
            _ => ("file", archive_transports(&start, &end)),
        }
    };
    let suggestions = transports.iter().map(|transport| format!("{transport}:{}", path.display()));
    let suggestion = suggestions.collect::<Vec<_>>().join(" or ");
    Err(ReferenceError::LocalPath { path: path.to_owned(), kind, suggestion })
}

/// As much of what is compressed as comes out of its start; nothing where no decompressor undoes it.
fn unpacked(start: &[u8]) -> Vec<u8> {
    let mut unpacked = Vec::new();
    if let Some(compression) = Compression::of(start)
        && let Ok(decoder) = Decoder::new(start, compression)
    {
        // Its end is missing, which is an error; what came before that stays.
        let _ = decoder.take(SNIFFED as u64).read_to_end(&mut unpacked);
    }
    unpacked
}

/// Which archives a file may be. The members that tell stand at either end, so both are looked at. Where there is no end to look
/// at, the first member tells that it is an image's: blobs, or a file or directory whose name is a digest.
fn archive_transports(start: &[u8], end: &[u8]) -> &'static [&'static str] {
    let holds = |name: &[u8]| [start, end].into_iter().any(|part| has_member(part, name));
    let first = member_name(start).unwrap_or_default();
    let is_digest = first.len() >= 64 && first[..64].iter().all(u8::is_ascii_hexdigit);
    if holds(b"manifest.json") || is_digest {
        &["docker-archive"]
    } else if first.starts_with(b"blobs/") && end.is_empty() && start.len() >= SNIFFED {
        &["docker-archive", "oci-archive"]
    } else if holds(b"oci-layout") {
        &["oci-archive"]
    } else {
        &["tar"]
    }
}

fn ends(path: &Path) -> std::io::Result<(Vec<u8>, Vec<u8>)> {
    use std::os::unix::fs::FileExt;
    let file = nex_file::open_regular(path)?;
    let length = file.metadata()?.len();
    let mut start = Vec::new();
    (&file).take(SNIFFED as u64).read_to_end(&mut start)?;
    let mut end = vec![0; SNIFFED.min(usize::try_from(length).unwrap_or(SNIFFED))];
    // Members start at multiples of 512, so the end must be cut there too.
    let from = length.saturating_sub(end.len() as u64).next_multiple_of(512);
    let read = file.read_at(&mut end, from)?;
    end.truncate(read);
    Ok((start, end))
}

/// Whether a ustar header of this name stands at any block.
fn has_member(part: &[u8], name: &[u8]) -> bool {
    part.chunks_exact(BLOCK).any(|block| member_name(block) == Some(name))
}

/// The name in a ustar header.
fn member_name(block: &[u8]) -> Option<&[u8]> {
    let block = block.get(..BLOCK).filter(|block| block[257..].starts_with(b"ustar"))?;
    let end = block.iter().take(100).position(|&byte| byte == 0).unwrap_or(100);
    Some(block[..end].strip_prefix(b"./").unwrap_or(&block[..end]))
}
