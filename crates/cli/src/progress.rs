//! Progress of the layers on stderr: bars on a terminal, plain lines in a log.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use nex_image::{NoProgress, Progress};
use nex_rootfs::human;

const BAR: &str = "layer {prefix:<4} [{bar:30}] {bytes:>11} of {total_bytes:<11} {binary_bytes_per_sec}";
const BAR_OF_UNKNOWN_LENGTH: &str = "layer {prefix:<4} {spinner} {bytes:>11} {binary_bytes_per_sec}";

/// The progress that fits where stderr goes.
pub fn choose(quiet: bool) -> Arc<dyn Progress> {
    if quiet {
        Arc::new(NoProgress)
    } else if std::io::stderr().is_terminal() {
        Arc::new(Bars::default())
    } else {
        Arc::new(Lines::default())
    }
}

/// A bar for each layer under way.
#[derive(Default)]
struct Bars {
    all: MultiProgress,
    layers: Mutex<BTreeMap<usize, ProgressBar>>,
}

impl Bars {
    fn with(&self, layer: usize, act: impl FnOnce(&ProgressBar)) {
        let layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = layers.get(&layer) {
            act(bar);
        }
    }
}

impl Progress for Bars {
    fn layer_started(&self, index: usize, total_compressed: Option<u64>) {
        let (bar, template) = match total_compressed {
            Some(total) => (ProgressBar::new(total), BAR),
            None => (ProgressBar::no_length(), BAR_OF_UNKNOWN_LENGTH),
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = self.all.add(bar.with_style(style).with_prefix((index + 1).to_string()));
        self.layers.lock().unwrap_or_else(PoisonError::into_inner).insert(index, bar);
    }

    fn advanced(&self, index: usize, compressed_bytes: u64) {
        self.with(index, |bar| bar.set_position(compressed_bytes));
    }

    fn layer_finished(&self, index: usize) {
        self.with(index, |bar| bar.finish_and_clear());
    }
}

/// A line when a layer starts and when it is done.
#[derive(Default)]
struct Lines {
    layers: Mutex<BTreeMap<usize, (Instant, u64)>>,
}

impl Progress for Lines {
    fn layer_started(&self, index: usize, total_compressed: Option<u64>) {
        let size = total_compressed.map_or_else(String::new, |total| format!(" ({})", human(total)));
        eprintln!("layer {}: reading{size}", index + 1);
        self.layers.lock().unwrap_or_else(PoisonError::into_inner).insert(index, (Instant::now(), 0));
    }

    fn advanced(&self, index: usize, compressed_bytes: u64) {
        if let Some((_, bytes)) = self.layers.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&index) {
            *bytes = compressed_bytes;
        }
    }

    fn layer_finished(&self, index: usize) {
        if let Some((start, bytes)) = self.layers.lock().unwrap_or_else(PoisonError::into_inner).remove(&index) {
            eprintln!("layer {}: done, {} in {:.1} s", index + 1, human(bytes), start.elapsed().as_secs_f64());
        }
    }
}
