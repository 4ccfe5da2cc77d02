//! What a file is that is no kernel, by the bytes that its kind has at its place: the wrong file of a directory, or a kernel for
//! another processor.

use memchr::memmem;

use crate::bytes;

/// What other files have, where, and what they are. Those at the start of a file come last: several kinds may have them.
const KINDS: [(usize, &[u8], &str); 21] = [
    (0x24, b"\x18\x28\x6f\x01", "a zImage for ARM with 32 bits"),
    (0x38, b"RSC\x05", "an Image for RISC-V"),
    (257, b"ustar", "a tar"),
    (1080, b"\x53\xef", "an ext4 file system"),
    (0, b"\xd0\x0d\xfe\xed", "a device tree, or an image of U-Boot's (FIT); take the kernel out of it: dumpimage"),
    (0, b"\x27\x05\x19\x56", "an image of U-Boot's (uImage); take the kernel out of it: dumpimage"),
    (0, b"07070", "a cpio archive, as an initramfs is"),
    (0, b"hsqs", "a squashfs file system"),
    (0, b"QFI\xfb", "a qcow2 image"),
    (0, b"!<arch>", "an archive, as Debian's packages are; the kernel is in it"),
    (0, b"\xed\xab\xee\xdb", "a package of RPM's; the kernel is in it"),
    (0, b"PK\x03\x04", "a zip archive"),
    (0, b"\xfd7zXZ\0", "compressed by xz; unpack it first: unxz"),
    (0, b"\x28\xb5\x2f\xfd", "compressed by zstd; unpack it first: unzstd"),
    (0, b"\x04\x22\x4d\x18", "compressed by lz4; unpack it first: unlz4"),
    (0, b"\x02\x21\x4c\x18", "compressed by lz4; unpack it first: unlz4"),
    (0, b"\x5d\0\0", "compressed by lzma; unpack it first: unlzma"),
    (0, b"BZh", "compressed by bzip2; unpack it first: bunzip2"),
    (0, b"#!", "a script"),
    (0, b"MZ", "an EFI program without a kernel that nex knows in it"),
    (0, b"#\n# Automatically generated file", "a kernel's configuration"),
];

/// The section of a unified kernel image that has the kernel.
const LINUX_SECTION: &[u8] = b".linux\0\0";

/// The names of an EFI program's sections stand in its first bytes.
const HEADERS: usize = 4096;

/// Says what a file is that is no kernel.
pub fn what_it_is(file: &[u8]) -> &'static str {
    if file.is_empty() {
        return "it is empty";
    }
    if file.starts_with(b"MZ") && memmem::find(&file[..file.len().min(HEADERS)], LINUX_SECTION).is_some() {
        return "a unified kernel image; take the kernel out of it: objcopy -O binary -j .linux FILE KERNEL";
    }
    let found = KINDS.iter().find(|(at, magic, _)| bytes::slice(file, *at, magic.len()) == Some(magic));
    found.map_or("it begins like none", |(_, _, what)| what)
}
