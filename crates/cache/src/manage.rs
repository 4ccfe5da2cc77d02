//! What is in a cache, for its owner: listed, counted, checked, removed.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nex_contract::Document;
use nex_fault::whole;
use nex_file::lock;
use serde::Serialize;

use crate::entry::{Entry, Missing};
use crate::error::CacheError;
use crate::evict;
use crate::key::Shelf;
use crate::store::{Cache, CacheOptions};

/// An entry as it is listed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// Its shelf.
    pub kind: &'static str,
    /// Its key.
    pub key: String,
    /// What it is; `None` when it is damaged.
    pub about: Option<String>,
    /// Bytes on the disk; blocks that it shares with other files included.
    pub bytes: u64,
    /// When it was of use for the last time, in seconds since 1970.
    pub used: u64,
}

/// What is in a cache.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CacheReport {
    /// That of [`Document::Cache`].
    pub schema_version: u32,
    /// The cache's directory.
    pub directory: String,
    /// The bytes that it may take.
    pub limit: u64,
    /// The bytes that its entries take.
    pub bytes: u64,
    /// Its entries, the last used first.
    pub entries: Vec<Listed>,
}

/// How much room a cache takes.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CacheUsage {
    /// That of [`Document::Cache`].
    pub schema_version: u32,
    /// The cache's directory.
    pub directory: String,
    /// The bytes that it may take.
    pub limit: u64,
    /// The bytes that its entries take.
    pub bytes: u64,
    /// The same for each kind of entries.
    pub kinds: Vec<KindUsage>,
}

/// How much room a kind of entries takes.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KindUsage {
    /// Its shelf.
    pub kind: &'static str,
    /// How many there are.
    pub entries: u64,
    /// The bytes that they take.
    pub bytes: u64,
}

impl CacheReport {
    /// The sums.
    pub fn usage(&self) -> CacheUsage {
        let kinds = Shelf::ALL.map(|shelf| {
            let of_kind = || self.entries.iter().filter(|entry| entry.kind == shelf.name());
            let bytes = of_kind().map(|entry| entry.bytes).sum();
            KindUsage { kind: shelf.name(), entries: of_kind().count() as u64, bytes }
        });
        CacheUsage {
            schema_version: self.schema_version,
            directory: self.directory.clone(),
            limit: self.limit,
            bytes: self.bytes,
            kinds: kinds.into(),
        }
    }
}

/// What was removed.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CollectReport {
    /// That of [`Document::Cache`].
    pub schema_version: u32,
    /// The cache's directory.
    pub directory: String,
    /// How many entries were removed.
    pub removed: u64,
    /// The bytes that they took.
    pub removed_bytes: u64,
    /// The bytes that the rest takes.
    pub bytes: u64,
}

/// What was found to be damaged.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerifyReport {
    /// That of [`Document::Cache`].
    pub schema_version: u32,
    /// The cache's directory.
    pub directory: String,
    /// How many entries were read.
    pub checked: u64,
    /// The bytes that they take.
    pub bytes: u64,
    /// Entries that were damaged. They are removed, unless the problem says why not.
    pub damaged: Vec<Damage>,
    /// Files that are no entries. They stay.
    pub foreign: Vec<String>,
}

/// What is wrong with an entry.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Damage {
    /// Its directory.
    pub path: String,
    /// What is wrong.
    pub problem: String,
}

/// Lists what is in a cache. One that is not there is empty.
///
/// # Errors
/// When it cannot be read, or not be trusted.
pub fn list(options: &CacheOptions) -> Result<CacheReport, CacheError> {
    let mut entries = Vec::new();
    if let Some(cache) = Cache::open_existing(options)? {
        for room in all(&cache)?.into_iter().rev() {
            let entry = Entry::open(cache.shelves().shelf(room.shelf), room.shelf, &room.key);
            let used = room.used.duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs());
            entries.push(Listed {
                kind: room.shelf.name(),
                key: room.key.to_string(),
                about: entry.ok().map(|entry| entry.about().to_owned()),
                bytes: room.bytes,
                used,
            });
        }
    }
    let bytes = entries.iter().map(|entry| entry.bytes).sum();
    let directory = options.directory.display().to_string();
    Ok(CacheReport {
        schema_version: Document::Cache.schema_version(),
        directory,
        limit: options.limit,
        bytes,
        entries,
    })
}

/// Removes what is over the limit, and what killed processes have left.
///
/// # Errors
/// When the cache cannot be read or changed, or not be trusted, or another process keeps its lock.
pub fn collect(options: &CacheOptions) -> Result<CollectReport, CacheError> {
    collect_within(lock::PATIENCE, options)
}

pub(crate) fn collect_within(patience: Duration, options: &CacheOptions) -> Result<CollectReport, CacheError> {
    let directory = options.directory.display().to_string();
    let (mut removed, mut removed_bytes, mut bytes) = (0, 0, 0);
    if let Some(cache) = Cache::open_existing(options)? {
        let at_root = |cause| CacheError::Io { path: cache.shelves().root.path().into(), cause };
        // Opening has removed what killed processes have left. A build that removes just now is waited for.
        let gone = evict::evict(cache.shelves(), options.limit, patience).map_err(at_root)?;
        removed = gone.len() as u64;
        removed_bytes = gone.iter().map(|room| room.bytes).sum();
        bytes = all(&cache)?.iter().map(|room| room.bytes).sum();
    }
    Ok(CollectReport { schema_version: Document::Cache.schema_version(), directory, removed, removed_bytes, bytes })
}

/// Reads every byte of a cache, and removes the entries that are damaged.
///
/// # Errors
/// When it cannot be read or changed, or not be trusted.
pub fn verify(options: &CacheOptions) -> Result<VerifyReport, CacheError> {
    let mut report = VerifyReport {
        schema_version: Document::Cache.schema_version(),
        directory: options.directory.display().to_string(),
        checked: 0,
        bytes: 0,
        damaged: Vec::new(),
        foreign: Vec::new(),
    };
    let Some(cache) = Cache::open_existing(options)? else { return Ok(report) };
    for room in all(&cache)? {
        let path = cache.shelves().path(room.shelf, &room.key);
        let problem = match Entry::open(cache.shelves().shelf(room.shelf), room.shelf, &room.key) {
            Ok(entry) => entry.check_all().err().map(|error| whole(&error)),
            Err(Missing::Damaged(problem)) if cache.shelves().is_there(room.shelf, &room.key) => Some(problem),
            // Another process has removed it.
            Err(_) => continue,
        };
        report.checked += 1;
        report.bytes += room.bytes;
        if let Some(problem) = problem {
            let problem = match cache.remove(room.shelf, &room.key) {
                Ok(()) => problem,
                Err(error) => format!("{problem}; it cannot be removed: {}", whole(&error)),
            };
            report.damaged.push(Damage { path: path.display().to_string(), problem });
        }
    }
    report.foreign = foreign(&cache)?.iter().map(|path| nex_text::name(path.as_os_str().as_bytes())).collect();
    Ok(report)
}

/// What stands on the shelves and has no entry's name.
fn foreign(cache: &Cache) -> Result<Vec<PathBuf>, CacheError> {
    let mut foreign = Vec::new();
    for shelf in Shelf::ALL.map(|shelf| cache.shelves().shelf(shelf)) {
        let names = shelf.names().map_err(CacheError::io(shelf.path()))?;
        let is_foreign = |name: &OsString| super::Key::parse(name.as_encoded_bytes()).is_none();
        foreign.extend(names.into_iter().filter(is_foreign).map(|name| shelf.path().join(name)));
    }
    foreign.sort();
    Ok(foreign)
}

fn all(cache: &Cache) -> Result<Vec<evict::Room>, CacheError> {
    evict::all(cache.shelves()).map_err(CacheError::io(cache.shelves().root.path()))
}

/// How long something was of no use.
pub fn age(used: u64) -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs()).saturating_sub(used)
}
