//! Whether the guest's kernel checks what it reads of its root.

use std::path::PathBuf;

use clap::Args;
use nex_guest::{RootHash, Verity};

/// A root on dm-verity.
#[derive(Debug, Args)]
pub struct VerityArg {
    /// Have the guest's kernel check its root by the hash tree of dm-verity in FILE.
    ///
    /// FILE is the image itself if it was made with --verity, else the file of --verity-file. The root is then read-only.
    #[arg(long, value_name = "FILE")]
    pub verity: Option<PathBuf>,

    /// The root hash that the build reported.
    ///
    /// With it, the guest does not start from another image with another hash tree.
    #[arg(long, value_name = "HEX", requires = "verity", value_parser = root_hash)]
    pub root_hash: Option<RootHash>,
}

impl VerityArg {
    /// What was asked for.
    pub fn hash_tree(&self) -> Option<Verity> {
        Some(Verity { hashes: self.verity.clone()?, root_hash: self.root_hash })
    }
}

fn root_hash(text: &str) -> Result<RootHash, String> {
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let bytes: Option<Vec<u8>> = is_hex.then(|| text.as_bytes().chunks(2).map(pair).collect()).flatten();
    let hash = bytes.and_then(|bytes| bytes.try_into().ok()).filter(|_| text.len() == 64);
    hash.map(RootHash).ok_or_else(|| "a root hash has 64 digits of 0 to f".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_hash_has_64_digits() {
        let text = "3c9ecbc4736d547b0e2532ffe936c3715a5ae122084d072fc0aa24f0677faac1";
        assert_eq!(root_hash(text).map(|hash| hash.to_string()), Ok(text.into()));
        for wrong in ["", "3c", &text[1..], &format!("{text}0"), &format!("+{}", &text[1..]), &text.replace('e', "g")] {
            assert!(root_hash(wrong).is_err(), "{wrong}");
        }
    }
}
