//! Which layers are on their way at once: the one in turn, and a few of those above it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::download::{Download, DownloadReader};
use super::supply::Supply;
use crate::blob::{Ahead, Expected};

/// Connections for layers at once. One rarely fills a line to a registry far away, and many small layers cost a round trip
/// each; more than a few, and registries count them as abuse. Docker opens 3, skopeo and podman 6.
const CONNECTIONS: usize = 4;

/// Those that are left to layers ahead of their turn.
const AHEAD: usize = CONNECTIONS - 1;

/// The downloads of one image. Dropped, it ends all that goes ahead, at its next piece.
pub(super) struct Downloads(Arc<Shared>);

/// What the threads have in common.
struct Shared {
    supply: Arc<Supply>,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    /// The layer that is waited for; those below it have had their turns.
    turn: Option<usize>,
    all: BTreeMap<usize, Arc<Download>>,
    /// Those that nobody has begun with, the lowest first.
    waiting: VecDeque<Arc<Download>>,
    /// Threads that go ahead.
    running: usize,
}

impl Downloads {
    /// None yet.
    pub(super) fn new(supply: Arc<Supply>) -> Downloads {
        Downloads(Arc::new(Shared { supply, queue: Mutex::default() }))
    }

    /// Reads a layer, expected or not.
    pub(super) fn read(&self, layer: &Expected) -> DownloadReader {
        let mut queue = self.0.queue();
        loop {
            let download = queue.all.entry(layer.index).or_insert_with(|| self.0.download(layer));
            match DownloadReader::new(download) {
                Some(reader) => {
                    if queue.turn >= Some(layer.index) {
                        reader.take_turn();
                    }
                    return reader;
                }
                None => drop(queue.all.remove(&layer.index)),
            }
        }
    }
}

impl Ahead for Downloads {
    /// The first one is in turn, and begins when it is read.
    fn expect(&self, layers: &[Expected]) {
        let total = layers.iter().fold(0_u64, |total, layer| total.saturating_add(layer.size));
        self.0.supply.total.get_or_init(|| total);
        self.0.supply.repeated.expect(layers);
        let mut queue = self.0.queue();
        let mut seen = BTreeSet::new();
        for layer in layers {
            let download = self.0.download(layer);
            queue.all.insert(layer.index, Arc::clone(&download));
            // A blob that is on its way already is there when the turn of the next layer of that blob comes.
            if seen.insert(layer.digest) {
                queue.waiting.push_back(download);
            }
        }
        if let Some(first) = queue.waiting.front() {
            first.take_turn();
        }
        self.0.go_ahead(&mut queue);
    }

    fn take_turn(&self, index: usize) {
        let mut queue = self.0.queue();
        queue.turn = queue.turn.max(Some(index));
        // Those below that were left out must not wait for ever.
        queue.all.range(..=index).for_each(|(_, download)| download.take_turn());
    }
}

impl Drop for Downloads {
    fn drop(&mut self) {
        let mut queue = self.0.queue();
        queue.waiting.clear();
        queue.all.values().for_each(|download| download.leave_alone());
    }
}

impl Shared {
    fn download(&self, layer: &Expected) -> Arc<Download> {
        Arc::new(Download::new(Arc::clone(&self.supply), layer.digest, layer.size))
    }

    /// Starts threads for the lowest layers that wait, as long as there are connections.
    fn go_ahead(self: &Arc<Self>, queue: &mut Queue) {
        while queue.running < AHEAD
            && let Some(download) = queue.waiting.pop_front()
        {
            if !download.claim_ahead() {
                continue;
            }
            queue.running += 1;
            let (downloads, ahead) = (Arc::clone(self), Arc::clone(&download));
            let run = move || {
                ahead.go_ahead();
                let mut queue = downloads.queue();
                queue.running -= 1;
                downloads.go_ahead(&mut queue);
            };
            if thread::Builder::new().name("download".into()).spawn(run).is_err() {
                queue.running -= 1;
                download.stay_behind();
                return;
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
