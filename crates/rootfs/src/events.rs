//! What a caller may watch while a root filesystem is built.

use nex_fault::{Fault, Note};
use nex_image::{NoProgress, Progress};

/// Is told how far a build is: its layers, and then its output.
pub trait Events: Progress {
    /// Layer `index` (0 is the lowest) was in the cache, and is not read.
    fn layer_cached(&self, index: usize) {
        let _ = index;
    }

    /// The finished image, of so many bytes, is turned into the output: hashed, and compressed or copied if asked for.
    fn output_started(&self, total_bytes: u64) {
        let _ = total_bytes;
    }

    /// So many bytes of the image have been taken.
    fn output_advanced(&self, bytes: u64) {
        let _ = bytes;
    }

    /// A setup script of this name runs now, or after those before it.
    fn script_started(&self, name: &str) {
        let _ = name;
    }

    /// What a setup script of this name changes was in the cache, and it does not run.
    fn script_cached(&self, name: &str) {
        let _ = name;
    }

    /// A setup script said so, in one line without its end.
    fn script_output(&self, line: &[u8]) {
        let _ = line;
    }

    /// A shell takes the terminal now, after the scripts, or after one that failed as this says.
    fn shell_started(&self, failure: Option<&dyn Fault>) {
        let _ = failure;
    }

    /// The caller may want to know this, and no report follows that tells it.
    fn note(&self, note: &Note) {
        let _ = note;
    }

    /// All of them have been taken.
    fn output_finished(&self) {}
}

impl Events for NoProgress {}
