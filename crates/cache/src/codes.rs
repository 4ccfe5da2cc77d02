//! The codes of this crate's errors.

nex_fault::codes! {
    /// The cache's directory, or the way to it, is another user's, or others can write there.
    UNTRUSTED = "cache-untrusted";
    /// What is named as the cache is no directory.
    NOT_A_DIRECTORY = "cache-not-a-directory";
    /// The system does not let nex use the cache.
    IO = "cache-io";
    /// Nothing names a directory for the cache.
    NO_PLACE = "cache-no-place";
    /// There is no room for something in the cache, by its limit or on its disk.
    NO_ROOM = "cache-no-room";
}
