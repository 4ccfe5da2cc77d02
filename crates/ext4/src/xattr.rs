//! Extended attributes: in the tail of the inode, and what does not fit there in one block.
//!
//! Both places have the same form: entries with the names grow from the front, values from the back.
//!
//! ```text
//! | header | entry | entry | 0000 |  ...free...  | value | value |
//! ```

use std::borrow::Cow;

use crate::csum::{self, Seed};
use crate::error::XattrError;
use crate::inode::XATTR_ROOM;
use crate::put::Put;
use crate::{Xattr, acl};

const BLOCK: usize = crate::BLOCK_SIZE as usize;
/// `EXT4_XATTR_MAGIC`, in front of both places.
pub(crate) const MAGIC: u32 = 0xea02_0000;
/// `struct ext4_xattr_ibody_header`: the magic.
pub(crate) const INODE_HEADER_SIZE: usize = 4;
/// `struct ext4_xattr_header`.
pub(crate) const BLOCK_HEADER_SIZE: usize = 32;
/// Where the checksum stands in the block's header (`h_checksum`).
pub(crate) const CHECKSUM: std::ops::Range<usize> = 16..20;
/// `struct ext4_xattr_entry`, without the name.
pub(crate) const ENTRY_SIZE: usize = 16;
/// The four zero bytes behind the last entry (`IS_LAST_ENTRY`).
const END_SIZE: usize = 4;
/// Names and values take a multiple of this (`EXT4_XATTR_PAD`).
pub(crate) const PAD: usize = 4;
/// The longest full name that system calls take (`XATTR_NAME_MAX`).
const MAX_NAME: usize = 255;
/// What a block has for entries and values.
const BLOCK_ROOM: usize = BLOCK - BLOCK_HEADER_SIZE - END_SIZE;
/// What an inode has for entries and values.
const INODE_ROOM: usize = XATTR_ROOM - INODE_HEADER_SIZE - END_SIZE;

/// An inode's extended attributes in the form of the disk.
#[derive(Clone, Debug)]
pub(crate) struct Encoded {
    /// What comes behind the inode's fields; empty when nothing is kept there.
    pub in_inode: Vec<u8>,
    /// The block, when there are more than the inode takes; see [`seal`](Self::seal).
    pub block: Option<Box<[u8; BLOCK]>>,
}

impl Encoded {
    /// Gives the block, if there is one, its checksum as block `number` of the file system with this seed.
    pub fn seal(&mut self, number: u64, seed: Seed) {
        if let Some(block) = &mut self.block {
            let checksum = csum::xattr_block(seed, number, &block[..]);
            block[CHECKSUM].copy_from_slice(&checksum.to_le_bytes());
        }
    }
}

/// Encodes the attributes of one inode. They go into the inode as far as they fit, which saves the guest a read;
/// the others share the block.
///
/// # Errors
/// When a name or an ACL is not legal, or a block cannot hold what is left.
pub(crate) fn encode(xattrs: &[Xattr]) -> Result<Encoded, XattrError> {
    let mut attributes = xattrs.iter().map(Attribute::new).collect::<Result<Vec<_>, _>>()?;
    // The order that the kernel wants in a block (`ext4_xattr_find_entry`).
    attributes.sort_by_key(|attribute| (attribute.index, attribute.name.len(), attribute.name));
    let mut free = INODE_ROOM;
    let (inner, outer): (Vec<_>, Vec<_>) = attributes.into_iter().partition(|attribute| {
        let fits = attribute.size() <= free;
        free -= if fits { attribute.size() } else { 0 };
        fits
    });
    let needed = outer.iter().map(Attribute::size).sum();
    if needed > BLOCK_ROOM {
        return Err(XattrError::TooLarge { needed, room: BLOCK_ROOM });
    }
    Ok(Encoded { in_inode: in_inode(&inner), block: (!outer.is_empty()).then(|| block(&outer)) })
}

/// Whether one inode can hold these attributes.
///
/// # Errors
/// When a name or an ACL is not legal, or they need more room than the inode and one block have.
pub fn check_xattrs(xattrs: &[Xattr]) -> Result<(), XattrError> {
    if xattrs.is_empty() { Ok(()) } else { encode(xattrs).map(drop) }
}

/// One attribute.
struct Attribute<'a> {
    /// Stands for the name's prefix (`e_name_index`).
    index: u8,
    /// The rest of the name.
    name: &'a [u8],
    /// The value as the disk has it.
    value: Cow<'a, [u8]>,
}

impl<'a> Attribute<'a> {
    fn new(xattr: &'a Xattr) -> Result<Self, XattrError> {
        let illegal = || XattrError::IllegalName { name: xattr.name.clone() };
        let (index, name) = split_prefix(&xattr.name).ok_or_else(illegal)?;
        let value = match index {
            ACL_ACCESS | ACL_DEFAULT => {
                let list = acl::to_disk(&xattr.value);
                Cow::Owned(list.ok_or_else(|| XattrError::IllegalAcl { name: xattr.name.clone() })?)
            }
            _ => Cow::Borrowed(&*xattr.value),
        };
        Ok(Self { index, name, value })
    }

    /// The bytes that entry and value take together.
    fn size(&self) -> usize {
        self.entry_size() + self.value_size()
    }

    fn entry_size(&self) -> usize {
        (ENTRY_SIZE + self.name.len()).next_multiple_of(PAD)
    }

    fn value_size(&self) -> usize {
        self.value.len().next_multiple_of(PAD)
    }

    fn hash(&self) -> u32 {
        let [unsigned, _] = hashes(self.name, &self.value);
        unsigned
    }
}

/// `ext4_xattr_hash_entry`, with the name's bytes taken as unsigned, and as signed. (Kernels once took them as the host's
/// `char`; today both are accepted, and the first is written.)
pub(crate) fn hashes(name: &[u8], value: &[u8]) -> [u32; 2] {
    const NAME_SHIFT: u32 = 5;
    const VALUE_SHIFT: u32 = 16;
    let unsigned = |byte: &u8| u32::from(*byte);
    let signed = |byte: &u8| i32::from(*byte as i8) as u32;
    let of_name =
        |word: &dyn Fn(&u8) -> u32| name.iter().fold(0u32, |hash, byte| hash.rotate_left(NAME_SHIFT) ^ word(byte));
    [of_name(&unsigned), of_name(&signed)].map(|of_name| {
        value.chunks(PAD).fold(of_name, |hash, bytes| {
            let mut word = [0; PAD];
            word[..bytes.len()].copy_from_slice(bytes);
            hash.rotate_left(VALUE_SHIFT) ^ u32::from_le_bytes(word)
        })
    })
}

/// `EXT4_XATTR_INDEX_POSIX_ACL_ACCESS`.
const ACL_ACCESS: u8 = 2;
/// `EXT4_XATTR_INDEX_POSIX_ACL_DEFAULT`.
const ACL_DEFAULT: u8 = 3;

/// Names that have an index of their own.
const WHOLE_NAMES: [(&[u8], u8); 2] =
    [(b"system.posix_acl_access", ACL_ACCESS), (b"system.posix_acl_default", ACL_DEFAULT)];
/// What names begin with, each with its index.
const PREFIXES: [(&[u8], u8); 3] = [(b"user.", 1), (b"trusted.", 4), (b"security.", 6)];

/// Whether the value is an access control list.
pub(crate) fn is_acl(index: u8) -> bool {
    matches!(index, ACL_ACCESS | ACL_DEFAULT)
}

/// The full name of an attribute; `None` for one that no handler of the kernel shows, such as `system.data`.
pub(crate) fn full_name(index: u8, rest: &[u8]) -> Option<Vec<u8>> {
    if let Some((whole, _)) = WHOLE_NAMES.iter().find(|(_, known)| *known == index) {
        return Some(whole.to_vec());
    }
    let (prefix, _) = PREFIXES.iter().find(|(_, known)| *known == index)?;
    Some([*prefix, rest].concat())
}

/// The name's prefix as its index, and the rest; `None` when no handler of the kernel would find it again.
fn split_prefix(name: &[u8]) -> Option<(u8, &[u8])> {
    if let Some((_, index)) = WHOLE_NAMES.iter().find(|(whole, _)| *whole == name) {
        return Some((*index, b""));
    }
    let (rest, index) = PREFIXES.iter().find_map(|(prefix, index)| Some((name.strip_prefix(*prefix)?, *index)))?;
    (!rest.is_empty() && name.len() <= MAX_NAME && !rest.contains(&0)).then_some((index, rest))
}

/// The inode's tail.
fn in_inode(attributes: &[Attribute]) -> Vec<u8> {
    if attributes.is_empty() {
        return Vec::new();
    }
    let mut tail = vec![0; XATTR_ROOM];
    let (header, body) = tail.split_at_mut(INODE_HEADER_SIZE);
    Put::new(header).u32(MAGIC).end();
    // The kernel hashes only what is in a block, where equal blocks may be shared.
    put_attributes(body, 0, attributes, |_| 0);
    tail
}

/// The block, its checksum left zero.
fn block(attributes: &[Attribute]) -> Box<[u8; BLOCK]> {
    let mut block = Box::new([0; BLOCK]);
    let (header, body) = block.split_at_mut(BLOCK_HEADER_SIZE);
    let (h_refcount, h_blocks, h_checksum) = (1, 1, 0);
    let h_hash = block_hash(attributes);
    let mut put = Put::new(header);
    put.u32(MAGIC).u32(h_refcount).u32(h_blocks).u32(h_hash).u32(h_checksum).skip_rest();
    put_attributes(body, BLOCK_HEADER_SIZE, attributes, |attribute| attribute.hash());
    block
}

/// Entries from the front of `body`, values from its back. Values are found by their distance from a point `base`
/// bytes before the body.
fn put_attributes(body: &mut [u8], base: usize, attributes: &[Attribute], hash: impl Fn(&Attribute) -> u32) {
    let mut entry_start = 0;
    let mut value_start = body.len();
    for attribute in attributes {
        value_start -= attribute.value_size();
        body[value_start..][..attribute.value.len()].copy_from_slice(&attribute.value);
        let e_value_offs = if attribute.value.is_empty() { 0 } else { base + value_start };
        let e_value_inum = 0;
        let mut put = Put::new(&mut body[entry_start..][..attribute.entry_size()]);
        put.u8(attribute.name.len() as u8).u8(attribute.index).u16(e_value_offs as u16).u32(e_value_inum);
        put.u32(attribute.value.len() as u32).u32(hash(attribute)).bytes(attribute.name).skip_rest();
        entry_start += attribute.entry_size();
    }
}

/// `ext4_xattr_rehash`. An entry without a hash says that the block is never shared.
fn block_hash(attributes: &[Attribute]) -> u32 {
    const BLOCK_SHIFT: u32 = 16;
    let hashes = || attributes.iter().map(Attribute::hash);
    if hashes().any(|hash| hash == 0) {
        return 0;
    }
    hashes().fold(0, |block, hash| block.rotate_left(BLOCK_SHIFT) ^ hash)
}
