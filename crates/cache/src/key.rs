//! What an entry is found by: a kind of content, and the digest of all that decides the content.

use std::fmt;

use sha2::{Digest, Sha256};

/// A kind of entries; each has a directory of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shelf {
    /// What registries have sent: layers, manifests and configs, by their digests.
    Blobs,
    /// Which digest a name in a registry had.
    References,
    /// Layers as they are placed in an image.
    Layers,
    /// What setup scripts have changed.
    Scripts,
}

impl Shelf {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Blobs, Self::References, Self::Layers, Self::Scripts];

    /// The directory's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blobs => "blobs",
            Self::References => "references",
            Self::Layers => "layers",
            Self::Scripts => "scripts",
        }
    }
}

/// The algorithms of digests, and how many hex digits each has.
const ALGORITHMS: [(&str, usize); 2] = [("sha256", 64), ("sha512", 128)];

/// The name of an entry on its shelf: a digest, as `sha256-HEX`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key(String);

impl Key {
    /// The key of what these parts decide. Their order and their edges count.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut canonical = Vec::new();
        for part in parts {
            canonical.extend_from_slice(&(part.len() as u64).to_le_bytes());
            canonical.extend_from_slice(part);
        }
        let hex: String = Sha256::digest(&canonical).iter().map(|byte| format!("{byte:02x}")).collect();
        Self(format!("sha256-{hex}"))
    }

    /// The key of what has this digest, `ALGORITHM:HEX` as images have it; `None` when it is no digest.
    pub fn of_digest(digest: &str) -> Option<Self> {
        Self::parse(digest.replacen(':', "-", 1).as_bytes())
    }

    /// Reads the name of an entry; `None` when no entry has such a name.
    pub fn parse(name: &[u8]) -> Option<Self> {
        let name = std::str::from_utf8(name).ok()?;
        let (algorithm, hex) = name.split_once('-')?;
        let (_, length) = ALGORITHMS.into_iter().find(|(known, _)| *known == algorithm)?;
        let is_hex = hex.len() == length && hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        is_hex.then(|| Self(name.into()))
    }

    /// The digest.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_edges_of_parts_count_and_names_read_back() {
        let of = |parts: &[&str]| Key::of(parts.iter().map(|part| part.as_bytes()));
        assert_eq!(of(&["a", "b"]), of(&["a", "b"]));
        assert_ne!(of(&["ab", ""]), of(&["a", "b"]));
        let key = of(&["a"]);
        assert_eq!(Key::parse(key.as_str().as_bytes()), Some(key));
        let hex = "0f".repeat(32);
        assert_eq!(Key::of_digest(&format!("sha256:{hex}")), Key::parse(format!("sha256-{hex}").as_bytes()));
        assert!(Key::of_digest(&format!("sha512:{hex}{hex}")).is_some());
        for name in [format!("sha512:{hex}"), format!("sha256:{}", hex.to_uppercase()), format!("md5:{hex}"), hex] {
            assert_eq!(Key::of_digest(&name), None, "{name}");
        }
        for name in ["", "sha256-", "sha256:00", "../x", "lost+found"] {
            assert_eq!(Key::parse(name.as_bytes()), None, "{name}");
        }
    }
}
