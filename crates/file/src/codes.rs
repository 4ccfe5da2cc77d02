//! The codes of errors.

nex_fault::codes! {
    /// Another user owns it, or could put something else into its place.
    DISTRUST = "file-distrust";
    /// It is no directory.
    NOT_A_DIRECTORY = "file-not-a-directory";
    /// The system refuses.
    SYSTEM = "file-system";
    /// Something that is to be removed stays.
    STUCK = "file-stuck";
}
