//! What killed builds have left: the trees of their setup scripts, and their part of the cache.

use std::path::Path;

use nex_cache::{CacheError, CacheOptions, CollectReport, collect};
use nex_cancel::{Cancel, Workspace};
use nex_fault::Note;
use nex_sandbox::remove_abandoned;
use serde::Serialize;

/// What a collection of garbage has removed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GarbageReport {
    /// Of the cache.
    #[serde(flatten)]
    pub cache: CollectReport,
    /// The directory in which setup scripts' trees are laid out.
    pub work_dir: String,
    /// How many trees of killed builds were removed from it.
    pub removed_trees: usize,
    /// What stays, and why.
    pub notes: Vec<Note>,
}

/// Removes what is over the cache's limit, and what killed builds have left in it and in the work directory of setup scripts.
///
/// # Errors
/// When the cache cannot be read or changed, or not be trusted, or another process keeps its lock.
pub fn collect_garbage(
    cache: &CacheOptions,
    work_dir: &Path,
    cancel: &Cancel,
    workspace: &Workspace,
) -> Result<GarbageReport, CacheError> {
    let cache = collect(cache)?;
    let (removed_trees, notes) = match remove_abandoned(work_dir, cancel, workspace) {
        Ok(abandoned) => (abandoned.removed, abandoned.notes),
        Err(error) => (0, vec![Note::of(&error)]),
    };
    Ok(GarbageReport { cache, work_dir: work_dir.display().to_string(), removed_trees, notes })
}

/// Removes the trees that killed builds have left, and gives notes on what stays. A work directory that cannot be used is no
/// fault of a build that may need none; one that does fails by itself.
pub fn remove_trees(work_dir: Option<&Path>, cancel: &Cancel, workspace: &Workspace) -> Vec<Note> {
    let abandoned = work_dir.map(|work_dir| remove_abandoned(work_dir, cancel, workspace));
    abandoned.and_then(Result::ok).map(|abandoned| abandoned.notes).unwrap_or_default()
}
