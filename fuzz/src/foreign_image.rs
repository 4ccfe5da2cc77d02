//! Small images by mke2fs, in forms that our writer does not make, to be damaged. They have no checksums, so that damage is
//! seen. In some, debugfs has left transactions in the journal.

use std::fs;
use std::os::unix::fs::{FileExt, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use crate::memory::{BLOCK, Blocks, Memory, stored};
use crate::pieces::CHANGE;
use crate::place;

/// What the journal of an image holds.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Log {
    Nothing,
    /// Transactions with all that has been written to blocks of so many bytes, and a revoke.
    Waits(usize),
}

/// The options of each.
const FORMS: [(&[&str], Log); 6] = [
    (&["-b", "1024", "-O", "^metadata_csum,inline_data,ea_inode,large_dir"], Log::Nothing),
    (&["-b", "1024", "-O", "^metadata_csum,^extent,^64bit,^filetype"], Log::Nothing),
    (&["-b", "4096", "-O", "^metadata_csum,meta_bg,^resize_inode,uninit_bg"], Log::Nothing),
    (&["-b", "2048", "-I", "128", "-O", "^metadata_csum,bigalloc,sparse_super2"], Log::Nothing),
    (&["-b", "1024", "-O", "^metadata_csum,^extent,^64bit"], Log::Waits(1024)),
    (&["-b", "4096", "-O", "^metadata_csum,64bit"], Log::Waits(4096)),
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
        let (options, log) = FORMS[number];
        let mut mke2fs = Command::new("mke2fs");
        mke2fs.args(["-q", "-F", "-t", "ext4", "-N", "128", "-U", "07070707-0707-0707-0707-070707070707"]);
        mke2fs.args(["-E", "hash_seed=07070707-0707-0707-0707-070707070707"]).args(options);
        let made = mke2fs.arg("-d").arg(&tree).arg(&image).arg("8M").output().expect("mke2fs of e2fsprogs");
        assert!(made.status.success(), "{made:?}");
        if let Log::Waits(block_size) = log {
            write_journal(&image, block_size);
        }
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

/// Writes the blocks that have something in them to the journal once more, the latter half of them. Two are revoked, of which
/// one comes again.
fn write_journal(image: &Path, block_size: usize) {
    /// `JBD2_MAGIC_NUMBER`: what the journal's own superblock begins with.
    const MAGIC: [u8; 4] = [0xC0, 0x3B, 0x39, 0x98];
    let bytes = fs::read(image).expect("our own file");
    let blocks: Vec<(usize, &[u8])> = bytes
        .chunks_exact(block_size)
        .enumerate()
        .skip(1024 / block_size + 1)
        .filter(|(_, block)| block.iter().any(|&byte| byte != 0) && block[..4] != MAGIC)
        .collect();
    let content = image.with_extension("blocks");
    let requests = image.with_extension("requests");
    let mut script = String::from("jo\n");
    let written = &blocks[blocks.len() / 2..];
    fs::write(&content, written.iter().map(|(_, block)| *block).collect::<Vec<_>>().concat()).expect("our own file");
    let names =
        |blocks: &[(usize, &[u8])]| blocks.iter().map(|(number, _)| number.to_string()).collect::<Vec<_>>().join(",");
    script += &format!("jw -b {} {}\n", names(written), content.display());
    script += &format!("jw -r {}\n", names(&[written[0], written[written.len() - 1]]));
    script += &format!("jw -b {} {}\njc\n", names(&written[..written.len() / 2]), content.display());
    fs::write(&requests, script).expect("our own file");
    let mut debugfs = Command::new("debugfs");
    let done = debugfs.arg("-w").arg("-f").arg(&requests).arg(image).output().expect("debugfs of e2fsprogs");
    assert!(done.status.success(), "{done:?}");
    [content, requests].iter().for_each(|file| fs::remove_file(file).expect("our own file"));
}

fn fill(tree: &Path) -> std::io::Result<()> {
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
