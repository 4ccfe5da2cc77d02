//! Kernels with their configuration inside, packed as it may be, and a distribution's real one.

use std::path::Path;
use std::process::Command;

use nex_diagnose::{KernelFacts, Setting};
use nex_kernel::{Error, Form, Kernel, MAX_KERNEL};
use nex_testkit::guest::Parts;
use nex_testkit::{command, layout};

const CONFIG: &str = "#\n# Automatically generated file; DO NOT EDIT.\n#\nCONFIG_EXT4_FS=y\nCONFIG_VIRTIO_BLK=m\n";

/// What a vmlinux for x86-64 looks like to those who search it.
fn vmlinux() -> Vec<u8> {
    let mut bytes = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0x3e, 0, 1, 0, 0, 0];
    bytes.resize(4096, 0);
    // The marks' own texts stand in front of what they mark.
    bytes.extend_from_slice(b"Linux version %s\0IKCFG_ST: not here\0");
    bytes.extend_from_slice(b"Linux version 6.6.7-test (builder@host) (gcc) #1 SMP\n\0");
    bytes.extend_from_slice(b"IKCFG_ST");
    bytes.extend_from_slice(&layout::gzip(CONFIG.as_bytes()).expect("gzip"));
    bytes.extend_from_slice(b"IKCFG_ED");
    bytes.resize(200_000, 0x90);
    bytes
}

fn facts(bytes: Vec<u8>) -> Result<KernelFacts, Error> {
    Kernel::parse(bytes, MAX_KERNEL).and_then(|kernel| KernelFacts::of(&kernel))
}

#[test]
fn the_configuration_is_found_however_it_is_packed() {
    let packed = layout::gzip(&vmlinux()).expect("gzip");
    for (bytes, form) in [(vmlinux(), Form::Vmlinux), (packed, Form::Gzip)] {
        let kernel = facts(bytes).expect("a kernel");
        assert_eq!((kernel.form, kernel.release.as_deref()), (form, Some("6.6.7-test")));
        assert_eq!(kernel.processor.map(|processor| processor.to_string()).as_deref(), Some("amd64"));
        let config = kernel.config.expect("a configuration");
        assert_eq!((config.get("EXT4_FS"), config.get("VIRTIO_BLK")), (Setting::Yes, Setting::Module));
        assert_eq!(config.get("BTRFS_FS"), Setting::No);
        assert_eq!(kernel.unread, None);
    }
}

#[test]
fn programs_are_no_kernels() {
    assert!(matches!(KernelFacts::read(Path::new("/bin/true"), MAX_KERNEL), Err(Error::NotAKernel { .. })));
    assert!(matches!(KernelFacts::read(Path::new("/nonexistent"), MAX_KERNEL), Err(Error::Read { .. })));
}

#[test]
fn a_distribution_s_kernel_tells_what_it_is() {
    let Some(parts) = Parts::find().expect("readable") else { return };
    let kernel = KernelFacts::read(&parts.kernel, MAX_KERNEL).expect("a kernel");
    assert!(kernel.release.is_some_and(|release| release.ends_with("-cloud-amd64")));
    // Debian's kernels do not carry theirs, as the mark's absence shows to others too.
    assert!(kernel.config.is_none() && kernel.unread.is_none());
    let unpacked = Kernel::read(&parts.kernel, MAX_KERNEL)
        .and_then(|kernel| Ok(kernel.unpacked()?.into_owned()))
        .expect("a kernel");
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("vmlinux");
    std::fs::write(&path, unpacked).expect("writable");
    let found = command::output(Command::new("grep").args(["--quiet", "--text", "IKCFG_ST"]).arg(&path)).expect("grep");
    assert_eq!(found.status.code(), Some(1));
}
