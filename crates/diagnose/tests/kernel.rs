//! Kernels in every form and packing, made of a small one, and a distribution's real one.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use nex_diagnose::{Compression, Kernel, KernelError, KernelFormat, Setting};
use nex_testkit::{layout, places};

const CONFIG: &str = "#\n# Automatically generated file; DO NOT EDIT.\n#\nCONFIG_EXT4_FS=y\nCONFIG_VIRTIO_BLK=m\n";

/// What the inside of a kernel looks like to those who search it.
fn content(header: &[u8]) -> Vec<u8> {
    let mut bytes = header.to_vec();
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

/// The start of an ELF file of 64 bits for x86-64.
fn elf() -> Vec<u8> {
    let mut header = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0x3e, 0, 1, 0, 0, 0];
    header.resize(64, 0);
    header
}

/// The start of arm64's plain image.
fn arm64() -> Vec<u8> {
    let mut header = vec![0; 64];
    header[0x38..0x3C].copy_from_slice(b"ARM\x64");
    header
}

/// What a program of the machine makes of bytes; `None`, with a line that says so, when the machine lacks it.
fn packed(program: &str, arguments: &[&str], bytes: &[u8]) -> Option<Vec<u8>> {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("plain");
    fs::write(&file, bytes).expect("writable");
    let input = fs::File::open(&file).expect("readable");
    let Ok(output) = Command::new(program).args(arguments).stdin(Stdio::from(input)).output() else {
        eprintln!("LEFT OUT: no {program} here");
        return None;
    };
    assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    Some(output.stdout)
}

/// LZ4's older frame, in blocks as they are: literals only.
fn lz4_legacy(bytes: &[u8]) -> Vec<u8> {
    let mut packed = vec![0x02, 0x21, 0x4C, 0x18];
    let mut block = vec![0xF0];
    let mut more = bytes.len() - 15;
    while more >= 255 {
        block.push(255);
        more -= 255;
    }
    block.push(more as u8);
    block.extend_from_slice(bytes);
    packed.extend_from_slice(&(block.len() as u32).to_le_bytes());
    packed.extend_from_slice(&block);
    packed
}

/// A file that unpacks itself, with the unpacked length behind the payload.
fn bzimage(payload: &[u8], length: usize) -> Vec<u8> {
    const SETUP: usize = 3 * 512;
    const BEFORE: usize = 0x20;
    let mut bytes = vec![0; SETUP + BEFORE];
    bytes[0x1F1] = 2;
    bytes[0x202..0x206].copy_from_slice(b"HdrS");
    bytes[0x206..0x208].copy_from_slice(&0x020F_u16.to_le_bytes());
    bytes[0x20E..0x210].copy_from_slice(&0x200_u16.to_le_bytes());
    bytes[0x236..0x238].copy_from_slice(&1_u16.to_le_bytes());
    bytes[0x248..0x24C].copy_from_slice(&(BEFORE as u32).to_le_bytes());
    bytes[0x24C..0x250].copy_from_slice(&(payload.len() as u32 + 4).to_le_bytes());
    bytes[0x400..0x40F].copy_from_slice(b"6.6.7-test (b@h");
    bytes.extend_from_slice(payload);
    bytes.extend_from_slice(&(length as u32).to_le_bytes());
    bytes.resize(bytes.len() + 5000, 0xCC);
    bytes
}

fn check(kernel: &Kernel, machine: &str) {
    assert_eq!(kernel.version.as_deref(), Some("6.6.7-test"));
    assert_eq!(kernel.machine.map(|machine| machine.to_string()).as_deref(), Some(machine));
    let config = kernel.config.as_ref().expect("a configuration");
    assert_eq!((config.get("EXT4_FS"), config.get("VIRTIO_BLK")), (Setting::Yes, Setting::Module));
    assert_eq!(config.get("BTRFS_FS"), Setting::No);
    assert_eq!(kernel.unread, None);
}

#[test]
fn plain_kernels_tell_all() {
    let kernel = Kernel::parse(&content(&elf())).expect("a kernel");
    assert_eq!(kernel.format, KernelFormat::Elf);
    check(&kernel, "amd64");
    let kernel = Kernel::parse(&content(&arm64())).expect("a kernel");
    assert_eq!(kernel.format, KernelFormat::Image);
    check(&kernel, "arm64");
    let kernel = Kernel::parse(&layout::gzip(&content(&arm64())).expect("gzip")).expect("a kernel");
    assert_eq!((kernel.format, kernel.wrapping), (KernelFormat::Image, Some(Compression::Gzip)));
    check(&kernel, "arm64");
}

#[test]
fn kernels_that_unpack_themselves_are_unpacked() {
    let content = content(&elf());
    // As the kernel's own build calls them (`scripts/Makefile.lib`).
    let payloads = [
        (Compression::Gzip, packed("gzip", &["-n", "-9"], &content)),
        (Compression::Xz, packed("xz", &["--check=crc32", "--x86", "--lzma2=dict=32MiB"], &content)),
        (Compression::Lzma, packed("xz", &["--format=lzma", "-9"], &content)),
        (Compression::Zstd, packed("zstd", &["-22", "--ultra", "--stdout"], &content)),
        (Compression::Lz4, Some(lz4_legacy(&content))),
    ];
    for (compression, payload) in payloads {
        let Some(payload) = payload else { continue };
        let kernel = Kernel::parse(&bzimage(&payload, content.len())).expect("a kernel");
        assert_eq!((kernel.format, kernel.payload), (KernelFormat::BzImage, Some(compression)), "{:?}", kernel.unread);
        check(&kernel, "amd64");
    }
}

#[test]
fn a_payload_that_cannot_be_unpacked_leaves_what_the_header_says() {
    for payload in [&[0x89, b'L', b'Z', b'O', 0, 1][..], b"BZh91AY", &[0x1F, 0x8B, 8, 0, 1], b"????"] {
        let kernel = Kernel::parse(&bzimage(payload, 1000)).expect("a kernel");
        assert_eq!(kernel.version.as_deref(), Some("6.6.7-test"));
        assert!(kernel.config.is_none() && kernel.unread.is_some(), "{kernel:?}");
    }
}

#[test]
fn an_efi_program_is_unpacked() {
    let payload = layout::gzip(&content(&arm64())).expect("gzip");
    let mut bytes = vec![0; 0x100];
    bytes[..2].copy_from_slice(b"MZ");
    bytes[4..8].copy_from_slice(b"zimg");
    bytes[8..12].copy_from_slice(&0x100_u32.to_le_bytes());
    bytes[12..16].copy_from_slice(&(payload.len() as u32).to_le_bytes());
    bytes[0x3C..0x40].copy_from_slice(&0x80_u32.to_le_bytes());
    bytes[0x80..0x86].copy_from_slice(b"PE\0\0\x64\xAA");
    bytes.extend_from_slice(&payload);
    let kernel = Kernel::parse(&bytes).expect("a kernel");
    assert_eq!((kernel.format, kernel.payload), (KernelFormat::Zboot, Some(Compression::Gzip)));
    check(&kernel, "arm64");
}

#[test]
fn what_is_no_kernel_is_refused() {
    let gzip = layout::gzip(b"text").expect("gzip");
    for bytes in [&b""[..], b"text", &elf(), &gzip, &[0; 8192]] {
        assert!(matches!(Kernel::parse(bytes), Err(KernelError::NoKernel(_))));
    }
    let broken = &layout::gzip(&content(&elf())).expect("gzip")[..300];
    assert!(matches!(Kernel::parse(broken), Err(KernelError::Packed { compression: Compression::Gzip, .. })));
    assert!(matches!(Kernel::open(Path::new("/nonexistent")), Err(KernelError::Host(_))));
}

#[test]
fn a_distribution_s_kernel_tells_what_it_is() {
    let path = places::workspace().join("target/guest/vmlinuz");
    if !path.is_file() {
        eprintln!("LEFT OUT: {} is not there (scripts/setup-tests unpacks it)", path.display());
        return;
    }
    let kernel = Kernel::open(&path).expect("a kernel");
    assert_eq!(kernel.format, KernelFormat::BzImage);
    assert_eq!(kernel.machine.map(|machine| machine.to_string()).as_deref(), Some("amd64"));
    assert_eq!(kernel.unread, None);
    assert!(kernel.version.is_some_and(|version| version.ends_with("-cloud-amd64")));
    // Debian's kernels do not carry theirs.
    assert!(kernel.config.is_none());
}
