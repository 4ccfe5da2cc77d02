//! The codes of errors.

nex_fault::codes! {
    /// The guest, or its supervisor, refuses a request.
    REFUSED = "client-refused";
    /// The connection with the guest's supervisor has ended before what was asked for has.
    LOST = "client-lost";
    /// What a program in a guest writes cannot be passed on.
    OUTPUT = "client-output";
    /// The system refuses what a client needs: its terminal, its signals, a connection.
    IO = "client-io";
}
