//! What can be wrong with a hash tree, for programs.

nex_fault::codes! {
    /// There is no hash tree of dm-verity in the expected place.
    NO_TREE = "verity-no-tree";
    /// The hash tree is of a form that nex neither makes nor reads.
    OTHER_FORM = "verity-other-form";
}
