//! The codes of this crate's errors.

nex_fault::codes! {
    /// The work was cancelled, by its user or by a signal.
    CANCELLED = "work-cancelled";
    /// The work's files are removed already, because the work was about to end.
    CLOSED = "work-closed";
}

#[cfg(test)]
mod tests {
    use nex_fault::{Fault, whole};

    use crate::{Cancelled, Closed};

    #[test]
    fn both_say_what_they_are() {
        assert_eq!((&*whole(&Cancelled), Cancelled.code().id()), ("it was cancelled", "work-cancelled"));
        assert_eq!((&*whole(&Closed), Closed.code().id()), ("its workspace was cleaned up", "work-closed"));
    }
}
