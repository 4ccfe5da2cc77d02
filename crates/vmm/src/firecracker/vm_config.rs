//! A machine in Firecracker's words. Its API and its configuration file take the same objects, and both get them from here, so
//! that they cannot differ.

use std::fmt::Write;
use std::path::Path;

use nex_kernel::Architecture;
use serde_json::{Map, Value, json};

use super::vsock::GUEST_CID;
use crate::access::Access;
use crate::error::Error;
use crate::machine::{Bus, Machine};
use crate::name::whole_name;

/// What messages call it where no program of it is at hand.
const NAME: &str = "Firecracker";
/// The most processors of a guest, by Firecracker's API description.
const MOST_VCPUS: u8 = 32;

/// The names under which Firecracker finds what a machine is made of.
#[derive(Clone, Debug)]
pub struct Names {
    /// The kernel.
    pub kernel: String,
    /// The initramfs, if there is one.
    pub initramfs: Option<String>,
    /// The drives, in the machine's order.
    pub drives: Vec<String>,
    /// The socket of the vsock, if there is one.
    pub vsock: Option<String>,
}

/// All that Firecracker learns of a machine.
#[derive(Clone, Debug)]
pub struct VmConfig {
    machine: Value,
    boot: Value,
    drives: Vec<(String, Value)>,
    entropy: Value,
    vsock: Option<Value>,
}

impl VmConfig {
    /// A machine whose files have these names.
    pub(super) fn new(machine: &Machine, names: Names) -> Self {
        let mut boot = json!({ "kernel_image_path": names.kernel, "boot_args": Self::command_line(machine) });
        if let Some(initramfs) = names.initramfs {
            boot["initrd_path"] = initramfs.into();
        }
        let drives = machine.drives.iter().zip(names.drives).enumerate().map(|(number, (drive, path))| {
            let id = format!("drive{number}");
            // No drive is a root device in Firecracker's words: of such a one it would tell the kernel behind all other words,
            // and a root on dm-verity or beneath an overlay could not be.
            let mut body = json!({ "drive_id": id, "path_on_host": path, "is_root_device": false });
            body["is_read_only"] = (drive.access == Access::ReadOnly).into();
            if drive.access == Access::Write {
                // What the guest has flushed is to be on the disk.
                body["cache_type"] = "Writeback".into();
            }
            (id, body)
        });
        Self {
            machine: json!({ "vcpu_count": machine.vcpus, "mem_size_mib": machine.memory_mib }),
            boot,
            drives: drives.collect(),
            entropy: json!({}),
            vsock: names.vsock.map(|name| json!({ "guest_cid": GUEST_CID, "uds_path": name })),
        }
    }

    /// A machine for a Firecracker that somebody else starts: with these files for kernel and initramfs, its drives' files
    /// under their own names. The names are whole, so that they hold in every directory; but for the socket of a vsock, which
    /// Firecracker makes where it is started.
    ///
    /// # Errors
    /// When Firecracker has no such machine, or a file's name is not UTF-8.
    pub fn of_files(
        machine: &Machine,
        kernel: &Path,
        initramfs: Option<&Path>,
        vsock: Option<&str>,
    ) -> Result<Self, Error> {
        check(machine, NAME)?;
        if machine.vcpus > MOST_VCPUS {
            return Err(refused(NAME, format!("it has {MOST_VCPUS} processors at most")));
        }
        let drives = machine.drives.iter().map(|drive| whole_name(drive.disk.path())).collect::<Result<_, _>>()?;
        let (kernel, initramfs) = (whole_name(kernel)?, initramfs.map(whole_name).transpose()?);
        Ok(Self::new(machine, Names { kernel, initramfs, drives, vsock: vsock.map(str::to_owned) }))
    }

    /// The whole command line that the kernel of this machine gets in Firecracker.
    pub fn command_line(machine: &Machine) -> String {
        // A reset through the keyboard's controller is the only end that Firecracker knows, and a panic comes to it at once.
        // There is no PCI to look for, no mouse, no second keyboard, and this one needs no lamps.
        let ends = "reboot=k panic=-1 pci=off";
        let own = match machine.architecture {
            Architecture::X86_64 => format!("console=ttyS0 {ends} i8042.noaux i8042.nomux i8042.dumbkbd"),
            // There the first console, which the kernel gives up otherwise, is the one that shows how it begins.
            Architecture::Aarch64 => format!("console=ttyS0 keep_bootcon {ends}"),
        };
        format!("{own} {}", machine.command_line)
    }

    /// The configuration's file, as `--config-file` takes it.
    pub fn to_json(&self) -> String {
        let mut whole = Map::new();
        whole.insert("boot-source".into(), self.boot.clone());
        whole.insert("drives".into(), self.drives.iter().map(|(_, drive)| drive.clone()).collect());
        whole.insert("machine-config".into(), self.machine.clone());
        whole.insert("entropy".into(), self.entropy.clone());
        if let Some(vsock) = &self.vsock {
            whole.insert("vsock".into(), vsock.clone());
        }
        printable(&format!("{:#}\n", Value::Object(whole)))
    }

    /// What is asked for over the API, in order; the machine starts with the last.
    pub(super) fn requests(self) -> Vec<(&'static str, String, Value)> {
        let put = |path: &str, body| ("PUT", path.to_owned(), body);
        let mut requests = vec![put("/machine-config", self.machine), put("/boot-source", self.boot)];
        requests.extend(self.drives.into_iter().map(|(id, body)| put(&format!("/drives/{id}"), body)));
        requests.push(put("/entropy", self.entropy));
        requests.extend(self.vsock.map(|body| put("/vsock", body)));
        requests.push(put("/actions", json!({ "action_type": "InstanceStart" })));
        requests
    }
}

/// Refuses what no Firecracker has, in the name of this one.
pub(super) fn check(machine: &Machine, name: &str) -> Result<(), Error> {
    if machine.drives.iter().any(|drive| drive.bus != Bus::Virtio) {
        return Err(refused(name, "it has virtio's drives and no others".into()));
    }
    Ok(())
}

fn refused(name: &str, said: String) -> Error {
    Error::Refused { vmm: name.into(), said }
}

/// The same JSON with nothing in its strings that a terminal, or who shows it there, would make something else of.
fn printable(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for character in json.chars() {
        if character == '\n' || nex_text::is_printable(character) {
            shown.push(character);
        } else {
            // Writing to a string does not fail.
            character.encode_utf16(&mut [0; 2]).iter().for_each(|unit| _ = write!(shown, "\\u{unit:04x}"));
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::disk::Disk;
    use crate::machine::Drive;

    #[test]
    fn the_file_has_what_the_api_is_asked_for() {
        let drive = |path: &str, access| {
            let file = File::open("/dev/null").expect("it is there");
            Drive { disk: Disk::of(path, file), access, bus: Bus::Virtio }
        };
        let machine = Machine {
            architecture: Architecture::X86_64,
            kernel: "/vmlinuz".into(),
            max_kernel: nex_kernel::MAX_KERNEL,
            initramfs: None,
            command_line: "some words".into(),
            drives: vec![drive("/root.ext4", Access::ReadOnly), drive("state.ext4", Access::Write)],
            memory_mib: 256,
            vcpus: 2,
            channel: None,
        };
        let (kernel, initramfs) = (Path::new("/vmlinux"), Path::new("/initramfs.cpio"));
        let config = VmConfig::of_files(&machine, kernel, Some(initramfs), Some("vsock")).expect("it is one");
        let file: Value = serde_json::from_str(&config.to_json()).expect("it is JSON");
        let mut keys: Vec<_> = file.as_object().into_iter().flat_map(Map::keys).cloned().collect();
        for (_, path, body) in config.requests() {
            let (key, rest) =
                path.trim_start_matches('/').split_once('/').unwrap_or((path.trim_start_matches('/'), ""));
            if key == "actions" {
                continue;
            }
            keys.retain(|other| other != key);
            let found = match rest.strip_prefix("drive").and_then(|number| number.parse::<usize>().ok()) {
                Some(number) => &file[key][number],
                None => &file[key],
            };
            assert_eq!(found, &body, "{path}");
        }
        assert!(keys.is_empty(), "the API is not asked for {keys:?}");
        assert!(file["drives"][1]["path_on_host"].as_str().is_some_and(|path| path.starts_with('/')), "{file}");
    }

    #[test]
    fn what_a_terminal_would_not_show_is_escaped_and_the_same_when_it_is_read() {
        let value = json!({ "name": "a\u{202e}b\u{7f}\u{9b}\u{10fffe}\u{e9}\n" });
        let text = printable(&format!("{value:#}\n"));
        assert!(text.chars().all(|character| character == '\n' || nex_text::is_printable(character)), "{text}");
        assert!(text.contains(r"a\u202eb\u007f\u009b\udbff\udffe") && text.contains('\u{e9}'), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).expect("it is JSON"), value);
    }
}
