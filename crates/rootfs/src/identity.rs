//! What makes two images the same: their names come from what went into them.

use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

/// Changes whenever the same inputs would give other bytes.
const LAYOUT: &str = "nex rootfs layout 1";

/// The random-looking numbers that every ext4 carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The file system's UUID (version 8 of RFC 9562).
    pub uuid: Uuid,
    /// The seed of the directory hash.
    pub hash_seed: [u8; 16],
    /// The UUID of a hash tree of dm-verity.
    pub verity_uuid: Uuid,
    /// The salt of its hashes.
    pub verity_salt: [u8; 32],
}

impl Identity {
    /// Derives the numbers from the inputs, one text each, in a fixed order.
    pub fn of<'a>(inputs: impl Iterator<Item = &'a str>) -> Self {
        let mut hasher = Sha256::new_with_prefix(LAYOUT);
        for input in inputs {
            hasher.update((input.len() as u64).to_le_bytes());
            hasher.update(input);
        }
        let base = hasher.finalize();
        Self {
            uuid: Builder::from_custom_bytes(number(&base, "uuid")).into_uuid(),
            hash_seed: number(&base, "hash seed"),
            verity_uuid: Builder::from_custom_bytes(number(&base, "verity uuid")).into_uuid(),
            verity_salt: number(&base, "verity salt"),
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

    #[test]
    fn inputs_decide_and_their_edges_count() {
        let of = |inputs: &[&str]| Identity::of(inputs.iter().copied());
        assert_eq!(of(&["a", "b"]), of(&["a", "b"]));
        assert_ne!(of(&["a", "b"]), of(&["b", "a"]));
        assert_ne!(of(&["ab", ""]), of(&["a", "b"]));
        assert_ne!(of(&["a"]).uuid.into_bytes(), of(&["a"]).hash_seed);
        assert_ne!(of(&["a"]).uuid, of(&["a"]).verity_uuid);
    }

    #[test]
    fn the_uuid_has_version_and_variant() {
        let uuid = Identity::of(std::iter::empty()).uuid;
        assert_eq!((uuid.get_version(), uuid.get_variant()), (Some(Version::Custom), Variant::RFC4122));
    }
}
