//! What decides what scripts change: the key of their layer in the cache.
//!
//! In it are the tree that they begin with, their bytes, variables and names, what `--mount` shows them, which secrets there
//! are, and the version of this program. Not in it are the contents of secrets, which leave no trace in a cache, and the
//! limits, past which there is no layer at all.

use nex_cache::Key;
use nex_sandbox::World;

/// Changes when layers of earlier versions with the same key would be others.
const FORM: &str = "setup scripts 3";

/// The key of what these scripts make of the tree that `base` decides, with mounts of this digest. `one_id` tells whether
/// owners can be changed.
pub fn key(world: &World, base: &[String], mounts: &str, one_id: bool) -> Key {
    let World { scripts, env, directories, mounts: _, secrets, network, hostname, limits: _ } = world;
    let mut parts: Vec<Vec<u8>> = vec![FORM.into(), env!("CARGO_PKG_VERSION").into()];
    let mut list = |name: &str, entries: Vec<Vec<u8>>| {
        parts.push(format!("{name} {}", entries.len()).into());
        parts.extend(entries);
    };
    list("base", base.iter().map(|part| part.clone().into_bytes()).collect());
    list("scripts", scripts.iter().flat_map(|script| [script.name.clone().into(), script.content.clone()]).collect());
    list("env", env.iter().flat_map(|(name, value)| [name.clone().into(), value.clone().into()]).collect());
    list("directories", directories.clone());
    list("mounts", vec![mounts.into()]);
    list("secrets", secrets.iter().map(|secret| secret.name.clone().into()).collect());
    list("rest", vec![format!("{network:?}").into(), hostname.clone().into(), vec![u8::from(one_id)]]);
    Key::of(parts.iter().map(Vec::as_slice))
}
