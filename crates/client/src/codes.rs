//! The codes of errors.

nex_fault::codes! {
    /// The guest, or its supervisor, refuses a request.
    REFUSED = "client-refused";
    /// The guest has ended, and the operation is for guests that have not.
    ENDED = "client-ended";
    /// nex does not keep the output of guests that run in the foreground.
    NOT_KEPT = "client-not-kept";
    /// The connection with the guest's supervisor ended before the operation did.
    LOST = "client-lost";
    /// The guest's supervisor does not answer.
    SILENT = "client-silent";
    /// nex cannot write the output of a program in a guest.
    OUTPUT = "client-output";
    /// The system refuses a resource that a client needs: its terminal, its signals, a connection.
    IO = "client-io";
}
