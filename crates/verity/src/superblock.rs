//! The superblock before a tree.

use nex_fault::{Code, Fault};
use sha2::{Digest, Sha256};

use crate::{BLOCK_SIZE, RootHash, codes};

/// The first bytes.
const SIGNATURE: &[u8; 8] = b"verity\0\0";
/// The version of the superblock.
const VERSION: u32 = 1;
/// How salt and block are hashed: 1 is the salt first, which is the form of today (0 is that of Chrome OS).
const HASH_TYPE: u32 = 1;
/// The algorithm's name, padded with NULs.
const ALGORITHM: &[u8; 32] = b"sha256\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
/// Between the salt's size and the salt.
const PADDING: [u8; 6] = [0; 6];
/// The longest salt.
const MAX_SALT: usize = 256;

/// The bytes of a superblock that mean something; it has a block of its own.
pub const SUPERBLOCK_SIZE: usize = 88 + MAX_SALT;

/// What a tree covers, and what makes its hashes and its name its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Superblock {
    /// Blocks of data.
    pub data_blocks: u64,
    /// Goes into every hash, before the block: 256 bytes at most.
    pub salt: Vec<u8>,
    /// The tree's own name.
    pub uuid: [u8; 16],
}

/// Why bytes are no superblock that is read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotATree {
    /// It is something else.
    #[error("there is no hash tree of dm-verity")]
    Signature,
    /// It is one of another form.
    #[error("the hash tree is of another form than nex makes: it has {0}")]
    Form(&'static str),
}

impl Fault for NotATree {
    fn code(&self) -> Code {
        match self {
            Self::Signature => codes::NO_TREE,
            Self::Form(_) => codes::OTHER_FORM,
        }
    }
}

impl Superblock {
    /// The superblock in a block of its own.
    pub fn encode(&self) -> Vec<u8> {
        let block_size = BLOCK_SIZE as u32;
        let fields: [&[u8]; 11] = [
            SIGNATURE,
            &VERSION.to_le_bytes(),
            &HASH_TYPE.to_le_bytes(),
            &self.uuid,
            ALGORITHM,
            &block_size.to_le_bytes(), // data_block_size
            &block_size.to_le_bytes(), // hash_block_size
            &self.data_blocks.to_le_bytes(),
            &(self.salt.len() as u16).to_le_bytes(),
            &PADDING,
            &self.salt,
        ];
        let mut block = fields.concat();
        block.resize(BLOCK_SIZE as usize, 0);
        block
    }

    /// Reads one from its first [`SUPERBLOCK_SIZE`] bytes.
    ///
    /// # Errors
    /// When it is none, or of another form.
    pub fn decode(bytes: &[u8]) -> Result<Self, NotATree> {
        let mut rest = bytes;
        if take(&mut rest)? != *SIGNATURE {
            return Err(NotATree::Signature);
        }
        let number = |bytes: [u8; 4]| u32::from_le_bytes(bytes);
        let is = |holds: bool, other| if holds { Ok(()) } else { Err(NotATree::Form(other)) };
        is(number(take(&mut rest)?) == VERSION, "another version")?;
        is(number(take(&mut rest)?) == HASH_TYPE, "another type of hashes")?;
        let uuid = take(&mut rest)?;
        is(take(&mut rest)? == *ALGORITHM, "another algorithm than sha256")?;
        is(u64::from(number(take(&mut rest)?)) == BLOCK_SIZE, "data blocks of another size than 4096")?;
        is(u64::from(number(take(&mut rest)?)) == BLOCK_SIZE, "hash blocks of another size than 4096")?;
        let data_blocks = u64::from_le_bytes(take(&mut rest)?);
        let length = usize::from(u16::from_le_bytes(take(&mut rest)?));
        take::<{ PADDING.len() }>(&mut rest)?;
        is(length <= MAX_SALT, "a salt of more than 256 bytes")?;
        let salt = rest.get(..length).ok_or(NotATree::Signature)?.to_vec();
        Ok(Self { data_blocks, salt, uuid })
    }

    /// The root hash of a tree with this block as its root.
    pub fn root_hash(&self, root: &[u8]) -> RootHash {
        RootHash(Sha256::new_with_prefix(&self.salt).chain_update(root).finalize().into())
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], NotATree> {
    let (taken, behind) = rest.split_first_chunk().ok_or(NotATree::Signature)?;
    *rest = behind;
    Ok(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_tell_what_is_no_tree_from_one_of_another_form() {
        let form = NotATree::Form("another version");
        assert_eq!(form.to_string(), "the hash tree is of another form than nex makes: it has another version");
        let ids = [NotATree::Signature, form].map(|error| error.code().id());
        assert_eq!(ids, ["verity-no-tree", "verity-other-form"]);
        assert_eq!(codes::ALL.len(), ids.len());
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let superblock = Superblock { data_blocks: 38_400, salt: (0..32).collect(), uuid: [7; 16] };
        let block = superblock.encode();
        assert_eq!(block.len() as u64, BLOCK_SIZE);
        assert_eq!(Superblock::decode(&block[..SUPERBLOCK_SIZE]), Ok(superblock));
        for length in [0, 7, 8, 80, 88, 119] {
            assert_eq!(Superblock::decode(&block[..length]), Err(NotATree::Signature), "{length}");
        }
        for (place, other) in [(0, NotATree::Signature), (8, NotATree::Form("another version"))] {
            let mut block = block.clone();
            block[place] ^= 1;
            assert_eq!(Superblock::decode(&block), Err(other));
        }
        // Fields of the form: the type of hashes, the algorithm, both sizes, the salt's length.
        for place in [12, 32, 64, 68, 81] {
            let mut block = block.clone();
            block[place] ^= 2;
            assert!(matches!(Superblock::decode(&block), Err(NotATree::Form(_))), "{place}");
        }
    }
}
