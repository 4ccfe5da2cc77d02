//! Small images by mke2fs, in forms that our writer does not make, to be damaged. They have no checksums, so that damage is
//! seen.

use std::fs;
use std::os::unix::fs::{FileExt, symlink};
use std::process::Command;
use std::sync::Arc;

use crate::memory::{BLOCK, Blocks, Memory, stored};
use crate::pieces::CHANGE;
use crate::place;

/// The options of each.
const FORMS: [&[&str]; 4] = [
    &["-b", "1024", "-O", "^metadata_csum,inline_data,ea_inode,large_dir"],
    &["-b", "1024", "-O", "^metadata_csum,^extent,^64bit,^filetype"],
    &["-b", "4096", "-O", "^metadata_csum,meta_bg,^resize_inode,uninit_bg"],
    &["-b", "2048", "-I", "128", "-O", "^metadata_csum,bigalloc,sparse_super2"],
];

/// How many there are.
pub const COUNT: usize = FORMS.len();

/// An image before damage.
pub struct Foreign {
    blocks: Blocks,
    size: u64,
    /// The blocks that are not zeros.
    filled: Vec<u64>,
}

impl Foreign {
    /// Makes the image of this number.
    pub fn new(number: usize) -> Self {
        let tree = place::fresh("foreign-tree");
        fill(&tree).expect("our own directory");
        let image = place::directory().join("foreign.ext4");
        let mut mke2fs = Command::new("mke2fs");
        mke2fs.args(["-q", "-F", "-t", "ext4", "-N", "128", "-U", "07070707-0707-0707-0707-070707070707"]);
        mke2fs.args(["-E", "hash_seed=07070707-0707-0707-0707-070707070707"]).args(FORMS[number]);
        let made = mke2fs.arg("-d").arg(&tree).arg(&image).arg("8M").output().expect("mke2fs of e2fsprogs");
        assert!(made.status.success(), "{made:?}");
        let bytes = fs::read(&image).expect("our own file");
        let filled = (0..).zip(bytes.chunks_exact(BLOCK)).filter(|(_, block)| block.iter().any(|&byte| byte != 0));
        let blocks: Blocks =
            filled.map(|(number, block)| (number, Arc::new(block.try_into().expect("a block")))).collect();
        let filled = blocks.keys().copied().collect();
        fs::remove_file(image).expect("our own file");
        Self { blocks, size: bytes.len() as u64, filled }
    }

    /// The image with changes in it: which block, where in it, and the new byte.
    pub fn damaged(&self, changes: &[u8]) -> Memory {
        let mut blocks = self.blocks.clone();
        for change in changes.chunks_exact(CHANGE).take(64) {
            let which = usize::from(u16::from_le_bytes([change[0], change[1]])) % self.filled.len();
            let at = usize::from(u16::from_le_bytes([change[2], change[3]])) % BLOCK;
            stored(&mut blocks, self.filled[which])[at] = change[4];
        }
        Memory::new(blocks, self.size)
    }
}

fn fill(tree: &std::path::Path) -> std::io::Result<()> {
    fs::create_dir_all(tree.join("directory/below"))?;
    for number in 0..90 {
        fs::write(tree.join(format!("directory/a name of some length, number {number}")), b"")?;
    }
    fs::write(tree.join("small"), b"content that an inode holds")?;
    fs::write(tree.join("directory/below/large"), [7; 40_000])?;
    let sparse = fs::File::create(tree.join("sparse"))?;
    for place in [0, 20_000, 300_000, 3 << 20] {
        sparse.write_all_at(b"piece", place)?;
    }
    symlink("directory/below/large", tree.join("link"))?;
    symlink("../".repeat(60) + "small", tree.join("directory/long link"))
}
