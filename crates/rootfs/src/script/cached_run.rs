//! The place in the cache for what scripts change.

use nex_cache::{Cache, Key};
use nex_fault::whole;
use nex_sandbox::World;

use super::ScriptCache;
use super::key::key;
use super::mounted::Seen;
use super::record::{Record, Recorder};

/// The place for one run.
pub struct CachedRun<'a> {
    cache: &'a Cache,
    key: Key,
    /// What is mounted, before the run.
    mounts: Seen,
}

impl<'a> CachedRun<'a> {
    /// The place for these scripts; `None` if it cannot be told what decides their changes, which is noted.
    pub fn of(cache: &ScriptCache<'a>, world: &World, one_id: bool) -> Option<Self> {
        let found = Seen::of(&world.mounts).map(|mounts| {
            let key = key(world, &cache.base, &mounts.digest, one_id);
            Self { cache: cache.cache, key, mounts }
        });
        found
            .map_err(|error| {
                let why = "the setup script is not kept in the cache, as not all that is mounted can be read";
                cache.cache.note(format!("{why}: {}", whole(&error)));
            })
            .ok()
    }

    /// What it is found by.
    pub fn key(&self) -> &Key {
        &self.key
    }

    /// What an earlier run has left.
    pub fn record(&self) -> Option<Record> {
        Record::get(self.cache, &self.key)
    }

    /// Begins to keep a run of scripts with these names.
    pub fn begin(&self, names: &[String]) -> Recorder<'a> {
        Recorder::begin(self.cache, &self.key, &format!("setup scripts {}", names.join(", ")))
    }

    /// Keeps the run, unless what is mounted has changed meanwhile. By the script itself: nobody would do that again in its
    /// place. By somebody else, who may write to what is read-only for the script too: it may not have seen what the key says.
    pub fn publish(&self, recorder: Recorder, world: &World) {
        if self.mounts.is_still(&world.mounts) {
            recorder.publish();
        } else {
            self.cache.note(
                "the setup script is not kept in the cache, as what it was shown of this machine changed meanwhile",
            );
        }
    }
}
