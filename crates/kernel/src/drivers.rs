//! What a kernel has surely not built in.
//!
//! Its configuration tells, where that is known. Where it is not, the kernel's own bytes do: each driver leaves a text in every
//! kernel that has it built in, such as the name by which it registers itself, and nothing where it is a module. A kernel without the
//! text is one without the driver; the text alone proves nothing.

use std::path::Path;

use memchr::memmem;

use crate::config::{Config, Setting};
use crate::error::Error;
use crate::ikconfig::embedded_config;
use crate::kernel::Kernel;

/// A driver by its names.
#[derive(Debug)]
struct Driver {
    /// As a module.
    module: &'static str,
    /// Its option, without `CONFIG_`.
    option: &'static str,
    /// What it leaves in a kernel.
    text: &'static str,
}

const fn driver(module: &'static str, option: &'static str, text: &'static str) -> Driver {
    Driver { module, option, text }
}

/// Those that a guest may need to come to its root. The texts are names of drivers (`struct device_driver`), of a file system, and, where
/// a name is an everyday word, the start of the names of parameters (`MODULE_PARAM_PREFIX`).
const DRIVERS: [Driver; 9] = [
    driver("virtio_pci", "VIRTIO_PCI", "virtio-pci"),
    driver("virtio_mmio", "VIRTIO_MMIO", "virtio-mmio"),
    driver("virtio_blk", "VIRTIO_BLK", "virtio_blk"),
    driver("nvme", "BLK_DEV_NVME", "nvme"),
    driver("ext4", "EXT4_FS", "ext4"),
    driver("overlay", "OVERLAY_FS", "overlay."),
    driver("dm_verity", "DM_VERITY", "dm_verity."),
    driver("virtio_console", "VIRTIO_CONSOLE", "virtio_console"),
    driver("vmw_vsock_virtio_transport", "VIRTIO_VSOCKETS", "vmw_vsock_virtio_transport"),
];

/// The drivers whose text a kernel has not.
#[derive(Debug, Default)]
pub struct Absent(Vec<&'static Driver>);

impl Absent {
    /// Looks through a kernel.
    ///
    /// # Errors
    /// When it is compressed, and cannot be unpacked.
    pub fn of(kernel: &Kernel) -> Result<Self, Error> {
        let mut absent: Vec<&Driver> = DRIVERS.iter().collect();
        kernel.windows(|window| {
            absent.retain(|driver| memmem::find(window.bytes, driver.text.as_bytes()).is_none());
        })?;
        Ok(Self(absent))
    }

    /// Whether it has the driver of this option surely not built in.
    pub fn has_option(&self, option: &str) -> bool {
        self.0.iter().any(|driver| driver.option == option)
    }
}

/// Those of these modules that the kernel in the file has surely not built in. Where nothing can be known, none is.
pub fn not_built_in<'a>(kernel: &Kernel, path: &Path, release: Option<&str>, modules: &[&'a str]) -> Vec<&'a str> {
    let options: Vec<(&str, &str)> = modules.iter().filter_map(|module| Some((*module, option_of(module)?))).collect();
    let beside = || Config::beside(path, release).and_then(|file| Config::read(&file).ok().flatten());
    let config = embedded_config(kernel).ok().flatten().or_else(beside);
    let get = |option: &str| config.as_ref().map_or(Setting::Unknown, |config| config.get(option));
    let is_open = options.iter().any(|(_, option)| get(option) == Setting::Unknown);
    let absent = if is_open { Absent::of(kernel).unwrap_or_default() } else { Absent::default() };
    let is_outside = |option: &str| match get(option) {
        Setting::Yes => false,
        Setting::Module | Setting::No => true,
        Setting::Unknown => absent.has_option(option),
    };
    options.into_iter().filter(|(_, option)| is_outside(option)).map(|(module, _)| module).collect()
}

fn option_of(module: &str) -> Option<&'static str> {
    DRIVERS.iter().find(|driver| driver.module == module).map(|driver| driver.option)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_driver_is_absent_where_its_text_is() {
        let mut file = b"\x7fELF\x02\x01\0\0\0\0\0\0\0\0\0\0\x02\0\x3e\0".to_vec();
        file.resize(4096, 0);
        file.extend_from_slice(b"\0virtio_blk\0EXT4-fs: %s ext4\0arp_overlay\0overlay.redirect_dir\0");
        let kernel = Kernel::parse(file, 1 << 20).expect("a vmlinux");
        let absent = Absent::of(&kernel).expect("not compressed");
        let has: Vec<_> = DRIVERS.iter().map(|driver| !absent.has_option(driver.option)).collect();
        assert_eq!(has, [false, false, true, false, true, true, false, false, false]);
        let wanted = ["virtio_pci", "virtio_blk", "of_another_kind"];
        assert_eq!(not_built_in(&kernel, Path::new("/nowhere/vmlinux"), None, &wanted), ["virtio_pci"]);
    }
}
