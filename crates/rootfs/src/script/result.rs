//! Which directory is the result of a script.

use nex_ext4::Tree;

use super::ScriptError;
use crate::merge::Merge;
use crate::resolve::resolve_parent;

/// Where the scripts of Nex's documentation put the root filesystem that they make.
pub const SNAPSHOT: &[u8] = b"/my-rootfs";

/// Makes the directory that was asked for the root of the tree, or the one at [`SNAPSHOT`] if there is something in it.
/// Gives its path, escaped.
pub fn choose(asked: Option<&[u8]>, merge: &mut Merge) -> Result<Option<String>, ScriptError> {
    let path = asked.unwrap_or(SNAPSHOT);
    let shown = nex_text::name(path);
    let tree = merge.tree();
    let directory = resolve_parent(tree, path).filter(|id| tree.directory(*id).is_some_and(|names| !names.is_empty()));
    match (directory, asked) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(ScriptError::NoSnapshot(shown)),
        (Some(Tree::ROOT), _) => Ok(None),
        (Some(directory), _) => {
            merge.make_root(directory);
            Ok(Some(shown))
        }
    }
}
