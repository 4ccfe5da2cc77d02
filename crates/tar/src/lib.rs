//! The tar format: layers of images, archives of images, and whole root filesystems.
//!
//! An entry is a header record, with others before it that extend it: long names of GNU tar, records of PAX.
//!
//! [`Reader`] takes a stream apart, strictly. What Go's `archive/tar` (and with it umoci, containerd and Docker) decides about
//! doubtful archives is decided the same way here, so that one archive means one thing; where Go itself and other readers
//! differ, the archive is refused.
//!
//! [`encode`] makes an entry's header of the same [`Header`] that the reader gives: ustar, with PAX records for all that ustar
//! cannot say, and GNU tar's sparse files of version 1.0. GNU tar, bsdtar and Python read them.

mod acl;
pub mod codes;
mod entry;
mod error;
mod extensions;
mod header;
mod pax;
mod reader;
mod record;
mod sparse;
#[cfg(test)]
mod tests;
mod writer;

pub use self::entry::{Device, Header, Kind, Metadata, Time, Xattr};
pub use self::error::Error;
pub use self::pax::PaxError;
pub use self::reader::{Content, ContentSink, CopyError, Reader, Types, is_header};
pub use self::record::{RECORD, padding};
pub use self::writer::{END, FileContent, SparseMap, WriteError, encode};
