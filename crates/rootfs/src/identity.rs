//! What makes two images the same: their names come from what went into them.

use sha2::{Digest, Sha256};

/// Changes whenever the same inputs would give other bytes.
const LAYOUT: &str = "nex rootfs layout 1";

/// The random-looking numbers that every ext4 carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The file system's UUID (version 8 of RFC 9562).
    pub uuid: [u8; 16],
    /// The seed of the directory hash.
    pub hash_seed: [u8; 16],
}

impl Identity {
    /// The UUID as people and tools write it.
    pub fn uuid_text(&self) -> String {
        let hex = |range: std::ops::Range<usize>| -> String {
            self.uuid[range].iter().map(|byte| format!("{byte:02x}")).collect()
        };
        [hex(0..4), hex(4..6), hex(6..8), hex(8..10), hex(10..16)].join("-")
    }

    /// Derives the numbers from the inputs, one text each, in a fixed order.
    pub fn of<'a>(inputs: impl Iterator<Item = &'a str>) -> Self {
        let mut hasher = Sha256::new_with_prefix(LAYOUT);
        for input in inputs {
            hasher.update((input.len() as u64).to_le_bytes());
            hasher.update(input);
        }
        let base = hasher.finalize();
        Self { uuid: uuid_v8(number(&base, "uuid")), hash_seed: number(&base, "hash seed") }
    }
}

fn number(base: &[u8], label: &str) -> [u8; 16] {
    let digest = Sha256::new().chain_update(base).chain_update(label).finalize();
    std::array::from_fn(|index| digest[index])
}

/// Sets the version to 8 (made by rules of one's own) and the variant to that of RFC 9562.
fn uuid_v8(mut bytes: [u8; 16]) -> [u8; 16] {
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_decide_and_their_edges_count() {
        let of = |inputs: &[&str]| Identity::of(inputs.iter().copied());
        assert_eq!(of(&["a", "b"]), of(&["a", "b"]));
        assert_ne!(of(&["a", "b"]), of(&["b", "a"]));
        assert_ne!(of(&["ab", ""]), of(&["a", "b"]));
        assert_ne!(of(&["a"]).uuid, of(&["a"]).hash_seed);
    }

    #[test]
    fn the_uuid_has_version_and_variant() {
        let uuid = Identity::of(std::iter::empty()).uuid;
        assert_eq!((uuid[6] >> 4, uuid[8] >> 6), (8, 2));
    }
}
