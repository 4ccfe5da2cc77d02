//! Kernels that lack one thing, each made of a configuration.

use std::fs;
use std::path::{Path, PathBuf};

use nex_diagnose::{CheckOptions, Report, Verdict, check_file};
use nex_testkit::layout;

use crate::tree::{Tree, debugfs, evidence, expect, ids};

/// What a microVM's kernel has.
const OPTIONS: [&str; 26] = [
    "BINFMT_ELF",
    "BINFMT_SCRIPT",
    "BLK_DEV_INITRD",
    "CGROUPS",
    "DEVTMPFS",
    "DEVTMPFS_MOUNT",
    "DM_INIT",
    "DM_VERITY",
    "EPOLL",
    "EXT4_FS",
    "FHANDLE",
    "IA32_EMULATION",
    "INOTIFY_USER",
    "IP_PNP",
    "NET",
    "OVERLAY_FS",
    "PROC_FS",
    "SERIAL_8250_CONSOLE",
    "SIGNALFD",
    "SYSFS",
    "TIMERFD",
    "TMPFS",
    "UNIX",
    "VIRTIO_BLK",
    "VIRTIO_MMIO",
    "VIRTIO_PCI",
];

/// A vmlinux for x86-64, as far as is looked at, with a configuration in it.
fn vmlinux(release: &str, config: &str) -> Vec<u8> {
    let mut bytes = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0x3e, 0, 1, 0, 0, 0];
    bytes.resize(4096, 0);
    bytes.extend_from_slice(format!("Linux version {release} (builder@host)\n\0").as_bytes());
    if !config.is_empty() {
        bytes.extend_from_slice(b"IKCFG_ST");
        bytes.extend_from_slice(&layout::gzip(config.as_bytes()).expect("gzip"));
        bytes.extend_from_slice(b"IKCFG_ED");
    }
    bytes
}

/// A whole configuration but for some options, which are as they are given.
fn config(but: &[(&str, &str)]) -> String {
    let line = |name: &str| match but.iter().find(|(changed, _)| *changed == name).map_or("y", |(_, value)| value) {
        "n" => format!("# CONFIG_{name} is not set\n"),
        value => format!("CONFIG_{name}={value}\n"),
    };
    let more = but.iter().map(|(name, _)| *name).filter(|name| !OPTIONS.contains(name));
    let lines: String = OPTIONS.into_iter().chain(more).map(line).collect();
    format!("#\n# Automatically generated file; DO NOT EDIT.\n# Linux/x86 6.6.7 Kernel Configuration\n#\n{lines}")
}

/// What is said of an image and a kernel.
fn with_kernel(image: &Path, kernel: &[u8], options: CheckOptions) -> Report {
    let path = image.with_file_name("vmlinux");
    fs::write(&path, kernel).expect("writable");
    check_file(image, &CheckOptions { kernel: Some(path), ..options }).expect("readable")
}

fn with_config(image: &Path, but: &[(&str, &str)]) -> Report {
    with_kernel(image, &vmlinux("6.6.7", &config(but)), CheckOptions::default())
}

fn image(tree: &Tree) -> PathBuf {
    tree.image(&[])
}

#[test]
fn a_kernel_with_all_of_it_fits() {
    for tree in [Tree::busybox(), Tree::openrc(), Tree::systemd()] {
        let report = with_config(&image(&tree), &[]);
        expect(&report, &[]);
        let kernel = report.kernel.expect("a kernel");
        assert_eq!((kernel.version.as_deref(), kernel.architecture.as_deref()), (Some("6.6.7"), Some("amd64")));
        assert_eq!(kernel.config.as_deref(), Some("the kernel's own (IKCONFIG)"));
    }
}

#[test]
fn one_option_less() {
    let tree = Tree::openrc();
    let image = image(&tree);
    let cases: [(&str, &str, &[&str]); 17] = [
        ("EXT4_FS", "n", &["kernel-ext4"]),
        ("EXT4_FS", "m", &["kernel-modules"]),
        ("VIRTIO_BLK", "n", &["kernel-block"]),
        ("VIRTIO_BLK", "m", &["kernel-modules"]),
        ("VIRTIO_MMIO", "n", &["kernel-mmio"]),
        ("VIRTIO_PCI", "n", &["kernel-pci"]),
        ("DEVTMPFS", "n", &["kernel-devtmpfs"]),
        ("DEVTMPFS_MOUNT", "n", &["kernel-devtmpfs-mount"]),
        ("SERIAL_8250_CONSOLE", "n", &["kernel-console"]),
        ("BINFMT_ELF", "n", &["kernel-elf"]),
        ("BINFMT_SCRIPT", "m", &["kernel-script"]),
        ("TMPFS", "n", &["kernel-file-systems"]),
        ("IP_PNP", "n", &["kernel-resolver"]),
        // Nothing here asks for them.
        ("OVERLAY_FS", "n", &[]),
        ("DM_VERITY", "n", &[]),
        ("CGROUPS", "n", &[]),
        ("IA32_EMULATION", "n", &[]),
    ];
    for (name, value, expected) in cases {
        let report = with_config(&image, &[(name, value)]);
        assert_eq!(ids(&report), expected, "{name}={value}: {:?}", report.findings);
    }
    let neither = [("VIRTIO_MMIO", "n"), ("VIRTIO_PCI", "n")];
    expect(&with_config(&image, &neither), &["kernel-transport"]);
    let no_initramfs = [("VIRTIO_BLK", "m"), ("BLK_DEV_INITRD", "n")];
    expect(&with_config(&image, &no_initramfs), &["kernel-initramfs"]);
}

#[test]
fn systemd_needs_more() {
    let tree = Tree::systemd();
    let report = with_config(&image(&tree), &[("FHANDLE", "n"), ("CGROUPS", "n")]);
    expect(&report, &["kernel-systemd"]);
    assert_eq!(evidence(&report, "kernel-systemd"), "not set: CONFIG_CGROUPS, CONFIG_FHANDLE");
}

#[test]
fn devices_of_the_image_s_own_do_without_devtmpfs() {
    let tree = Tree::busybox();
    let image = image(&tree);
    // debugfs makes devices in its working directory alone.
    debugfs(&image, "cd /dev\nmknod console c 5 1\n");
    expect(&with_config(&image, &[("DEVTMPFS", "n")]), &[]);
    expect(&with_config(&image, &[("DEVTMPFS_MOUNT", "n")]), &[]);
}

#[test]
fn an_overlay_and_a_hash_tree_need_theirs() {
    let tree = Tree::busybox();
    let image = image(&tree);
    let kernel = vmlinux("6.6.7", &config(&[("OVERLAY_FS", "n"), ("DM_VERITY", "m")]));
    let overlay = CheckOptions { overlay: true, ..CheckOptions::default() };
    expect(&with_kernel(&image, &kernel, overlay.clone()), &["kernel-overlay"]);
    let module = vmlinux("6.6.7", &config(&[("OVERLAY_FS", "m")]));
    expect(&with_kernel(&image, &module, overlay), &["kernel-modules"]);
    let mut sealed = fs::read(&image).expect("readable");
    sealed.extend_from_slice(b"verity\0\0");
    sealed.resize(sealed.len() + 4096, 0);
    fs::write(&image, sealed).expect("writable");
    // As a module it comes by the initramfs, which needs no DM_INIT.
    let report = with_kernel(&image, &kernel, CheckOptions::default());
    expect(&report, &["kernel-modules"]);
    assert!(evidence(&report, "kernel-modules").starts_with("CONFIG_DM_VERITY: "));
    for lacking in ["DM_VERITY", "DM_INIT"] {
        let kernel = vmlinux("6.6.7", &config(&[(lacking, "n")]));
        expect(&with_kernel(&image, &kernel, CheckOptions::default()), &["kernel-verity"]);
    }
}

#[test]
fn features_need_a_kernel_that_is_new_enough() {
    let tree = Tree::busybox();
    let image = tree.image(&["-O", "metadata_csum_seed,project,quota"]);
    let report = with_kernel(
        &image,
        &vmlinux("4.2.8-old", &config(&[("QUOTA", "y"), ("QFMT_V2", "y")])),
        CheckOptions::default(),
    );
    expect(&report, &["kernel-too-old", "kernel-too-old"]);
    assert!(evidence(&report, "kernel-too-old").contains("metadata_csum_seed, which Linux 4.4 brought"));
    let report = with_config(&image, &[("QUOTA", "n")]);
    assert_eq!(ids(&report), ["kernel-ext4-option", "kernel-ext4-option"]);
}

#[test]
fn another_processor() {
    let tree = Tree::new().program_for_arm("usr/local/bin/agent").link("sbin/init", "/usr/local/bin/agent");
    let report = with_config(&image(&tree), &[]);
    expect(&report, &["kernel-machine"]);
    assert_eq!(evidence(&report, "kernel-machine"), "the kernel is for amd64, and /sbin/init for arm64");
    // An init that fits, and an agent that does not.
    let tree = Tree::busybox().program_for_arm("usr/local/bin/agent");
    expect(&with_config(&image(&tree), &[]), &["agent-machine"]);
    // An init that does not fit, among programs that do.
    let tree = Tree::busybox().program_for_arm("sbin/init");
    assert!(ids(&with_config(&image(&tree), &[])).contains(&"init-machine"));
}

#[test]
fn programs_of_32_bits_take_a_kernel_that_runs_them() {
    let mut program = vec![0x7f, b'E', b'L', b'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 3, 0, 1, 0, 0, 0];
    program.resize(52, 0);
    let tree = Tree::new().file("usr/local/bin/agent", program).mode("usr/local/bin/agent", 0o755);
    let tree = tree.link("sbin/init", "/usr/local/bin/agent");
    let image = image(&tree);
    expect(&with_config(&image, &[]), &["agent-foreign"]);
    expect(&with_config(&image, &[("IA32_EMULATION", "n")]), &["kernel-32-bit", "agent-foreign"]);
}

#[test]
fn what_is_no_kernel() {
    let tree = Tree::busybox();
    let report = with_kernel(&image(&tree), b"#!/bin/sh\n", CheckOptions::default());
    assert_eq!(ids(&report), ["no-kernel"]);
    assert_eq!(report.verdict(), Verdict::Failing);
}

#[test]
fn a_kernel_that_does_not_tell_leaves_its_part_open() {
    let tree = Tree::busybox();
    let image = image(&tree);
    let silent = vmlinux("6.6.7", "");
    let report = with_kernel(&image, &silent, CheckOptions::default());
    assert_eq!((ids(&report).len(), report.verdict()), (0, Verdict::Unknown));
    assert!(report.unchecked[0].why.contains("no config-6.6.7 stands beside it"), "{:?}", report.unchecked);

    // Beside the kernel, by its release; or where it is said.
    let beside = image.with_file_name("config-6.6.7");
    fs::write(&beside, config(&[("EXT4_FS", "n")])).expect("writable");
    assert_eq!(ids(&with_kernel(&image, &silent, CheckOptions::default())), ["kernel-ext4"]);
    let elsewhere = image.with_file_name("elsewhere");
    fs::write(&elsewhere, config(&[("VIRTIO_BLK", "n")])).expect("writable");
    let told = CheckOptions { kernel_config: Some(elsewhere.clone()), ..CheckOptions::default() };
    assert_eq!(ids(&with_kernel(&image, &silent, told.clone())), ["kernel-block"]);

    // What a fragment leaves out may be as it should.
    fs::write(&elsewhere, "CONFIG_EXT4_FS=y\nCONFIG_VIRTIO_BLK=y\nCONFIG_VIRTIO_PCI=y\n").expect("writable");
    let report = with_kernel(&image, &silent, told);
    assert_eq!((ids(&report).len(), report.verdict()), (0, Verdict::Unknown));
    assert!(report.unchecked[0].why.contains("CONFIG_DEVTMPFS"), "{:?}", report.unchecked);
}

#[test]
fn a_packed_kernel_is_told_to_those_who_need_it_plain() {
    let tree = Tree::busybox();
    let packed = layout::gzip(&vmlinux("6.6.7", &config(&[]))).expect("gzip");
    expect(&with_kernel(&image(&tree), &packed, CheckOptions::default()), &["kernel-format"]);
}
