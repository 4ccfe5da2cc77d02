//! What `ext4-view` does not tell, asked of debugfs: inode numbers, device numbers, extended attributes.
//!
//! debugfs runs once for each depth of the tree, and takes its commands from a file: an image of 20,000 names is read in
//! about a second. Names travel as inode numbers, so no name needs quoting.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::command;
use crate::host_tree::{LOST_AND_FOUND, join};
use crate::manifest::canonical_xattr;
use crate::{Failure, Result};

/// The root directory's inode number.
const ROOT: u64 = 2;
/// A directory's type bits in a mode.
const DIRECTORY: u32 = 0o040_000;
const TYPE_MASK: u32 = 0o170_000;

type Xattrs = BTreeMap<Vec<u8>, Vec<u8>>;

/// What debugfs tells of an image.
pub struct Details {
    inodes: BTreeMap<Vec<u8>, u64>,
    devices: BTreeMap<u64, (u32, u32)>,
    xattrs: BTreeMap<u64, Xattrs>,
}

impl Details {
    /// All names, the root's empty one first.
    pub fn paths(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.inodes.keys()
    }

    /// The inode number of a name.
    pub fn inode(&self, path: &[u8]) -> Option<u64> {
        self.inodes.get(path).copied()
    }

    /// The major and minor number of a device.
    pub fn device(&self, inode: u64) -> Result<(u32, u32)> {
        self.devices.get(&inode).copied().ok_or(Failure::new(format!("debugfs shows no device number of <{inode}>")))
    }

    /// The extended attributes of an inode.
    pub fn xattrs(&self, inode: u64) -> Xattrs {
        self.xattrs.get(&inode).cloned().unwrap_or_default()
    }
}

/// Reads an image.
pub fn read(image: &Path) -> Result<Details> {
    let inodes = names(image)?;
    let mut numbers: Vec<u64> = inodes.values().copied().collect();
    numbers.sort_unstable();
    numbers.dedup();
    let requests: Vec<String> = numbers.iter().map(|inode| format!("stat <{inode}>")).collect();
    let answers = ask(image, &requests)?;
    let mut devices = BTreeMap::new();
    let mut wanted = Vec::new();
    for (inode, answer) in numbers.iter().zip(&answers) {
        if let Some(device) = device_number(answer) {
            devices.insert(*inode, device);
        }
        wanted.extend(xattr_names(answer)?.into_iter().map(|name| (*inode, name)));
    }
    Ok(Details { inodes, devices, xattrs: xattr_values(image, &wanted)? })
}

/// All names of the image, level by level.
fn names(image: &Path) -> Result<BTreeMap<Vec<u8>, u64>> {
    let mut found = BTreeMap::from([(Vec::new(), ROOT)]);
    let mut level = vec![(Vec::new(), ROOT)];
    while !level.is_empty() {
        let requests: Vec<String> = level.iter().map(|(_, inode)| format!("ls -p <{inode}>")).collect();
        let answers = ask(image, &requests)?;
        let mut below = Vec::new();
        for ((directory, _), answer) in level.iter().zip(answers) {
            for listed in listing(&answer)? {
                if directory.is_empty() && listed.name == LOST_AND_FOUND {
                    continue;
                }
                let path = join(directory, listed.name);
                if listed.mode & TYPE_MASK == DIRECTORY {
                    below.push((path.clone(), listed.inode));
                }
                found.insert(path, listed.inode);
            }
        }
        level = below;
    }
    Ok(found)
}

/// A line of `ls -p`.
struct Listed<'a> {
    inode: u64,
    mode: u32,
    name: &'a [u8],
}

/// Reads `ls -p`: records of `/inode/mode/uid/gid/name/size/` and a newline. A name may hold a newline, but no slash.
fn listing(answer: &[u8]) -> Result<Vec<Listed<'_>>> {
    let fields: Vec<&[u8]> = answer.split(|byte| *byte == b'/').collect();
    let mut all = Vec::new();
    for record in fields.chunks_exact(7) {
        let [_, inode, mode, _, _, name, _] = record else { continue };
        if !matches!(*name, b"." | b"..") {
            let inode = str::from_utf8(inode)?.parse()?;
            all.push(Listed { inode, mode: u32::from_str_radix(str::from_utf8(mode)?, 8)?, name });
        }
    }
    Ok(all)
}

/// Finds `Device major/minor number: 8:1 (hex ...)` in the text of `stat`.
fn device_number(answer: &[u8]) -> Option<(u32, u32)> {
    let text = String::from_utf8_lossy(answer);
    let (_, rest) = text.split_once("Device major/minor number: ")?;
    let (major, minor) = rest.split_whitespace().next()?.split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// Finds the names under `Extended attributes:` in the text of `stat`, each in a line `  name (length)...`.
fn xattr_names(answer: &[u8]) -> Result<Vec<String>> {
    let text = String::from_utf8_lossy(answer);
    let Some((_, rest)) = text.split_once("Extended attributes:\n") else { return Ok(Vec::new()) };
    let lines = rest.lines().take_while(|line| line.starts_with("  "));
    let name = |line: &str| line.trim_start().split_once(" (").map(|(name, _)| name.to_owned());
    lines.map(|line| name(line).ok_or(Failure::new(format!("debugfs wrote {line:?}")))).collect()
}

/// The values of these attributes; debugfs writes each into a file of its own, because its text leaves long ones out.
fn xattr_values(image: &Path, wanted: &[(u64, String)]) -> Result<BTreeMap<u64, Xattrs>> {
    let directory = tempfile::tempdir()?;
    let file = |index: usize| directory.path().join(index.to_string());
    let request = |(index, (inode, name)): (usize, &(u64, String))| {
        format!("ea_get -f {} <{inode}> \"{name}\"", file(index).display())
    };
    ask(image, &wanted.iter().enumerate().map(request).collect::<Vec<_>>())?;
    let mut values: BTreeMap<u64, Xattrs> = BTreeMap::new();
    for (index, (inode, name)) in wanted.iter().enumerate() {
        let value = canonical_xattr(name.as_bytes(), fs::read(file(index))?);
        values.entry(*inode).or_default().insert(name.clone().into_bytes(), value);
    }
    Ok(values)
}

/// Runs debugfs with these requests, and gives the answer to each: the text between one echo and the next.
fn ask(image: &Path, requests: &[String]) -> Result<Vec<Vec<u8>>> {
    if requests.is_empty() {
        return Ok(Vec::new());
    }
    let script = tempfile::NamedTempFile::new()?;
    fs::write(&script, requests.join("\n") + "\n")?;
    let mut debugfs = Command::new("debugfs");
    debugfs.env("DEBUGFS_PAGER", "__none__").env("TZ", "UTC").env("LC_ALL", "C");
    let text = command::run(debugfs.arg("-f").arg(script.path()).arg(image))?;
    let mut rest = &text[..];
    let mut answers = Vec::new();
    for (index, request) in requests.iter().enumerate() {
        let echo = format!("debugfs: {request}\n");
        rest = rest.strip_prefix(echo.as_bytes()).ok_or(Failure::new(format!("debugfs did not echo {request:?}")))?;
        let next = requests.get(index + 1).map(|next| format!("debugfs: {next}\n"));
        let end = match next {
            Some(next) => find(rest, next.as_bytes()).ok_or(Failure::new(format!("debugfs stopped at {request:?}")))?,
            None => rest.len(),
        };
        answers.push(rest[..end].to_vec());
        rest = &rest[end..];
    }
    Ok(answers)
}

/// Where `needle` begins in `text`.
fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    text.windows(needle.len()).position(|window| window == needle)
}
