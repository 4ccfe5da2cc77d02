//! What a file is, by the bytes that its kind has at its place: for those who were handed something else than they expect.

/// The forms of files that somebody asks for, or knows what to do about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A tar, as POSIX or GNU know it.
    Tar,
    /// gzip (RFC 1952).
    Gzip,
    /// Zstandard (RFC 8878).
    Zstd,
    /// The .xz format.
    Xz,
    /// bzip2.
    Bzip2,
    /// lz4's frames.
    Lz4,
    /// lz4 as kernels have it: its old format.
    Lz4Legacy,
    /// LZMA, as xz had it before.
    Lzma,
    /// LZO, as lzop writes it.
    Lzo,
    /// An archive of ar.
    Ar,
    /// A package of RPM's.
    Rpm,
    /// An EFI program.
    Efi,
    /// A device tree.
    DeviceTree,
    /// An image of U-Boot's.
    UImage,
    /// An ext4 file system.
    Ext4,
    /// A boot sector.
    BootSector,
    /// Text of a form of its own, such as a script. Other text may begin as it does.
    Text,
    /// Another one.
    Other,
}

impl Format {
    /// Whether a file that begins with these bytes may have this form, whatever else it may be.
    pub fn matches(self, start: &[u8]) -> bool {
        KINDS.iter().any(|kind| kind.format == self && kind.matches(start))
    }
}

/// A kind of file that people take for another one.
#[derive(Debug, PartialEq, Eq)]
pub struct FileKind {
    /// Its form.
    pub format: Format,
    /// Where its magic bytes stand.
    at: usize,
    magic: &'static [u8],
    /// What goes behind "it is": `a tar`, `compressed with xz`.
    pub what: &'static str,
    /// How it is undone, for what is compressed: a program that writes to its standard output what is in the file behind it.
    pub unpack: Option<&'static str>,
    /// A program that puts what is in the file behind it beside the file, or in its place.
    pub unpack_in_place: Option<&'static str>,
    /// A program that makes a raw image of the file behind it, under the name behind that.
    pub make_raw: Option<&'static str>,
}

impl FileKind {
    /// Whether it is a tar.
    pub fn is_tar(&self) -> bool {
        self.format == Format::Tar
    }

    /// Whether it is text, which other text may look like: a kernel's messages begin with `[`, as JSON does.
    pub fn is_text(&self) -> bool {
        self.format == Format::Text
    }

    /// What to do with it before it can be used, if that is known: `unpack it first: unxz FILE`.
    pub fn remedy(&self) -> Option<String> {
        let unpack = self.unpack_in_place.map(|program| format!("unpack it first: {program} FILE"));
        unpack.or(self.make_raw.map(|program| format!("make it raw: {program} FILE OUT")))
    }

    fn matches(&self, start: &[u8]) -> bool {
        start.get(self.at..).is_some_and(|rest| rest.starts_with(self.magic))
            || self.format == Format::Zstd && begins_with_skippable_frame(start)
    }
}

/// Whether something begins as what decoders of Zstandard skip (RFC 8878, section 3.1.2), which may stand before its frames.
fn begins_with_skippable_frame(start: &[u8]) -> bool {
    matches!(start, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

const fn kind(at: usize, magic: &'static [u8], what: &'static str) -> FileKind {
    FileKind { format: Format::Other, at, magic, what, unpack: None, unpack_in_place: None, make_raw: None }
}

const fn known(format: Format, at: usize, magic: &'static [u8], what: &'static str) -> FileKind {
    FileKind { format, ..kind(at, magic, what) }
}

const fn compressed(
    format: Format,
    magic: &'static [u8],
    what: &'static str,
    unpack: &'static str,
    in_place: &'static str,
) -> FileKind {
    FileKind { unpack: Some(unpack), unpack_in_place: Some(in_place), ..known(format, 0, magic, what) }
}

const fn disk(at: usize, magic: &'static [u8], what: &'static str) -> FileKind {
    FileKind { make_raw: Some("qemu-img convert -O raw"), ..kind(at, magic, what) }
}

/// A tar comes first: its first bytes are a name, which may look like anything. What has few magic bytes, or shares them with others,
/// comes last.
const KINDS: [FileKind; 45] = [
    known(Format::Tar, 257, b"ustar", "a tar"),
    kind(0x24, b"\x18\x28\x6f\x01", "a zImage for ARM with 32 bits"),
    kind(0x38, b"RSC\x05", "an Image for RISC-V"),
    compressed(Format::Gzip, &[0x1f, 0x8b], "compressed with gzip", "gzip -dc", "gunzip"),
    compressed(Format::Zstd, &[0x28, 0xb5, 0x2f, 0xfd], "compressed with zstd", "zstd -dc", "unzstd"),
    compressed(Format::Xz, b"\xfd7zXZ\0", "compressed with xz", "xz -dc", "unxz"),
    compressed(Format::Bzip2, b"BZh", "compressed with bzip2", "bzip2 -dc", "bunzip2"),
    compressed(Format::Lz4, &[0x04, 0x22, 0x4d, 0x18], "compressed with lz4", "lz4 -dc", "unlz4"),
    compressed(Format::Lz4Legacy, &[0x02, 0x21, 0x4c, 0x18], "compressed with lz4", "lz4 -dc", "unlz4"),
    compressed(Format::Lzma, &[0x5d, 0, 0], "compressed with lzma", "xz -dc --format=lzma", "unlzma"),
    compressed(Format::Lzo, b"\x89LZO", "compressed with lzop", "lzop -dc", "lzop -d"),
    compressed(Format::Other, &[0x1f, 0x9d], "compressed with compress", "uncompress -c", "uncompress"),
    compressed(Format::Other, b"LZIP", "compressed with lzip", "lzip -dc", "lzip -d"),
    FileKind { unpack_in_place: Some("unzip"), ..kind(0, b"PK\x03\x04", "a zip archive") },
    kind(0, b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    known(Format::Ar, 0, b"!<arch>", "an ar archive, as Debian's packages are"),
    known(Format::Rpm, 0, b"\xed\xab\xee\xdb", "a package of RPM's"),
    kind(0, b"07070", "a cpio archive, as an initramfs is"),
    known(Format::DeviceTree, 0, b"\xd0\x0d\xfe\xed", "a device tree, or an image of U-Boot's (FIT)"),
    known(Format::UImage, 0, b"\x27\x05\x19\x56", "an image of U-Boot's (uImage)"),
    kind(0, b"\x7fELF", "an ELF file: a program, a library or a kernel"),
    known(Format::Text, 0, b"#!", "a script"),
    known(Format::Text, 0, b"#\n# Automatically generated file", "a kernel's configuration"),
    kind(0, b"%PDF", "a PDF document"),
    known(Format::Text, 0, b"{", "a JSON document"),
    known(Format::Text, 0, b"[", "a JSON document"),
    known(Format::Text, 0, b"<", "an HTML or XML document"),
    kind(0, b"hsqs", "a squashfs file system"),
    kind(0, b"XFSB", "an XFS file system"),
    known(Format::Ext4, 1080, &[0x53, 0xef], "an ext4 file system"),
    kind(1024, &[0x10, 0x20, 0xf5, 0xf2], "an f2fs file system"),
    kind(1024, &[0xe2, 0xe1, 0xf5, 0xe0], "an EROFS file system"),
    kind(32769, b"CD001", "an ISO 9660 file system, as on a CD"),
    kind(65600, b"_BHRfS_M", "a btrfs file system"),
    kind(4086, b"SWAPSPACE2", "swap space"),
    kind(0, b"LUKS\xba\xbe", "encrypted with LUKS"),
    kind(512, b"LABELONE", "a physical volume of LVM"),
    disk(0, b"QFI\xfb", "a qcow2 image"),
    disk(0, b"KDMV", "a VMDK image"),
    disk(0, b"vhdxfile", "a VHDX image"),
    disk(0, b"conectix", "a VHD image"),
    disk(64, &[0x7f, 0x10, 0xda, 0xbe], "a VDI image"),
    FileKind { make_raw: Some("simg2img"), ..kind(0, &[0x3a, 0xff, 0x26, 0xed], "a sparse image of Android") },
    known(Format::Efi, 0, b"MZ", "an EFI program"),
    known(Format::BootSector, 510, &[0x55, 0xaa], "a disk with a partition table, or a boot sector"),
];

/// Bytes at the start of a file that tell its kind.
pub const START: usize = 65600 + 8;

/// The kind of a file, by its first bytes: [`START`] of them tell all that is known. `None` for those like none of these.
pub fn of(start: &[u8]) -> Option<&'static FileKind> {
    KINDS.iter().find(|kind| kind.matches(start))
}

/// The form of what is compressed, by its first bytes; `None` for what is not.
pub fn compression(start: &[u8]) -> Option<Format> {
    KINDS.iter().find(|kind| kind.unpack.is_some() && kind.matches(start)).map(|kind| kind.format)
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
        assert_eq!(compression(b"\x5f\x2a\x4d\x18"), Some(Format::Zstd));
        assert_eq!(compression(b"MZ"), None);
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
