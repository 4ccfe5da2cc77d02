//! The codes of errors.

nex_fault::codes! {
    /// What was given as a guest's name cannot be one.
    NAME = "record-name";
    /// A guest that is there has the name.
    NAME_TAKEN = "record-name-taken";
    /// No guest has this name, or an id that begins so.
    NOT_FOUND = "record-not-found";
    /// The ids of several guests begin so.
    AMBIGUOUS = "record-ambiguous";
    /// What is asked for is for guests that have ended, and this one has not.
    LIVING = "record-living";
    /// The guest is on another machine that shares the records.
    ELSEWHERE = "record-elsewhere";
    /// The record is of a form that a later nex writes.
    LATER = "record-later";
    /// The record is damaged.
    UNREADABLE = "record-unreadable";
    /// Another process works on the record, and does not come to an end.
    BUSY = "record-busy";
    /// The guest's VMM was killed and does not end.
    STUCK_VMM = "record-stuck-vmm";
    /// The system does not let nex use the records.
    IO = "record-io";
    /// Nothing names a directory for the records.
    NO_PLACE = "record-no-place";
}
