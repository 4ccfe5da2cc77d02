//! Makes a root filesystem that exists larger, in place and in milliseconds.

use std::path::PathBuf;

use nex_contract::Document;
use nex_ext4::{BLOCK_SIZE, Grown};
use nex_fault::Note;
use serde::Serialize;

use crate::error::Error;
use crate::existing_file::ExistingFile;
use crate::phases::Phases;
use crate::report::{PhaseReport, Usage};
use nex_text::human;

/// How large the file is to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewSize {
    /// So many bytes.
    Bytes(u64),
    /// So many bytes more than it has.
    More(u64),
}

/// What to grow.
#[derive(Clone, Debug)]
pub struct GrowOptions {
    /// The root filesystem.
    pub file: PathBuf,
    /// Its new size.
    pub size: NewSize,
}

/// What grew.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GrowReport {
    /// That of [`Document::Grow`].
    pub schema_version: u32,
    /// The root filesystem.
    pub file: String,
    /// The file's length in bytes.
    pub size: u64,
    /// All that the file system had before.
    pub before: Usage,
    /// All that it has now.
    pub now: Usage,
    /// What is free of it.
    pub free: Usage,
    /// What the user may want to know.
    pub notes: Vec<Note>,
    /// How long each phase took, in order.
    pub phases: Vec<PhaseReport>,
}

/// Grows the file and the file system in it.
///
/// # Errors
/// When the file cannot be changed, or not to that size. It is as before then, unless the message says that the file asks
/// for recovery or repair.
pub fn grow(options: &GrowOptions) -> Result<GrowReport, Error> {
    let mut phases = Phases::start("open");
    let file = ExistingFile::open(&options.file)?;
    let size = match options.size {
        NewSize::Bytes(size) => size,
        NewSize::More(more) => file.length()?.saturating_add(more),
    };
    let editor = file.editor()?;

    phases.next("grow");
    let grown = editor.grow(size).map_err(|cause| file.error(cause))?;
    Ok(GrowReport {
        schema_version: Document::Grow.schema_version(),
        file: options.file.display().to_string(),
        size: grown.size,
        before: Usage::new(grown.old_block_count, grown.old_inode_count),
        now: Usage::new(grown.block_count, grown.inode_count),
        free: Usage::new(grown.free_blocks, grown.free_inodes),
        notes: notes(&grown),
        phases: phases.finish(),
    })
}

fn notes(grown: &Grown) -> Vec<Note> {
    let mut notes = Vec::new();
    let rest = grown.size - grown.block_count * BLOCK_SIZE;
    if grown.block_count == grown.old_block_count {
        notes.push("the file system has as many blocks as before: there was nothing to grow".into());
    }
    if rest >= BLOCK_SIZE {
        let fact = format!("the last {} of the file are not used: too few for a group of blocks", human(rest));
        notes.push(Note::new(fact));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_did_not_grow_or_is_not_used_is_told() {
        let grown = |size: u64, block_count: u64| Grown {
            size,
            old_block_count: 100,
            block_count,
            free_blocks: 0,
            reserved_blocks: 0,
            old_inode_count: 16,
            inode_count: 16,
            free_inodes: 0,
        };
        assert!(notes(&grown(200 * BLOCK_SIZE + 512, 200)).is_empty());
        assert_eq!(notes(&grown(100 * BLOCK_SIZE, 100)).len(), 1);
        assert!(
            notes(&grown(300 * BLOCK_SIZE, 200))[0].fact().starts_with("the last 400.0 KiB of the file are not used")
        );
        assert_eq!(notes(&grown(300 * BLOCK_SIZE, 100)).len(), 2);
    }
}
