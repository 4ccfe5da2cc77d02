//! The codes of errors.

nex_fault::codes! {
    /// The guest, or its supervisor, refuses a request.
    REFUSED = "client-refused";
    /// The guest has ended, and what is asked for is for guests that are there.
    ENDED = "client-ended";
    /// The output of a guest that runs in the foreground is kept nowhere.
    NOT_KEPT = "client-not-kept";
    /// The connection with the guest's supervisor has ended before what was asked for has.
    LOST = "client-lost";
    /// The guest's supervisor does not answer.
    SILENT = "client-silent";
    /// What a program in a guest writes cannot be passed on.
    OUTPUT = "client-output";
    /// The system refuses what a client needs: its terminal, its signals, a connection.
    IO = "client-io";
}
