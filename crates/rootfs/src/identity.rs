//! The random-looking numbers of a file system, which come from its base alone.
//!
//! All of ext4's metadata checksums, and the order of its directories, depend on the UUID and the hash seed. So another agent or
//! another script leaves both as they are: what stands in the base is then, block by block, what stood there before, and who
//! distributes images by their chunks sends few of them.

use nex_ext4::{Journal, Reserved, Size};
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

use crate::file_system::FileSystemOptions;

/// Changes whenever the encoding does, or the same base would be laid out in another way.
const FORMAT: &str = "nex rootfs base 2";

/// What decides the numbers: all that lies below what the user adds to an image.
#[derive(Clone, Copy, Debug)]
pub struct Base<'a> {
    /// The platform that the image is for, as `linux/amd64`.
    pub platform: &'a str,
    /// The digests of the layers' tars, the lowest first.
    pub diff_ids: &'a [&'a str],
    /// The size that was asked for.
    pub size: Size,
    /// The parts of the file system.
    pub file_system: &'a FileSystemOptions,
}

impl Base<'_> {
    /// The base as bytes. Each field is a name and a value, both behind their lengths (64 bits, the lowest byte first); numbers are
    /// decimal. Fields that the user left as they are have no value. The order is fixed.
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut field = |name: &str, value: &[u8]| {
            for part in [name.as_bytes(), value] {
                bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
                bytes.extend_from_slice(part);
            }
        };
        field("format", FORMAT.as_bytes());
        field("platform", self.platform.as_bytes());
        for diff_id in self.diff_ids {
            field("layer", diff_id.as_bytes());
        }
        let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
        match self.size {
            Size::Exact(size) => field("size", size.to_string().as_bytes()),
            Size::Auto { free } => field("free", number(free).as_bytes()),
        }
        let FileSystemOptions { inodes, journal, reserved, label, uuid: _, max_size } = self.file_system;
        field("inodes", number(*inodes).as_bytes());
        match journal {
            Journal::Usual => field("journal", b""),
            Journal::Blocks(blocks) => field("journal", blocks.to_string().as_bytes()),
            Journal::None => field("journal", b"none"),
        }
        match reserved {
            Reserved::Blocks(blocks) => field("reserved blocks", blocks.to_string().as_bytes()),
            Reserved::Share(share) => field("reserved of 10000", share.to_string().as_bytes()),
        }
        field("label", label);
        field("max size", number(*max_size).as_bytes());
        bytes
    }
}

/// The numbers that every ext4 carries, and those of a hash tree beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The file system's UUID (version 8 of RFC 9562, where the user named none).
    pub uuid: Uuid,
    /// The seed of the directory hash.
    pub hash_seed: [u8; 16],
    /// The UUID of a hash tree of dm-verity.
    pub verity_uuid: Uuid,
    /// The salt of its hashes.
    pub verity_salt: [u8; 32],
}

impl Identity {
    /// Derives the numbers from a base.
    pub fn of(base: &Base) -> Self {
        let base = Sha256::digest(base.encode());
        Self::derived(&base, Builder::from_custom_bytes(number(&base, "uuid")).into_uuid())
    }

    /// The numbers of a file system whose UUID the user has named: all others follow from that.
    pub fn named(uuid: Uuid) -> Self {
        Self::derived(uuid.as_bytes(), uuid)
    }

    fn derived(base: &[u8], uuid: Uuid) -> Self {
        Self {
            uuid,
            hash_seed: number(base, "hash seed"),
            verity_uuid: Builder::from_custom_bytes(number(base, "verity uuid")).into_uuid(),
            verity_salt: number(base, "verity salt"),
        }
    }
}

fn number<const SIZE: usize>(base: &[u8], label: &str) -> [u8; SIZE] {
    let digest = Sha256::new().chain_update(base).chain_update(label).finalize();
    std::array::from_fn(|index| digest[index])
}

#[cfg(test)]
mod tests {
    use uuid::{Variant, Version};

    use super::*;

    const USUAL: FileSystemOptions = FileSystemOptions {
        inodes: None,
        journal: Journal::Usual,
        reserved: Reserved::Blocks(0),
        label: [0; 16],
        uuid: None,
        max_size: None,
    };
    const BASE: Base = Base {
        platform: "linux/amd64",
        diff_ids: &["sha256:a", "sha256:b"],
        size: Size::Auto { free: None },
        file_system: &USUAL,
    };

    #[test]
    fn the_encoding_is_fixed() {
        let fields = [
            ("format", FORMAT),
            ("platform", "linux/amd64"),
            ("layer", "sha256:a"),
            ("layer", "sha256:b"),
            ("size", "1073741824"),
            ("inodes", "40"),
            ("journal", "4096"),
            ("reserved of 10000", "250"),
            ("label", "root\0\0\0\0\0\0\0\0\0\0\0\0"),
            ("max size", "2147483648"),
        ];
        let written: Vec<u8> = fields
            .iter()
            .flat_map(|(name, value)| [name, value])
            .flat_map(|text| [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat())
            .collect();
        let file_system = FileSystemOptions {
            inodes: Some(40),
            journal: Journal::Blocks(4096),
            reserved: Reserved::Share(250),
            label: *b"root\0\0\0\0\0\0\0\0\0\0\0\0",
            uuid: None,
            max_size: Some(2 << 30),
        };
        assert_eq!(Base { size: Size::Exact(1 << 30), file_system: &file_system, ..BASE }.encode(), written);
        assert_eq!(Identity::of(&BASE).uuid.to_string(), "7b93f7f8-eaf8-89f2-8264-f566151b67ec");
        assert_eq!(Identity::named(Uuid::max()).hash_seed[..4], [0x44, 0x80, 0x2e, 0x5b]);
    }

    #[test]
    fn all_of_the_base_decides() {
        let of = |base: Base| Identity::of(&base);
        let changed = [
            Base { platform: "linux/arm64", ..BASE },
            Base { diff_ids: &["sha256:b", "sha256:a"], ..BASE },
            Base { diff_ids: &["sha256:a"], ..BASE },
            Base { size: Size::Exact(0), ..BASE },
            Base { size: Size::Auto { free: Some(0) }, ..BASE },
            Base { file_system: &FileSystemOptions { journal: Journal::None, ..USUAL }, ..BASE },
            Base { file_system: &FileSystemOptions { journal: Journal::Blocks(0), ..USUAL }, ..BASE },
            Base { file_system: &FileSystemOptions { reserved: Reserved::Share(0), ..USUAL }, ..BASE },
            Base { file_system: &FileSystemOptions { inodes: Some(0), ..USUAL }, ..BASE },
            Base { file_system: &FileSystemOptions { label: [1; 16], ..USUAL }, ..BASE },
            Base { file_system: &FileSystemOptions { max_size: Some(0), ..USUAL }, ..BASE },
        ];
        let mut uuids: Vec<_> = changed.into_iter().chain([BASE]).map(|base| of(base).uuid).collect();
        uuids.sort();
        uuids.dedup();
        assert_eq!(uuids.len(), 12);
        assert_ne!(of(BASE).uuid.into_bytes(), of(BASE).hash_seed);
        assert_ne!(of(BASE).uuid, of(BASE).verity_uuid);
    }

    #[test]
    fn the_uuid_has_version_and_variant() {
        let uuid = Identity::of(&BASE).uuid;
        assert_eq!((uuid.get_version(), uuid.get_variant()), (Some(Version::Custom), Variant::RFC4122));
    }
}
