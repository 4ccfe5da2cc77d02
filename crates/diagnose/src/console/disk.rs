//! What the file system and the drive beneath it say.

use super::boot::Boot;
use super::errno;
use super::features;
use super::rules::{
    DRIVE_READ_ONLY, IMAGE_CUT_OFF, IMAGE_DAMAGED, IO_ERROR, ROOT_READ_ONLY, ROOT_UNMOUNTABLE, UNSUPPORTED_FEATURE,
};
use super::symptom::Symptom;
use super::text::Message;
use super::{Known, init_program};
use crate::Rule;

const REPAIR: &str = "make the image again, or look at it: e2fsck -f FILE. If it was whole, look at what copies it \
                      and what writes to it while a guest has it";

/// Reads a message of ext4, of its journal (JBD2) or of the block layer.
pub fn read(message: &Message, boot: &Boot, known: &Known) -> Option<Symptom> {
    ext4(message, boot, known).or_else(|| journal(message)).or_else(|| block_layer(message))
}

fn ext4(message: &Message, boot: &Boot, known: &Known) -> Option<Symptom> {
    if let Some((device, what)) = message.after("EXT4-fs error (device ").and_then(|rest| rest.split_once("): ")) {
        return Some(error(message, device, what));
    }
    let (device, what) = message.after("EXT4-fs (").and_then(|rest| rest.split_once("): "))?;
    let lower = what.to_ascii_lowercase();
    // ext4 stands in for ext2 and ext3, which it tries before: that they do not know a feature means nothing.
    if lower.contains("due to feature incompatibilities") {
        return None;
    }
    if let Some(bits) = bits(&lower, "couldn't mount because of unsupported optional features (") {
        let names = features::incompatible(bits);
        let words = format!("the kernel does not know a feature of the file system on {device}: {names}");
        return Some(Symptom::cause(&UNSUPPORTED_FEATURE, message, words, feature_remedy(known)));
    }
    if let Some(bits) = bits(&lower, "couldn't mount rdwr because of unsupported optional features (") {
        let names = features::read_only_compatible(bits);
        let words =
            format!("the kernel only reads the file system on {device}, for a feature that it does not know: {names}");
        return Some(Symptom::suspect(&ROOT_READ_ONLY, message, words, feature_remedy(known)));
    }
    if let Some(missing) = missing_option(&lower) {
        let words = format!("the file system on {device} needs a kernel with {missing}");
        return Some(Symptom::cause(&UNSUPPORTED_FEATURE, message, words, feature_remedy(known)));
    }
    if let Some(sizes) = lower.strip_prefix("bad geometry: block count ") {
        let words = format!("the drive {device} is smaller than the file system on it: {}", blocks(sizes));
        let remedy = "the file was cut off, as by a copy or a download that did not end: copy or make it again, and \
                      compare its size; 'nex rootfs grow' is how a file system gets larger";
        return Some(Symptom::cause(&IMAGE_CUT_OFF, message, words, remedy));
    }
    let refuses_to_write =
        ["write access unavailable", "write access will be enabled", "recovery required on readonly"];
    if refuses_to_write.iter().any(|words| lower.contains(words)) {
        let needed = lower.contains("unavailable");
        return needed.then(|| {
            let words = format!(
                "the file system on {device} was not unmounted, so its journal has to be replayed, and the drive is \
                 read only"
            );
            let remedy = "replay the journal on the host (e2fsck -p FILE), give the guest a drive that it may write, \
                          or start from the image as it was made";
            Symptom::cause(&DRIVE_READ_ONLY, message, words, remedy)
        });
    }
    if lower.contains("i/o error while writing superblock") {
        return Some(Symptom::suspect(&IO_ERROR, message, format!("{device} could not be written"), READ_ONLY_DRIVE));
    }
    if lower.starts_with("remounting filesystem read-only") {
        let words = format!("the file system on {device} has errors, so the kernel lets nobody write to it any more");
        return Some(Symptom::outcome(&ROOT_READ_ONLY, message, words, REPAIR));
    }
    if lower.contains("can't find ext4 filesystem") || lower.contains("no journal found") {
        let words = format!("what stands on {device} is no ext4 file system");
        return Some(Symptom::cause(&IMAGE_DAMAGED, message, words, init_program::which_file(known)));
    }
    let damage =
        ["invalid superblock checksum", "corrupted", "error loading journal", "not in group", "checksum", "bad block"];
    if damage.iter().any(|word| lower.contains(word)) {
        return Some(Symptom::cause(
            &IMAGE_DAMAGED,
            message,
            format!("the file system on {device} is damaged: {what}"),
            REPAIR,
        ));
    }
    if lower.starts_with("unable to read superblock") {
        return Some(Symptom::cause(&IO_ERROR, message, format!("the first block of {device} cannot be read"), DRIVE));
    }
    if lower.starts_with("mount failed") && !boot.root_mounted {
        return Some(Symptom::outcome(&ROOT_UNMOUNTABLE, message, format!("ext4 did not mount {device}"), REPAIR));
    }
    None
}

/// A fault that the kernel met while it used the file system. A drive that fails shows here too.
fn error(message: &Message, device: &str, what: &str) -> Symptom {
    let where_it_is = what.split_once(": ").map_or(what, |(_, rest)| rest);
    let words = format!("the kernel has met damage in the file system on {device}: {where_it_is}");
    Symptom::cause(&IMAGE_DAMAGED, message, words, REPAIR)
}

fn journal(message: &Message) -> Option<Symptom> {
    let what = message.after("JBD2: ")?;
    let damage = ["no valid journal superblock", "journal checksum", "recovery failed", "corrupt"];
    damage.iter().any(|word| what.to_ascii_lowercase().contains(word)).then(|| {
        Symptom::cause(&IMAGE_DAMAGED, message, format!("the file system's journal is damaged: {what}"), REPAIR)
    })
}

const DRIVE: &str = "look at the file behind the drive on the host: whether its disk is full or failing (the host's \
                     own log), and whether the file is whole";
const READ_ONLY_DRIVE: &str =
    "give the guest a drive that it may write, or boot with 'ro' in place of 'rw' and an overlay";

/// What Linux has called it: `end_request: I/O error` until 3.18, `blk_update_request: I/O error` until 5.16, and `critical medium error` where the drive
/// says which.
fn block_layer(message: &Message) -> Option<Symptom> {
    let text = message.text();
    let callers = ["blk_update_request: ", "print_req_error: ", "end_request: "];
    let text = callers.iter().find_map(|caller| text.strip_prefix(caller)).unwrap_or(text);
    let kinds = [
        "I/O error, dev ",
        "critical medium error, dev ",
        "critical target error, dev ",
        "critical space allocation error, dev ",
    ];
    let rest = kinds.iter().find_map(|kind| text.strip_prefix(kind))?;
    let device = rest.split([',', ' ']).next().unwrap_or(rest);
    let sector = rest.split_once("sector ").and_then(|(_, rest)| rest.split(' ').next()).unwrap_or("?");
    // Without an operation it is one of reading, as older kernels have it.
    let writes = rest.contains("(WRITE)") || rest.contains("(FLUSH)");
    let (verb, remedy) = if writes { ("written", READ_ONLY_DRIVE) } else { ("read", DRIVE) };
    let words = format!("the drive {device} cannot be {verb} at sector {sector}");
    Some(Symptom::cause(&IO_ERROR, message, words, remedy))
}

fn bits(text: &str, prefix: &str) -> Option<u32> {
    let number = text.strip_prefix(prefix)?.split(')').next()?;
    u32::from_str_radix(number, 16).ok()
}

/// The option without which a kernel says that it lacks support for a feature that it knows.
fn missing_option(text: &str) -> Option<&'static str> {
    let options = [
        ("casefold feature", "CONFIG_UNICODE"),
        ("config_unicode", "CONFIG_UNICODE"),
        ("quota feature", "CONFIG_QUOTA"),
        ("config_quota", "CONFIG_QUOTA"),
        ("verity feature", "CONFIG_FS_VERITY"),
        ("encrypt feature", "CONFIG_FS_ENCRYPTION"),
        ("huge files", "CONFIG_LBDAF"),
    ];
    let says_so =
        ["requires", "without", "cannot be mounted", "can not be mounted", "not supported", "can't be mounted"];
    if !says_so.iter().any(|words| text.contains(words)) {
        return None;
    }
    options.iter().find(|(word, _)| text.contains(word)).map(|(_, option)| *option)
}

fn feature_remedy(known: &Known) -> &'static str {
    if known.image.is_some_and(|image| image.superblock().errors == 0) {
        "boot a newer kernel, or one with the option that the feature needs; nex itself writes only what kernels \
         since 4.14 know, so somebody else has added it: 'nex rootfs check FILE' names the features"
    } else {
        "boot a newer kernel, or one with the option that the feature needs, or make the image with nex, which \
         writes only what kernels since 4.14 know"
    }
}

/// `38400 exceeds size of device (25600 blocks)` in other words.
fn blocks(sizes: &str) -> String {
    let mut numbers = sizes.split(|letter: char| !letter.is_ascii_digit()).filter(|number| !number.is_empty());
    match (numbers.next(), numbers.next()) {
        (Some(wanted), Some(there)) => format!("{wanted} blocks, of which {there} are there"),
        _ => sizes.to_owned(),
    }
}

/// What cannot be read, for an error that says that the drive or the file system is at fault.
pub fn unreadable(what: &str, error: i32) -> Option<(&'static Rule, String, &'static str)> {
    const INPUT_OUTPUT: u32 = 5;
    const BAD_CHECKSUM: u32 = 74;
    const NEEDS_CLEANING: u32 = 117;
    let (rule, remedy) = match error.unsigned_abs() {
        INPUT_OUTPUT => (&IO_ERROR, DRIVE),
        BAD_CHECKSUM | NEEDS_CLEANING => (&IMAGE_DAMAGED, REPAIR),
        _ => return None,
    };
    Some((rule, format!("{what} cannot be read: {}", errno::words(error)), remedy))
}
