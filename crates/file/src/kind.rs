//! What a file is, by the bytes that its kind has at its place: for those who were handed something else than they expect.

/// A kind of file that people take for another one.
#[derive(Debug, PartialEq, Eq)]
pub struct FileKind {
    /// Where its magic bytes stand.
    at: usize,
    magic: &'static [u8],
    /// What goes behind "it is": `a tar`, `compressed with xz`.
    pub what: &'static str,
    /// How it is undone, for what is compressed: a program that writes to its standard output what is in the file behind it.
    pub unpack: Option<&'static str>,
}

/// What stands in the first header of each tar that POSIX or GNU know.
const TAR_MAGIC: &[u8] = b"ustar";

impl FileKind {
    /// Whether it is a tar.
    pub fn is_tar(&self) -> bool {
        self.magic == TAR_MAGIC
    }
}

const fn kind(at: usize, magic: &'static [u8], what: &'static str) -> FileKind {
    FileKind { at, magic, what, unpack: None }
}

const fn compressed(magic: &'static [u8], what: &'static str, unpack: &'static str) -> FileKind {
    FileKind { at: 0, magic, what, unpack: Some(unpack) }
}

/// A tar comes first: its first bytes are a name, which may look like anything. Boot sectors, which others have too, come last.
const KINDS: [FileKind; 37] = [
    kind(257, TAR_MAGIC, "a tar"),
    compressed(&[0x1f, 0x8b], "compressed with gzip", "gzip -dc"),
    compressed(&[0x28, 0xb5, 0x2f, 0xfd], "compressed with zstd", "zstd -dc"),
    compressed(b"\xfd7zXZ\0", "compressed with xz", "xz -dc"),
    compressed(b"BZh", "compressed with bzip2", "bzip2 -dc"),
    compressed(&[0x04, 0x22, 0x4d, 0x18], "compressed with lz4", "lz4 -dc"),
    compressed(&[0x02, 0x21, 0x4c, 0x18], "compressed with lz4", "lz4 -dc"),
    compressed(&[0x5d, 0, 0], "compressed with lzma", "xz -dc --format=lzma"),
    compressed(&[0x1f, 0x9d], "compressed with compress", "uncompress -c"),
    compressed(b"LZIP", "compressed with lzip", "lzip -dc"),
    kind(0, b"PK\x03\x04", "a zip archive"),
    kind(0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    kind(0, b"!<arch>", "an ar archive, as Debian's packages are"),
    kind(0, b"\xed\xab\xee\xdb", "a package of RPM's"),
    kind(0, b"07070", "a cpio archive, as an initramfs is"),
    kind(0, b"\x7fELF", "an ELF file: a program, a library or a kernel"),
    kind(0, b"#!", "a script"),
    kind(0, b"%PDF", "a PDF document"),
    kind(0, b"{", "a JSON document"),
    kind(0, b"[", "a JSON document"),
    kind(0, b"<", "an HTML or XML document"),
    kind(0, b"hsqs", "a squashfs file system"),
    kind(0, b"XFSB", "an XFS file system"),
    kind(1080, &[0x53, 0xef], "an ext4 file system"),
    kind(1024, &[0x10, 0x20, 0xf5, 0xf2], "an f2fs file system"),
    kind(1024, &[0xe2, 0xe1, 0xf5, 0xe0], "an EROFS file system"),
    kind(32769, b"CD001", "an ISO 9660 file system, as on a CD"),
    kind(65600, b"_BHRfS_M", "a btrfs file system"),
    kind(4086, b"SWAPSPACE2", "swap space"),
    kind(0, b"LUKS\xba\xbe", "encrypted with LUKS"),
    kind(512, b"LABELONE", "a physical volume of LVM"),
    kind(0, b"QFI\xfb", "a qcow2 image"),
    kind(0, b"KDMV", "a VMDK image"),
    kind(0, b"vhdxfile", "a VHDX image"),
    kind(0, b"conectix", "a VHD image"),
    kind(0, &[0x3a, 0xff, 0x26, 0xed], "a sparse image of Android"),
    kind(510, &[0x55, 0xaa], "a disk with a partition table, or a boot sector"),
];

/// Bytes at the start of a file that tell its kind.
pub const START: usize = 65600 + 8;

/// The kind of a file, by its first bytes: [`START`] of them tell all that is known. `None` for those like none of these.
pub fn of(start: &[u8]) -> Option<&'static FileKind> {
    KINDS.iter().find(|kind| start.get(kind.at..).is_some_and(|rest| rest.starts_with(kind.magic)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_known_by_its_bytes_and_within_the_start() {
        for kind in &KINDS {
            let mut start = vec![0; START];
            start[kind.at..][..kind.magic.len()].copy_from_slice(kind.magic);
            assert_eq!(of(&start).map(|found| found.what), Some(kind.what));
            assert_eq!(of(&start[..kind.at + kind.magic.len()]).map(|found| found.what), Some(kind.what));
        }
        assert_eq!(of(&[0; START]), None);
        assert_eq!(of(b""), None);
    }

    #[test]
    fn a_tar_whose_first_name_looks_like_another_kind_is_a_tar() {
        let mut start = [0; 512];
        start[..5].copy_from_slice(b"07070");
        start[257..262].copy_from_slice(b"ustar");
        assert!(of(&start).is_some_and(FileKind::is_tar));
    }
}
