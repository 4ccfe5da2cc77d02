//! `veritysetup`, which makes and checks the hash trees of dm-verity without the kernel's help.

use std::path::Path;
use std::process::Command;

use crate::Result;
use crate::command;

/// A hash tree: where it is, and what it covers.
#[derive(Clone, Copy, Debug)]
pub struct HashTree<'a> {
    /// The file with the data.
    pub data: &'a Path,
    /// The file with the tree; may be the same.
    pub hashes: &'a Path,
    /// Where the tree's superblock begins, in bytes.
    pub offset: u64,
}

impl HashTree<'_> {
    /// Every block of the data has the hash that the tree says, up to this root hash.
    ///
    /// # Errors
    /// veritysetup's text, when it has not.
    pub fn verify(&self, root_hash: &str) -> Result<()> {
        command::run(&mut self.command("verify", &[root_hash])).map(drop)
    }

    /// Makes the tree over so many blocks, and gives what veritysetup prints, with the root hash in it.
    ///
    /// # Errors
    /// veritysetup's text.
    pub fn format(&self, data_blocks: u64, salt: &str, uuid: &str) -> Result<String> {
        let options = [format!("--data-blocks={data_blocks}"), format!("--salt={salt}"), format!("--uuid={uuid}")];
        let printed = command::run(self.command("format", &[]).args(options))?;
        Ok(String::from_utf8_lossy(&printed).into_owned())
    }

    fn command(&self, action: &str, arguments: &[&str]) -> Command {
        let mut veritysetup = Command::new("veritysetup");
        veritysetup.arg(action).arg(self.data).arg(self.hashes).args(arguments);
        veritysetup.arg(format!("--hash-offset={}", self.offset));
        veritysetup
    }
}
