//! Whiteouts: names in a layer that hide names of lower layers.
//!
//! The rules are those of the OCI image specification, "Representing Changes"; the names come from AUFS.

/// The start of a name that hides another one.
pub const PREFIX: &[u8] = b".wh.";

/// The start of names that AUFS keeps for itself.
const AUFS_PREFIX: &[u8] = b".wh..wh.";

/// The name that makes its directory opaque.
const OPAQUE: &[u8] = b".wh..wh..opq";

/// What a name in a layer stands for.
#[derive(Debug, PartialEq, Eq)]
pub enum Marker<'a> {
    /// An ordinary name.
    None,
    /// Hides this name in the same directory.
    Whiteout(&'a [u8]),
    /// Hides everything in the same directory.
    Opaque,
    /// Bookkeeping of AUFS without a meaning in an image.
    Aufs,
    /// A whiteout of nothing, of `.` or of `..`.
    Malformed,
}

/// Reads the last component of a name.
pub fn marker(name: &[u8]) -> Marker<'_> {
    if name == OPAQUE {
        return Marker::Opaque;
    }
    if name.starts_with(AUFS_PREFIX) {
        return Marker::Aufs;
    }
    match name.strip_prefix(PREFIX) {
        None => Marker::None,
        Some(b"" | b"." | b"..") => Marker::Malformed,
        Some(hidden) => Marker::Whiteout(hidden),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_marker_is_told_apart() {
        assert_eq!(marker(b"wh.x"), Marker::None);
        assert_eq!(marker(b".wh"), Marker::None);
        assert_eq!(marker(b".wh.x"), Marker::Whiteout(b"x"));
        assert_eq!(marker(b".wh..x"), Marker::Whiteout(b".x"));
        assert_eq!(marker(b".wh..wh..opq"), Marker::Opaque);
        assert_eq!(marker(b".wh..wh.plnk"), Marker::Aufs);
        assert_eq!(marker(b".wh..wh.opq"), Marker::Aufs);
        for name in [b".wh.".as_slice(), b".wh..", b".wh..."] {
            assert_eq!(marker(name), Marker::Malformed);
        }
    }
}
