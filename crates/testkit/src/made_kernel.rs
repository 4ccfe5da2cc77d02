//! Files that pass for kernels, made byte by byte: with a release, a configuration and an entry, and nothing that runs.

use std::io::Write;

use crate::{Result, elf};

/// A configuration with all that a guest of x86-64 needs, whole.
pub const FIT: &str = "# Automatically generated file; DO NOT EDIT.\n\
    CONFIG_VIRTIO_PCI=y\nCONFIG_PCI=y\nCONFIG_VIRTIO_MMIO=y\nCONFIG_VIRTIO_BLK=y\nCONFIG_EXT4_FS=y\nCONFIG_DEVTMPFS=y\n\
    CONFIG_PROC_FS=y\nCONFIG_SYSFS=y\nCONFIG_TMPFS=y\nCONFIG_BINFMT_ELF=y\nCONFIG_SERIAL_8250_CONSOLE=y\n";

/// What the drivers that a guest needs leave in a kernel that has them built in.
pub const DRIVERS: &[u8] =
    b"virtio-pci\0virtio-mmio\0virtio_blk\0ext4\0overlay.redirect_dir\0dm_verity.prefetch_cluster\0";

/// Whether QEMU finds an entry in it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// It has the note of `CONFIG_PVH`.
    Pvh,
    /// It has none.
    None,
}

/// A vmlinux of this release, with this configuration in it (`CONFIG_IKCONFIG`). Where it has none, it has the drivers of a guest built
/// in.
pub fn vmlinux(machine: u16, release: &str, config: Option<&str>, entry: Entry) -> Result<Vec<u8>> {
    /// The owner of the note, and its kind (`XEN_ELFNOTE_PHYS32_ENTRY`).
    const NOTE: [&[u8]; 3] = [&[4, 0, 0, 0, 4, 0, 0, 0, 18, 0, 0, 0], b"Xen\0", &[0, 0, 0, 1]];
    let mut content = format!("Linux version {release} (nex@nex) #1\n\0").into_bytes();
    if let Some(config) = config {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packer.write_all(config.as_bytes())?;
        content.extend_from_slice(b"IKCFG_ST");
        content.extend_from_slice(&packer.finish()?);
        content.extend_from_slice(b"IKCFG_ED");
    } else {
        content.extend_from_slice(DRIVERS);
    }
    let notes = if entry == Entry::Pvh { NOTE.concat() } else { Vec::new() };
    Ok(elf::program(machine, &content, &notes))
}
