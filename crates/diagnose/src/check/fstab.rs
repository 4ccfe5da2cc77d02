//! `/etc/fstab`, see fstab(5): what a boot would wait for. A microVM has no disks but its drives, `/dev/vda` and on, and the
//! image is the first of them, without partitions.

use nex_ext4::reader::Superblock;
use nex_inspect::View;

use super::Findings;
use super::text::{lines, shown};
use crate::rules;

/// The root's names.
const ROOTS: [&[u8]; 2] = [b"/dev/vda", b"/dev/root"];

/// Disks that no microVM has.
const FOREIGN: [&[u8]; 6] = [b"/dev/sd", b"/dev/hd", b"/dev/nvme", b"/dev/xvd", b"/dev/mmcblk", b"/dev/mapper/"];

/// One mount.
struct Entry<'a> {
    device: &'a [u8],
    place: &'a [u8],
    options: &'a [u8],
}

impl<'a> Entry<'a> {
    fn parse(line: &'a [u8]) -> Option<Self> {
        let mut fields = line.split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
        let (device, place) = (fields.next()?, fields.next()?);
        Some(Self { device, place, options: fields.nth(1).unwrap_or_default() })
    }

    /// Whether a boot goes on without it.
    fn is_optional(&self) -> bool {
        self.options.split(|&byte| byte == b',').any(|option| option == b"noauto" || option == b"nofail")
    }
}

pub(super) fn check(view: &dyn View, superblock: &Superblock, findings: &mut Findings) {
    for line in lines(view, b"/etc/fstab") {
        let Some(entry) = Entry::parse(&line).filter(|entry| !entry.is_optional()) else { continue };
        let is_root = entry.place == b"/";
        let text = format!("/etc/fstab mounts {} on {}", shown(entry.device), shown(entry.place));
        let is_foreign = FOREIGN.iter().any(|start| entry.device.starts_with(start)) || is_partition(entry.device);
        match named(entry.device, superblock) {
            Some(true) => {}
            Some(false) if is_root => {
                report(&rules::FSTAB_DEVICE, format!("{text}, and the image has another name"), findings)
            }
            None if is_foreign => report(&rules::FSTAB_DEVICE, text, findings),
            None if ROOTS.contains(&entry.device) || !entry.device.starts_with(b"/dev/vd") => {}
            Some(false) | None => report(&rules::FSTAB_DRIVE, text, findings),
        }
    }
}

fn report(rule: &crate::finding::Rule, evidence: String, findings: &mut Findings) {
    let remedy = "take the line out, or add nofail to its options; the kernel mounts the root itself";
    findings.report(rule, evidence, remedy);
}

/// `/dev/vda1` and its like: the drives of a microVM are taken whole.
fn is_partition(device: &[u8]) -> bool {
    device.strip_prefix(b"/dev/vd").is_some_and(|rest| rest.last().is_some_and(u8::is_ascii_digit))
}

/// Whether a name such as `UUID=` is the image's own; `None` when the device is not named in this way.
fn named(device: &[u8], superblock: &Superblock) -> Option<bool> {
    let (tag, name) = device.split_at(device.iter().position(|&byte| byte == b'=')?);
    let name = name.get(1..).unwrap_or_default();
    let name = name.strip_prefix(b"\"").and_then(|name| name.strip_suffix(b"\"")).unwrap_or(name);
    // Fields end at blanks, so those of a name are written so.
    let name = String::from_utf8_lossy(name).replace("\\040", " ").into_bytes();
    match tag {
        b"UUID" => Some(name.eq_ignore_ascii_case(superblock.uuid_text().as_bytes())),
        b"LABEL" => Some(name == superblock.label()),
        b"PARTUUID" | b"PARTLABEL" => Some(false),
        _ => None,
    }
}
