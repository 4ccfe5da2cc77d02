//! Where the image goes: a file, compressed or not, or standard output.

mod chunks;
mod destination;
mod error;
mod hashed;
mod publish;
mod target;
mod unfinished;
mod write_back;

pub use destination::{Compression, Destination, OtherForm};
pub use error::{OutputError, Role};
pub use publish::{HashFile, Publication};
pub use unfinished::Unfinished;
pub use write_back::WriteBack;
