//! The first root filesystem, in memory: the kernel that unpacks it, and the programs in it that look for the real one.

use nex_contract::AGENT;

use super::Known;
use super::boot::Boot;
use super::rules::{DRIVE_READ_ONLY, INITRAMFS_BROKEN, INITRAMFS_WITHOUT_ROOT};
use super::symptom::Symptom;
use super::text::Message;

const NAME_THE_DRIVE: &str = "name the drive with root= as the guest sees it (/dev/vda is the first virtio drive), \
                              and see that the initramfs has the modules virtio_blk and virtio_pci or virtio_mmio of \
                              this very kernel";

/// Reads a message of the kernel, initramfs-tools (Debian), dracut (Fedora), mkinitcpio (Arch), genkernel
/// (Gentoo) or mkinitfs (Alpine).
pub fn read(message: &Message, boot: &Boot, _known: &Known) -> Option<Symptom> {
    if let Some(why) = message.after("Initramfs unpacking failed: ").filter(|why| !why.starts_with("write error")) {
        let words = format!("the kernel cannot unpack its initramfs: {why}");
        let remedy = "make the initramfs again: it was cut off, or packed in a way that this kernel does not know \
                      (CONFIG_RD_GZIP, CONFIG_RD_ZSTD and so on)";
        return Some(Symptom::cause(&INITRAMFS_BROKEN, message, words, remedy));
    }
    let ramdisk = ["EOF while reading compressed data", "incomplete write", "Couldn't find valid RAM disk image"];
    if let Some(why) = message.after("RAMDISK: ").filter(|why| ramdisk.iter().any(|words| why.starts_with(words))) {
        let words = format!("the kernel cannot read its RAM disk: {}", why.trim_end_matches('.'));
        let remedy = "make the initrd again: it was cut off, or is larger than ramdisk_size= allows";
        return Some(Symptom::cause(&INITRAMFS_BROKEN, message, words, remedy));
    }
    let text = message.text();
    let missing = |name: &str| {
        let words = format!("the initramfs has found no {name}");
        Symptom::cause(&INITRAMFS_WITHOUT_ROOT, message, words, NAME_THE_DRIVE)
    };
    // initramfs-tools
    if let Some((name, _)) = text.strip_prefix("ALERT! ").and_then(|rest| rest.split_once(" does not exist")) {
        return Some(missing(name.trim()));
    }
    // dracut
    if let Some((before, rest)) = text.split_once("Warning: ")
        && let Some((name, _)) = rest.split_once(" does not exist")
        && (before.contains("dracut") || before.is_empty() && name.starts_with("/dev/"))
    {
        return Some(missing(name.trim_matches('"')));
    }
    // mkinitcpio
    if let Some((name, _)) = text.strip_prefix("ERROR: device '").and_then(|rest| rest.split_once("' not found")) {
        return Some(missing(name));
    }
    // genkernel
    if let Some((name, _)) =
        text.strip_prefix("!! Block device ").and_then(|rest| rest.split_once(" is not a valid root device"))
    {
        return Some(missing(name));
    }
    // mkinitfs
    if text.starts_with("Mounting root failed") || text.starts_with("initramfs emergency recovery shell launched") {
        return Some(stopped(message));
    }
    let no_init = ["No init found. Try passing init= bootarg", "Target filesystem doesn't have requested "];
    if no_init.iter().any(|words| text.starts_with(words)) {
        let words = format!("the initramfs has mounted the root, and its init is not in it: {text}");
        let remedy = format!("name one that is there: init={AGENT} in an image of nex's");
        return Some(Symptom::cause(&INITRAMFS_WITHOUT_ROOT, message, words, remedy));
    }
    if text.starts_with("Begin: Waiting for root file system") {
        let root = boot.parameter("root").unwrap_or("the root's drive");
        let words = format!("the initramfs waits for {root}");
        return Some(Symptom::suspect(&INITRAMFS_WITHOUT_ROOT, message, words, NAME_THE_DRIVE));
    }
    if text.starts_with("mount: mounting ") && text.contains(" failed: ") && boot.initramfs && !boot.systemd {
        if text.ends_with("Permission denied") || text.ends_with("Read-only file system") {
            let words = format!("the initramfs cannot mount the root to write, for its drive is read only: {text}");
            let remedy = "boot with 'ro' in place of 'rw', or give the guest a drive that it may write";
            return Some(Symptom::cause(&DRIVE_READ_ONLY, message, words, remedy));
        }
        let words = format!("the initramfs cannot mount the root: {text}");
        let remedy =
            "see what the kernel says of the file system in the lines before, and root=, rootfstype= and rootflags=";
        return Some(Symptom::outcome(&INITRAMFS_WITHOUT_ROOT, message, words, remedy));
    }
    let shells = [
        "Dropping to a shell!",
        "(initramfs)",
        "Starting Dracut Emergency Shell",
        "Generating \"/run/initramfs/rdsosreport.txt\"",
        "You are now being dropped into an emergency shell",
        "Bailing out, you are on your own",
        "!! Could not find the root block device",
        "dracut:/#",
    ];
    shells.iter().any(|words| text.trim_start().starts_with(words)).then(|| stopped(message))
}

fn stopped(message: &Message) -> Symptom {
    let words = "the initramfs has given up, and waits for somebody at its shell";
    Symptom::outcome(&INITRAMFS_WITHOUT_ROOT, message, words, "see root= and the lines before this one")
}
