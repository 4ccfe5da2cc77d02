//! The codes of this crate's errors.

nex_fault::codes! {
    /// The cache's directory, or a directory above it, belongs to another user, or others can write there.
    UNTRUSTED = "cache-untrusted";
    /// The path of the cache leads to a file that is not a directory.
    NOT_A_DIRECTORY = "cache-not-a-directory";
    /// The system does not let nex use the cache.
    IO = "cache-io";
    /// No flag or variable names a directory for the cache.
    NO_PLACE = "cache-no-place";
    /// There is no room for an entry in the cache, by its limit or on its disk.
    NO_ROOM = "cache-no-room";
}
