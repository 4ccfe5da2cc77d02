//! What is wrong with a tar stream.

use std::io;

use nex_fault::{Code, Fault, Remedy, Setting};

use crate::codes;
use crate::pax::PaxError;

/// Why a tar stream is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The stream under the tar failed.
    #[error(transparent)]
    Read(io::Error),
    /// A header's sum is another one than it says.
    #[error("the checksum of the header is {promised}, but its bytes come to {computed}; the tar is damaged")]
    Checksum {
        /// The sum that the header says.
        promised: i64,
        /// The sum of its bytes.
        computed: i64,
    },
    /// A field of the header that is no number, or too large a one.
    #[error("the field {field} of the header is '{value}', which is not a valid number")]
    Field {
        /// The field's name in POSIX.
        field: &'static str,
        /// Its bytes, escaped.
        value: String,
    },
    /// The PAX records are not valid.
    #[error(transparent)]
    Pax(#[from] PaxError),
    /// Extension headers over the limit.
    #[error("its extension headers (PAX records, long names) take more than {0} bytes")]
    TooManyExtensions(u32),
    /// Extension headers with nothing behind them that they could extend.
    #[error("has extension headers (PAX records, long names), but the tar ends behind them")]
    NothingExtended,
    /// Some readers end at such a record, some go on behind it, and some refuse it.
    #[error("a record of zeros stands alone; two of them end a tar, and readers disagree about one")]
    LoneZeros,
    /// The stream ends inside of an entry.
    #[error("the tar ends in the middle of this entry; the layer is cut short")]
    Truncated,
    /// An entry that nobody can ask for.
    #[error("has no name")]
    NoName,
    /// A type that no file system has.
    #[error("has the type '{}', which is not a file's", .0.escape_ascii())]
    Type(u8),
    /// A type that one writer has added, where only those of POSIX and Go are read.
    #[error(
        "has the type '{}', which only {} writes; layers of images have none of it, and readers disagree about it", .kind.escape_ascii(),
        .writer
    )]
    VendorType {
        /// The type.
        kind: u8,
        /// What writes it.
        writer: &'static str,
    },
    /// An owner that does not fit.
    #[error("has the owner {uid}:{gid}; ids go from 0 to 4294967294")]
    Owner {
        /// The user id in the header.
        uid: i128,
        /// The group id in the header.
        gid: i128,
    },
    /// A size over 64 bits, or a negative one.
    #[error("has a size that is negative or does not fit in 64 bits")]
    Size,
    /// A sparse file whose map contradicts itself or the stored bytes.
    #[error("has a sparse map that contradicts itself or its sizes")]
    SparseMap,
    /// A sparse file of too many pieces.
    #[error("is a sparse file of more than {0} regions")]
    SparseRegions(usize),
}

impl Fault for Error {
    fn code(&self) -> Code {
        match self {
            Self::Read(_) => codes::UNREADABLE,
            Self::Checksum { .. } | Self::LoneZeros | Self::Truncated => codes::DAMAGED,
            Self::Pax(error) => error.code(),
            Self::TooManyExtensions(_) | Self::SparseRegions(_) => codes::OVER_LIMIT,
            Self::Type(_) | Self::VendorType { .. } => codes::UNSUPPORTED,
            Self::Field { .. }
            | Self::NothingExtended
            | Self::NoName
            | Self::Owner { .. }
            | Self::Size
            | Self::SparseMap => codes::INVALID,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::TooManyExtensions(_) => Some(Remedy::say("allow more with").raise(Setting::MaxHeaders)),
            // An option of the tar that makes it.
            Self::SparseRegions(_) => Some(Remedy::say("make the tar without --sparse")),
            _ => None,
        }
    }
}
