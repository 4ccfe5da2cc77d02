//! What a file is that holds no ext4, by the bytes that its kind has at its place, and how to get at an ext4 file system.

use std::io;

use crate::disk::Disk;

/// A kind of file.
struct Kind {
    /// Where its magic bytes stand.
    at: usize,
    magic: &'static [u8],
    what: &'static str,
}

const fn kind(at: usize, magic: &'static [u8], what: &'static str) -> Kind {
    Kind { at, magic, what }
}

const KINDS: [Kind; 25] = [
    kind(0, &[0x1f, 0x8b], "it is compressed with gzip; unpack it first: gunzip FILE"),
    kind(0, &[0x28, 0xb5, 0x2f, 0xfd], "it is compressed with zstd; unpack it first: unzstd FILE"),
    kind(0, b"\xfd7zXZ\0", "it is compressed with xz; unpack it first: unxz FILE"),
    kind(0, b"BZh", "it is compressed with bzip2; unpack it first: bunzip2 FILE"),
    kind(0, &[0x04, 0x22, 0x4d, 0x18], "it is compressed with lz4; unpack it first: unlz4 FILE"),
    kind(0, b"PK\x03\x04", "it is a zip archive; unpack it first: unzip FILE"),
    kind(0, b"QFI\xfb", "it is a qcow2 image; make it raw: qemu-img convert -O raw FILE OUT"),
    kind(0, b"KDMV", "it is a VMDK image; make it raw: qemu-img convert -O raw FILE OUT"),
    kind(0, b"vhdxfile", "it is a VHDX image; make it raw: qemu-img convert -O raw FILE OUT"),
    kind(0, b"conectix", "it is a VHD image; make it raw: qemu-img convert -O raw FILE OUT"),
    kind(64, &[0x7f, 0x10, 0xda, 0xbe], "it is a VDI image; make it raw: qemu-img convert -O raw FILE OUT"),
    kind(0, &[0x3a, 0xff, 0x26, 0xed], "it is a sparse image of Android; make it raw: simg2img FILE OUT"),
    kind(0, b"hsqs", "it is a squashfs file system"),
    kind(0, b"XFSB", "it is an XFS file system"),
    kind(0, b"LUKS\xba\xbe", "it is encrypted with LUKS"),
    kind(0, b"\x7fELF", "it is an ELF file (a kernel?)"),
    kind(0, b"07070", "it is a cpio archive (an initramfs?)"),
    kind(257, b"ustar", "it is a tar; make a root filesystem of it: nex rootfs --image tar:FILE"),
    kind(512, b"LABELONE", "it is a physical volume of LVM"),
    kind(1024, &[0x10, 0x20, 0xf5, 0xf2], "it is an f2fs file system"),
    kind(1024, &[0xe2, 0xe1, 0xf5, 0xe0], "it is an EROFS file system"),
    kind(4086, b"SWAPSPACE2", "it is swap space"),
    kind(32769, b"CD001", "it is an ISO 9660 file system, as on a CD"),
    kind(65600, b"_BHRfS_M", "it is a btrfs file system"),
    // Others have a boot sector too.
    kind(
        510,
        &[0x55, 0xaa],
        "it begins with a partition table or a boot sector; give the partition with the root filesystem alone",
    ),
];

/// Up to the end of the last magic bytes.
const START: usize = 65600 + 8;

/// The least that holds a superblock.
const LEAST: u64 = 2048;

/// Says what a file without an ext4 superblock is.
pub(crate) fn what_it_is(disk: &Disk) -> io::Result<String> {
    if disk.length() < LEAST {
        return Ok(format!("it has {} bytes, too few for a file system", disk.length()));
    }
    let mut start = vec![0; START];
    let length = disk.start(0, &mut start)?;
    start.truncate(length);
    let found = KINDS.iter().find(|kind| start.get(kind.at..).is_some_and(|rest| rest.starts_with(kind.magic)));
    Ok(match found {
        Some(kind) => kind.what,
        None if start.iter().all(|&byte| byte == 0) => "it begins with zeros",
        None => "no ext4 superblock stands at byte 1024",
    }
    .into())
}
