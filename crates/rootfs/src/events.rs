//! What a caller may watch while a root filesystem is built.

use nex_image::{NoProgress, Progress};

/// Is told how far a build is: its layers, and then its output.
pub trait Events: Progress {
    /// The finished image, of so many bytes, is turned into the output: hashed, and compressed or copied if asked for.
    fn output_started(&self, total_bytes: u64) {
        let _ = total_bytes;
    }

    /// So many bytes of the image have been taken.
    fn output_advanced(&self, bytes: u64) {
        let _ = bytes;
    }

    /// All of them have been taken.
    fn output_finished(&self) {}
}

impl Events for NoProgress {}
