//! The codes of errors.

nex_fault::codes! {
    /// The text is not a valid name of a guest.
    NAME = "record-name";
    /// Another guest that has not ended has the name.
    NAME_TAKEN = "record-name-taken";
    /// No guest has this name, or an id with this start.
    NOT_FOUND = "record-not-found";
    /// The ids of several guests begin with this text.
    AMBIGUOUS = "record-ambiguous";
    /// The operation is for guests that have ended, and this one has not.
    LIVING = "record-living";
    /// The guest is on another machine that shares the records.
    ELSEWHERE = "record-elsewhere";
    /// A later version of nex has written the record.
    LATER = "record-later";
    /// The record is damaged.
    UNREADABLE = "record-unreadable";
    /// Another process holds the record's lock for too long.
    BUSY = "record-busy";
    /// nex has killed the guest's VMM, and the VMM does not end.
    STUCK_VMM = "record-stuck-vmm";
    /// The system does not let nex use the records.
    IO = "record-io";
    /// No variable names a directory for the records.
    NO_PLACE = "record-no-place";
}
