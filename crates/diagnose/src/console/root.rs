//! The kernel's own search for its root filesystem (`init/do_mounts.c`).

use nex_fault::{Remedy, Setting};

use super::boot::{Boot, Drive};
use super::rules::{DRIVE_READ_ONLY, NO_ROOT_DEVICE, ROOT_UNMOUNTABLE, ROOT_WITHOUT_FILE_SYSTEM, VERITY_UNAVAILABLE};
use super::symptom::Symptom;
use super::text::Message;
use super::{Known, disk, errno, init_program};

/// `EROFS`
const READ_ONLY: i32 = -30;
/// `ENXIO`
const NO_DEVICE: i32 = -6;

/// Reads a message about the root.
pub fn read(message: &Message, boot: &Boot, known: &Known) -> Option<Symptom> {
    if let Some(rest) = message.after("VFS: Cannot open root device \"") {
        return Some(cannot_open(message, rest, boot));
    }
    if message.after("No filesystem could mount root, tried:").is_some() {
        return Some(nothing_fits(message, boot, known));
    }
    if let Some(rest) = message.after("Kernel panic - not syncing: VFS: Unable to mount root fs on ") {
        let words = format!("the kernel has no root filesystem ({rest})");
        let remedy = "name the root's drive with root=, and see that the kernel has its driver and ext4 built in";
        return Some(Symptom::outcome(&ROOT_UNMOUNTABLE, message, words, remedy));
    }
    let waited = ["Waiting for root device ", "Waiting for root partition "];
    waited.iter().find_map(|prefix| message.after(prefix)).map(|rest| {
        let name = rest.trim_end_matches('.');
        let words =
            format!("the kernel waits for the drive {name}, and with 'rootwait' it waits for ever{}", list(boot));
        Symptom::suspect(&NO_ROOT_DEVICE, message, words, remedy_for_name(name, boot))
    })
}

/// `vda" or unknown-block(254,0): error -30`: it was asked for this name.
fn cannot_open(message: &Message, rest: &str, boot: &Boot) -> Symptom {
    let (name, rest) = rest.split_once('"').unwrap_or((rest, ""));
    let error = rest.split_once("error ").and_then(|(_, error)| errno::number(error));
    // A name that the kernel has a number for, as those of RAM disks, may have no drive behind it.
    let found = !rest.contains("unknown-block(0,0)") && error != Some(NO_DEVICE);
    let unreadable = error.and_then(|error| disk::unreadable(&format!("the root filesystem on {name}"), error));
    if let Some((rule, words, remedy)) = unreadable.filter(|_| found) {
        return Symptom::outcome(rule, message, words, remedy);
    }
    match error {
        // The drive is there, and mounting it failed.
        Some(READ_ONLY) if found => {
            let words = format!("the root on {name} has to be written, and its drive is read only");
            Symptom::outcome(
                &DRIVE_READ_ONLY,
                message,
                words,
                "boot with 'ro', or give the guest a drive that it may write",
            )
        }
        Some(error) if found => {
            let words = format!("the kernel cannot mount {name}: {}", errno::words(error));
            Symptom::outcome(
                &ROOT_UNMOUNTABLE,
                message,
                words,
                "see the lines before this one, and root= and rootflags=",
            )
        }
        _ if is_mapped(name) => {
            let words = format!("the kernel has no {name}: it has not set up what dm-mod.create describes");
            let remedy = "the kernel needs CONFIG_BLK_DEV_DM, CONFIG_DM_INIT and CONFIG_DM_VERITY built in, \
                          dm-mod.create= as the build has printed it, and the image as its first drive; where they are modules, \
                          the initramfs of 'nex rootfs boot' loads them";
            Symptom::cause(&VERITY_UNAVAILABLE, message, words, remedy)
        }
        _ => Symptom::cause(&NO_ROOT_DEVICE, message, no_device(name, boot), remedy_for_name(name, boot)),
    }
}

fn is_mapped(name: &str) -> bool {
    name.trim_start_matches("/dev/").starts_with("dm-") || name.contains("mapper/")
}

fn no_device(name: &str, boot: &Boot) -> String {
    match name {
        "" | "(null)" => {
            format!("the kernel was not told where the root is: its command line has no root={}", list(boot))
        }
        _ if by_content(name) => {
            format!(
                "root={name} asks for what the kernel itself does not look for: only an initramfs finds it{}",
                list(boot)
            )
        }
        _ => format!("the kernel has no drive {name}{}", list(boot)),
    }
}

/// Names that udev makes; the kernel itself knows `PARTUUID=` and `PARTLABEL=`.
fn by_content(name: &str) -> bool {
    name.starts_with("UUID=") || name.starts_with("LABEL=") || name.starts_with("/dev/disk/")
}

fn list(boot: &Boot) -> String {
    if !boot.drives_listed {
        return String::new();
    }
    let drives: Vec<String> =
        boot.drives.iter().map(|Drive { name, kib }| format!("{name} ({} MiB)", kib / 1024)).collect();
    match drives.as_slice() {
        [] => "; it sees no drive at all".into(),
        drives => format!("; it sees {}", drives.join(", ")),
    }
}

/// What to do when the root's drive has another name, or is not seen.
pub fn remedy_for_name(name: &str, boot: &Boot) -> Remedy {
    const DRIVERS: &str = "the kernel needs the drive's driver built in: CONFIG_VIRTIO_BLK, with CONFIG_VIRTIO_MMIO \
                           (Firecracker) or CONFIG_VIRTIO_PCI (QEMU)";
    match boot.drives.as_slice() {
        [only] => format!("root=/dev/{}", only.name).into(),
        [] if by_content(name) || matches!(name, "" | "(null)") => {
            format!("root=/dev/vda is the first drive; {DRIVERS}").into()
        }
        [] => Remedy::say(format!(
            "{DRIVERS}. A distribution's kernel has it as a module, which an initramfs has to load: {}",
            where_modules_are(boot)
        ))
        .choose(Setting::Modules)
        .and("names. Else see that the VMM was given the drive"),
        drives => {
            let names: Vec<String> = drives.iter().map(|drive| format!("root=/dev/{}", drive.name)).collect();
            format!("the root is one of them: {}", names.join(" or ")).into()
        }
    }
}

/// Where nex looks for the modules of the kernel that has booted.
fn where_modules_are(boot: &Boot) -> String {
    let release = boot.version.as_deref().unwrap_or("RELEASE");
    format!(
        "'nex rootfs boot' makes one where it finds the modules, in lib/modules/{release} near the kernel, in /lib/modules/{release} or in \
         the directory that"
    )
}

fn nothing_fits(message: &Message, boot: &Boot, known: &Known) -> Symptom {
    let root = boot.parameter("root").unwrap_or("the root's drive");
    let kind = boot.parameter("rootfstype").map(|kind| format!(", as rootfstype={kind} wants it")).unwrap_or_default();
    let words = format!("no file system that the kernel knows is on {root}{kind}{}", list(boot));
    Symptom::cause(&ROOT_WITHOUT_FILE_SYSTEM, message, words, init_program::which_file(known))
}
