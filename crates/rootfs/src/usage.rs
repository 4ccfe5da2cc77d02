//! Where the space goes, for the user whose image does not fit.

use nex_ext4::{InodeId, Kind, Tree};

use crate::report::LayerReport;

/// How many of the largest are named.
const NAMED: usize = 3;

/// How deep a directory may be to be named: `/usr/lib`, but not `/usr/lib/x86_64-linux-gnu`.
const DEPTH: usize = 2;

/// How many characters of a layer's command are shown.
const COMMAND: usize = 60;

/// A directory and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryUsage {
    /// Its path, escaped.
    pub path: String,
    /// Bytes of the files in it and below; a file with several names counts for each.
    pub bytes: u64,
}

/// What a tree takes, inodes with several names once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TreeUsage {
    /// Inodes that have a name.
    pub inodes: u64,
    /// Blocks of file content.
    pub blocks: u64,
}

impl TreeUsage {
    /// Counts what the root leads to.
    pub fn of(tree: &Tree) -> Self {
        let mut usage = Self::default();
        let mut seen = vec![false; tree.len()];
        let mut pending = vec![Tree::ROOT];
        while let Some(id) = pending.pop() {
            if std::mem::replace(&mut seen[id.index()], true) {
                continue;
            }
            usage.inodes += 1;
            match &tree.inode(id).kind {
                Kind::Directory(names) => pending.extend(names.values()),
                Kind::File(content) => usage.blocks += content.blocks(),
                _ => {}
            }
        }
        usage
    }
}

/// The largest layers, largest first: what each is, and the length of its tar in bytes.
pub fn largest_layers(layers: &[LayerReport]) -> Vec<(String, u64)> {
    let mut named: Vec<_> = layers
        .iter()
        .enumerate()
        .map(|(index, layer)| {
            let made_by = layer.created_by.as_deref().map(command);
            let named = made_by.unwrap_or_else(|| nex_text::short_digest(&layer.digest));
            (format!("layer {} ({named})", index + 1), layer.tar_bytes)
        })
        .collect();
    named.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    named.truncate(NAMED);
    named
}

/// The beginning of a command.
fn command(text: &str) -> String {
    let text = nex_text::printable(text);
    match text.char_indices().nth(COMMAND) {
        Some((end, _)) => format!("{}\u{2026}", &text[..end]),
        None => text,
    }
}

/// The largest directories, largest first.
pub fn largest_directories(tree: &Tree) -> Vec<DirectoryUsage> {
    let mut directories = Vec::new();
    // Iterative, as directories may be nested thousands deep: (directory, the named one above it).
    let mut pending = vec![(Tree::ROOT, None, 0, String::new())];
    while let Some((directory, named, depth, path)) = pending.pop() {
        for (name, &id) in tree.directory(directory).into_iter().flatten() {
            match &tree.inode(id).kind {
                Kind::Directory(_) => pending.push(below(id, name, named, depth, &path, &mut directories)),
                Kind::File(content) => {
                    if let Some(index) = named {
                        let usage: &mut DirectoryUsage = &mut directories[index];
                        usage.bytes = usage.bytes.saturating_add(content.size());
                    }
                }
                _ => {}
            }
        }
    }
    directories.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.path.cmp(&b.path)));
    directories.truncate(NAMED);
    directories
}

type Pending = (InodeId, Option<usize>, usize, String);

/// What there is to do below a directory; adds it to the list while it is near enough to the root.
fn below(
    id: InodeId,
    name: &[u8],
    named: Option<usize>,
    depth: usize,
    path: &str,
    directories: &mut Vec<DirectoryUsage>,
) -> Pending {
    if depth >= DEPTH {
        return (id, named, depth + 1, String::new());
    }
    let path = format!("{path}/{}", nex_text::name(name));
    directories.push(DirectoryUsage { path: path.clone(), bytes: 0 });
    (id, Some(directories.len() - 1), depth + 1, path)
}
