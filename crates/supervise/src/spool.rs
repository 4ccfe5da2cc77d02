//! The output of a guest on the disk: the last of it, in files that together never take more than a bound.
//!
//! Segments are written to at their ends alone, and the oldest is removed for a new one. So who reads while the guest writes sees whole
//! entries or none: nothing that was written changes, and a segment that is removed stays readable for who has it open. Every entry
//! has the place of its bytes in all of the output, so that a reader knows how much is missing before it.

mod format;
mod reader;
mod segments;
mod writer;

pub use format::Stream;
pub use reader::{Output, Piece, SpoolReader};
pub use segments::is_segment;
pub use writer::{DEFAULT_LIMIT, LEAST_LIMIT, SpoolOptions, SpoolWriter};
