//! Where the bytes stand in a file with holes: GNU tar's format for it, version 1.0, has the map in front of the content.

use std::ops::Range;

use crate::record::padding;

/// The map of a file with holes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SparseMap {
    text: Vec<u8>,
    stored: u64,
    length: u64,
}

impl SparseMap {
    /// The map of these runs of bytes, which are in order, in a file of so many bytes. A run of no bytes at the end says how long the
    /// file is: without it, GNU tar makes no hole there.
    ///
    /// All runs but the last should have a multiple of [`RECORD`](crate::RECORD) bytes, as those of file systems have: GNU tar looks for each in
    /// the next record, though the format does not say so.
    pub fn new(runs: &[Range<u64>], length: u64) -> Self {
        let end = Some(length..length).filter(|_| runs.last().is_none_or(|last| last.end < length));
        let mut text = format!("{}\n", runs.len() + end.iter().len()).into_bytes();
        for run in runs.iter().chain(&end) {
            text.extend_from_slice(format!("{}\n{}\n", run.start, run.end - run.start).as_bytes());
        }
        text.extend_from_slice(padding(text.len() as u64));
        Self { text, stored: runs.iter().map(|run| run.end - run.start).sum(), length }
    }

    /// The map as it stands in the tar, with its padding.
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// How many bytes of content follow it.
    pub fn stored(&self) -> u64 {
        self.stored
    }

    /// Bytes of the file, holes included.
    pub fn length(&self) -> u64 {
        self.length
    }
}
