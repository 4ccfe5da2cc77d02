//! A layer as it was placed: what it says about names, and the blocks that its content takes in the image.
//!
//! Where blocks go depends on the layers below and on where data begins, and on nothing else: not on the size of the file
//! system, nor on its inodes. So the key is the chain of layers up to this one, where data begins, and the limits under
//! which the layers were accepted.

use std::fs::File;
use std::io::{self, Write};
use std::ops::Range;

use nex_cache::{Cache, Entry, Key, NewEntry, Shelf, clone_range};
use nex_ext4::BLOCK_SIZE;
use nex_registry::Digest;
use serde::{Deserialize, Serialize};

use super::record::Record;
use crate::place::Placed;

/// Changes whenever the same layers would be placed in another way, or written down in another way, and with nothing else: not with
/// the version of this program. The test `placement_is_as_its_format_says` knows what this format makes of a reference image.
const FORMAT: &str = "nex placed layer 4";

/// The entry's files.
const FACTS: &str = "layer";
const ENTRIES: &str = "entries";
const DATA: &str = "data";

/// The longest facts, in bytes.
const MOST_FACTS: u64 = 64 << 10;

/// What an entry takes in a record beside its names and attributes, and what one of its extents takes, in bytes at the most.
const MOST_ENTRY: u64 = 96;
const MOST_EXTENT: u64 = 20;

/// More extents than all layers of an image have.
const MOST_EXTENTS: u64 = 64 << 20;

/// The layers so far, as the image specification names a chain of them.
#[derive(Clone, Debug)]
pub struct Chain {
    /// What decides where blocks go beside the layers, and whether layers are accepted.
    conditions: String,
    /// The chain's id; none without layers.
    id: Option<Digest>,
}

impl Chain {
    /// No layers yet.
    pub fn new(conditions: String) -> Self {
        Self { conditions, id: None }
    }

    /// One layer more, known by the digest of its tar (`ChainID` of the image specification).
    pub fn push(&mut self, diff_id: &Digest) {
        self.id = Some(match self.id {
            None => *diff_id,
            Some(below) => Digest::sha256(format!("{below} {diff_id}").as_bytes()),
        });
    }

    /// The key of the uppermost layer; `None` when there is no layer yet.
    pub fn key(&self) -> Option<Key> {
        let id = self.id?.to_string();
        Some(Key::of([FORMAT, &self.conditions, &id].map(str::as_bytes)))
    }
}

/// What is known of a layer beside its entries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The blocks that it takes.
    pub blocks: Range<u64>,
    /// The digest of its blob.
    pub digest: String,
    /// The digest of its tar.
    pub diff_id: String,
    /// The blob's length.
    pub bytes: u64,
    /// The tar's length.
    pub tar_bytes: u64,
    /// What it brings.
    pub placed: Placed,
    /// The entries of its record.
    pub recorded: u64,
}

/// What is known of a layer before it is taken from the cache.
pub struct Expected<'a> {
    /// The block where its content begins.
    pub start: u64,
    /// The digest of its tar.
    pub diff_id: &'a Digest,
    /// What it may bring at the most.
    pub most: Placed,
    /// The length that its tar may have at the most.
    pub most_tar_bytes: u64,
}

impl Facts {
    /// The longest record of such a layer, in bytes.
    fn most_record(&self) -> u64 {
        let extents = self.placed.blocks.min(MOST_EXTENTS) * MOST_EXTENT;
        // Attributes have their lengths in front; the shortest doubles.
        let names = self.placed.metadata.saturating_mul(2);
        self.recorded.saturating_mul(MOST_ENTRY).saturating_add(names).saturating_add(extents)
    }

    /// Whether a layer like this can have been placed there. What the checksums let pass may still be nonsense.
    fn are_possible(&self, expected: &Expected, data: u64) -> bool {
        let Self { blocks, digest, diff_id, bytes: _, tar_bytes, placed, recorded } = self;
        let length = blocks.end.checked_sub(blocks.start).and_then(|blocks| blocks.checked_mul(BLOCK_SIZE));
        blocks.start == expected.start
            && length == Some(data)
            && digest.parse::<Digest>().is_ok()
            && *diff_id == expected.diff_id.to_string()
            && *tar_bytes <= expected.most_tar_bytes
            && placed.entries <= expected.most.entries
            && placed.metadata <= expected.most.metadata
            && *recorded <= placed.entries
            && placed.blocks <= blocks.end - blocks.start
            && placed.foreign_xattrs <= placed.metadata
    }
}

/// A placed layer in the cache.
pub struct PlacedLayer {
    entry: Entry,
    /// What is known of it.
    pub facts: Facts,
    /// Its record.
    pub record: Vec<u8>,
}

impl PlacedLayer {
    /// Finds a layer. One that cannot be used is removed.
    pub fn get(cache: &Cache, key: &Key, expected: &Expected) -> Option<Self> {
        let entry = cache.get(Shelf::Layers, key)?;
        let read = || -> io::Result<_> {
            let facts: Facts = serde_json::from_slice(&entry.read(FACTS, MOST_FACTS)?)?;
            if !facts.are_possible(expected, entry.file(DATA)?.metadata()?.len()) {
                return Err(io::Error::other("its facts contradict each other, or the image"));
            }
            let record = entry.read(ENTRIES, facts.most_record())?;
            Ok((facts, record))
        };
        match read() {
            Ok((facts, record)) => Some(Self { entry, facts, record }),
            Err(error) => {
                cache.discard(Shelf::Layers, key, &nex_fault::whole(&error));
                None
            }
        }
    }

    /// Puts its blocks into an image, those behind block `limit` excepted.
    ///
    /// # Errors
    /// When a file fails. Some of the blocks are there then.
    pub fn put_into(&self, image: &File, limit: u64) -> io::Result<()> {
        let Range { start, end } = self.facts.blocks;
        let length = end.min(limit).saturating_sub(start) * BLOCK_SIZE;
        clone_range(self.entry.file(DATA)?, 0..length, image, start * BLOCK_SIZE).map(drop)
    }
}

/// A layer that is being placed and is to be kept.
pub struct NewPlacedLayer {
    entry: NewEntry,
    /// Takes down its entries.
    pub record: Record,
}

impl NewPlacedLayer {
    /// Begins; `None` when the cache takes nothing.
    pub fn begin(cache: &Cache, key: &Key, about: &str) -> Option<Self> {
        let mut entry = cache.begin(Shelf::Layers, key, about, 0)?;
        match entry.file(ENTRIES) {
            Ok(file) => Some(Self { entry, record: Record::new(file) }),
            Err(error) => {
                cache.not_stored(&error);
                None
            }
        }
    }

    /// The layer is placed: what is left is to copy its blocks.
    ///
    /// # Errors
    /// When the cache does not take it.
    pub fn placed(mut self, facts: &Facts) -> io::Result<Placing> {
        self.record.finish()?;
        self.entry.file(FACTS)?.write_all(&serde_json::to_vec(facts)?)?;
        let data = self.entry.file(DATA)?;
        Ok(Placing { entry: self.entry, data, blocks: facts.blocks.clone() })
    }
}

/// A placed layer whose blocks are still to be copied.
pub struct Placing {
    entry: NewEntry,
    data: File,
    blocks: Range<u64>,
}

impl Placing {
    /// Copies its blocks out of the image.
    ///
    /// # Errors
    /// When there is no room, or a file fails.
    pub fn copy(self, cache: &Cache, image: &File) -> io::Result<NewEntry> {
        let Range { start, end } = self.blocks;
        let length = (end - start) * BLOCK_SIZE;
        cache.check_room(length)?;
        let written = image.metadata()?.len().saturating_sub(start * BLOCK_SIZE).min(length);
        clone_range(image, start * BLOCK_SIZE..start * BLOCK_SIZE + written, &self.data, 0)?;
        self.data.set_len(length)?;
        Ok(self.entry)
    }
}
