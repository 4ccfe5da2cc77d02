//! Progress of the layers on stderr: bars on a terminal, plain lines in a log.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use nex_fault::{Fault, Note, Setting};
use nex_image::{NoProgress, Progress};
use nex_rootfs::Events;
use nex_text::{human, printable, short_name};

use crate::diagnostic::Diagnostic;
use crate::output::{is_error_terminal, share_screen, tell, tell_lines};

const BAR: &str = "{prefix:<9} [{bar:30}] {bytes:>11} of {total_bytes:<11} {binary_bytes_per_sec}";
const BAR_OF_UNKNOWN_LENGTH: &str = "{prefix:<9} {spinner} {bytes:>11} {binary_bytes_per_sec}";

/// Hashing and compressing less than this takes too short a time to speak of.
const NOTABLE_OUTPUT: u64 = 1 << 30;

/// The progress that fits where stderr goes.
pub fn choose(quiet: bool) -> Arc<dyn Events> {
    if quiet {
        Arc::new(NoProgress)
    } else if is_error_terminal() {
        let bars = Bars::default();
        share_screen(&bars.all);
        Arc::new(bars)
    } else {
        Arc::new(Lines::default())
    }
}

/// A bar for each layer under way.
#[derive(Default)]
struct Bars {
    all: MultiProgress,
    layers: Mutex<BTreeMap<usize, ProgressBar>>,
    output: Mutex<Option<ProgressBar>>,
}

impl Bars {
    fn add(&self, label: String, total: Option<u64>) -> ProgressBar {
        let (bar, template) = match total {
            Some(total) => (ProgressBar::new(total), BAR),
            None => (ProgressBar::no_length(), BAR_OF_UNKNOWN_LENGTH),
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        self.all.add(bar.with_style(style).with_prefix(label))
    }

    fn with(&self, layer: usize, act: impl FnOnce(&ProgressBar)) {
        let layers = self.layers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = layers.get(&layer) {
            act(bar);
        }
    }
}

impl Progress for Bars {
    fn layer_started(&self, index: usize, total_compressed: Option<u64>) {
        let bar = self.add(format!("layer {}", index + 1), total_compressed);
        self.layers.lock().unwrap_or_else(PoisonError::into_inner).insert(index, bar);
    }

    fn advanced(&self, index: usize, compressed_bytes: u64) {
        self.with(index, |bar| bar.set_position(compressed_bytes));
    }

    fn layer_finished(&self, index: usize) {
        self.with(index, |bar| bar.finish_and_clear());
    }
}

impl Events for Bars {
    fn note(&self, note: &Note) {
        self.all.println(note_line(note)).ok();
    }

    fn script_output(&self, line: &[u8]) {
        // A terminal that is gone is nobody to tell.
        self.all.println(script_line(line)).ok();
    }

    fn shell_started(&self, failure: Option<&dyn Fault>) {
        tell_of_shell(failure);
    }

    fn output_started(&self, total_bytes: u64) {
        let bar = self.add("output".into(), Some(total_bytes));
        *self.output.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar);
    }

    fn output_advanced(&self, bytes: u64) {
        if let Some(bar) = &*self.output.lock().unwrap_or_else(PoisonError::into_inner) {
            bar.set_position(bytes);
        }
    }

    fn output_finished(&self) {
        if let Some(bar) = self.output.lock().unwrap_or_else(PoisonError::into_inner).take() {
            bar.finish_and_clear();
        }
    }
}

fn note_line(note: &Note) -> String {
    format!("note: {}", note.words(Setting::flag))
}

/// A line of a setup script, made harmless for the terminal.
fn script_line(line: &[u8]) -> String {
    format!("script: {}", printable(line.strip_suffix(b"\r").unwrap_or(line)))
}

/// Says what stands above a shell.
fn tell_of_shell(failure: Option<&dyn Fault>) {
    if let Some(failure) = failure {
        tell_lines(&Diagnostic::of(failure).words());
    }
    tell("a shell in the image; 'exit' ends it, and what is changed in it is not kept");
}

/// A line when a layer starts and when it is done.
#[derive(Default)]
struct Lines {
    layers: Mutex<BTreeMap<usize, (Instant, u64)>>,
}

impl Progress for Lines {
    fn layer_started(&self, index: usize, total_compressed: Option<u64>) {
        let size = total_compressed.map_or_else(String::new, |total| format!(" ({})", human(total)));
        tell(format_args!("layer {}: reading{size}", index + 1));
        self.layers.lock().unwrap_or_else(PoisonError::into_inner).insert(index, (Instant::now(), 0));
    }

    fn advanced(&self, index: usize, compressed_bytes: u64) {
        if let Some((_, bytes)) = self.layers.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&index) {
            *bytes = compressed_bytes;
        }
    }

    fn layer_finished(&self, index: usize) {
        if let Some((start, bytes)) = self.layers.lock().unwrap_or_else(PoisonError::into_inner).remove(&index) {
            let seconds = start.elapsed().as_secs_f64();
            tell(format_args!("layer {}: done, {} in {seconds:.1} s", index + 1, human(bytes)));
        }
    }
}

impl Events for Lines {
    fn note(&self, note: &Note) {
        tell(note_line(note));
    }

    fn layer_cached(&self, index: usize) {
        tell(format_args!("layer {}: from the cache", index + 1));
    }

    fn script_output(&self, line: &[u8]) {
        tell(script_line(line));
    }

    fn script_cached(&self, name: &str) {
        tell(format_args!("script: {}: from the cache", short_name(name)));
    }

    fn shell_started(&self, failure: Option<&dyn Fault>) {
        tell_of_shell(failure);
    }

    fn output_started(&self, total_bytes: u64) {
        if total_bytes >= NOTABLE_OUTPUT {
            let total = human(total_bytes);
            tell(format_args!("output: reading all of it ({total}) for its SHA-256 or to compress it"));
        }
    }
}
