//! Merges what scripts have changed.

use nex_ext4::{Content, Device, InodeId, Kind, Metadata, Timestamp, Tree, Writer, Xattr};
use nex_sandbox::{Change, Node, Piece};

use super::bounds::Bounds;
use super::feed::Feed;
use super::report_builder::{ReportBuilder, absolute};
use super::{ScriptError, ScriptOptions, clamp};
use crate::layer::{self, Entry, EntryKind, LayerPath, NodeKind};
use crate::merge::Merge;
use crate::report::{ChangeKind, ScriptReport};
use crate::resolve::resolve_parent;

/// How much is read at once.
const CHUNK: usize = 256 << 10;

/// Applies changes one by one.
pub struct Apply<'a> {
    options: &'a ScriptOptions,
    bounds: Bounds,
    writer: &'a mut Writer,
    merge: &'a mut Merge,
    report: ReportBuilder,
    /// Names that are left out, and what they stood for before.
    left_out: Vec<(LayerPath, Option<InodeId>)>,
    blocks: u64,
}

impl<'a> Apply<'a> {
    /// Begins a layer that has begun in the merge too.
    pub fn new(options: &'a ScriptOptions, bounds: Bounds, writer: &'a mut Writer, merge: &'a mut Merge) -> Self {
        let (report, left_out) = (ReportBuilder::default(), Vec::new());
        Self { options, bounds, writer, merge, report, left_out, blocks: 0 }
    }

    /// Applies all changes. Gives the report, and the blocks of what was applied.
    pub fn all(mut self, feed: &mut Feed) -> Result<(ScriptReport, u64), ScriptError> {
        while let Some(change) = feed.next_change()? {
            self.bounds.count(&change)?;
            match change {
                Change::Set { node, new } => self.set(node, new, feed)?,
                Change::Removed(path) => self.remove(&path)?,
                Change::Socket { path, new } => self.socket(&path, new)?,
            }
        }
        for (path, before) in std::mem::take(&mut self.left_out) {
            self.merge.put_back(&path, before);
        }
        Ok((self.report.report(), self.blocks))
    }

    fn remove(&mut self, path: &[u8]) -> Result<(), ScriptError> {
        self.report.change(path, ChangeKind::Deleted);
        self.apply(path, EntryKind::Whiteout)
    }

    fn socket(&mut self, path: &[u8], new: bool) -> Result<(), ScriptError> {
        if !self.options.leaves_out(path, false) {
            self.report.socket(path);
        }
        if new { Ok(()) } else { self.remove(path) }
    }

    fn set(&mut self, node: Node, new: bool, feed: &mut Feed) -> Result<(), ScriptError> {
        let path = layer_path(&node.path)?;
        let before = resolve_parent(self.merge.tree(), &node.path).filter(|_| !new);
        let is_directory = node.kind == nex_sandbox::Kind::Directory;
        let is_left_out = self.options.leaves_out(&node.path, is_directory);
        let kind = self.kind(&node, before, feed, is_left_out)?;
        if is_left_out {
            self.report.left_out(&node.path);
            self.left_out.push((path, before));
        } else if before.is_none_or(|before| !is_same(self.merge.tree(), before, &kind)) {
            self.report.change(&node.path, if new { ChangeKind::Created } else { ChangeKind::Changed });
        }
        self.apply(&node.path, kind)
    }

    /// What the merge makes of a node. Content goes to its place.
    fn kind(
        &mut self,
        node: &Node,
        before: Option<InodeId>,
        feed: &mut Feed,
        left_out: bool,
    ) -> Result<EntryKind, ScriptError> {
        use nex_sandbox::Kind as Theirs;
        let time = Timestamp { seconds: node.seconds, nanoseconds: node.nanoseconds };
        // What the script has not written to keeps its time.
        let is_old = before.is_some_and(|before| self.merge.tree().inode(before).metadata.time == time);
        let time = if is_old { time } else { clamp(time, self.options.latest) };
        let device = |major: &u32, minor: &u32| Device { major: *major, minor: *minor };
        let kind = match &node.kind {
            Theirs::HardLink(target) => return Ok(EntryKind::HardLink(layer_path(target)?)),
            Theirs::Directory => NodeKind::Directory,
            Theirs::File { size, pieces } => NodeKind::File(self.place(*size, pieces, feed, left_out, &node.path)?),
            Theirs::Symlink(target) => NodeKind::Symlink(target.clone().into()),
            Theirs::CharacterDevice { major, minor } => NodeKind::CharacterDevice(device(major, minor)),
            Theirs::BlockDevice { major, minor } => NodeKind::BlockDevice(device(major, minor)),
            Theirs::Fifo => NodeKind::Fifo,
        };
        let xattr =
            |xattr: &nex_sandbox::Xattr| Xattr { name: xattr.name.clone().into(), value: xattr.value.clone().into() };
        let xattrs: Vec<_> = node.xattrs.iter().map(xattr).collect();
        nex_ext4::check_xattrs(&xattrs).map_err(|cause| ScriptError::Xattrs { path: absolute(&node.path), cause })?;
        let metadata = Metadata { mode: node.mode, uid: node.uid, gid: node.gid, time };
        Ok(EntryKind::Node(layer::Node { metadata, xattrs: xattrs.into(), kind }))
    }

    fn place(
        &mut self,
        size: u64,
        pieces: &[Piece],
        feed: &mut Feed,
        left_out: bool,
        path: &[u8],
    ) -> Result<Content, ScriptError> {
        let mut file = self.writer.file();
        let mut buffer = vec![0; CHUNK];
        let mut end = 0;
        for piece in pieces {
            file.hole(piece.offset.saturating_sub(end))?;
            let mut left = piece.length;
            while left > 0 {
                let most = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                let read = feed.read(&mut buffer[..most])?;
                file.write(&buffer[..read])?;
                left -= read as u64;
            }
            end = piece.offset.saturating_add(piece.length);
        }
        file.hole(size.saturating_sub(end))?;
        let placed = file.finish()?;
        self.blocks += placed.blocks();
        if !left_out {
            self.report.file(path, placed.size());
        }
        Ok(placed)
    }

    fn apply(&mut self, path: &[u8], kind: EntryKind) -> Result<(), ScriptError> {
        let entry = Entry { path: layer_path(path)?, kind };
        self.merge.apply(entry).map_err(|cause| ScriptError::Merge { path: absolute(path), cause })
    }
}

/// Whether a directory is as it was; only what is in it has changed then, and is told by itself.
fn is_same(tree: &Tree, before: InodeId, after: &EntryKind) -> bool {
    let before = tree.inode(before);
    let EntryKind::Node(layer::Node { metadata, xattrs, kind: NodeKind::Directory }) = after else { return false };
    let metadata = Metadata { time: before.metadata.time, ..*metadata };
    matches!(before.kind, Kind::Directory(_)) && before.metadata == metadata && before.xattrs == *xattrs
}

fn layer_path(path: &[u8]) -> Result<LayerPath, ScriptError> {
    LayerPath::new(path).map_err(|cause| ScriptError::Path { path: absolute(path), cause })
}
