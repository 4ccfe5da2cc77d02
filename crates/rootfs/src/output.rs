//! Where the image goes: a file, compressed or not, or standard output.

mod chunks;
mod destination;
mod unfinished;
mod write_back;

pub use destination::{Compression, Destination, OutputError, hex, sha256};
pub use unfinished::{Unfinished, remove_leftovers};
pub use write_back::WriteBack;
