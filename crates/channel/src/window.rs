//! Flow control by credit, as values: how much of a flow one end may send, and how much the other takes.

/// What the other end takes of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SendWindow {
    size: u32,
    credit: u32,
}

/// The other end gives more credit than its window is large.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverCredit;

impl SendWindow {
    /// A window of this size in bytes, all of it credit.
    pub const fn new(size: u32) -> Self {
        Self { size, credit: size }
    }

    /// How many bytes may be sent.
    pub const fn credit(&self) -> u32 {
        self.credit
    }

    /// Counts bytes that are sent; those over the credit must not be.
    pub const fn spend(&mut self, count: u32) {
        self.credit = self.credit.saturating_sub(count);
    }

    /// Counts credit that the other end gives.
    ///
    /// # Errors
    /// When the other end would have to hold more than its window.
    pub fn grant(&mut self, count: u32) -> Result<(), OverCredit> {
        let credit = self.credit.checked_add(count).filter(|credit| *credit <= self.size);
        self.credit = credit.ok_or(OverCredit)?;
        Ok(())
    }
}

/// What this end takes of a flow: at all times the credit that the other end has, the bytes that are held, and the bytes that the
/// consumer has taken without credit being given for them are together the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiveWindow {
    size: u32,
    credit: u32,
    consumed: u32,
}

/// The other end sends more than it has credit for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverWindow;

impl ReceiveWindow {
    /// A window of this size in bytes, all of it credit of the other end.
    pub const fn new(size: u32) -> Self {
        Self { size, credit: size, consumed: 0 }
    }

    /// Counts bytes that have come.
    ///
    /// # Errors
    /// When the other end had no credit for them.
    pub fn receive(&mut self, count: usize) -> Result<(), OverWindow> {
        let count = u32::try_from(count).map_err(|_| OverWindow)?;
        self.credit = self.credit.checked_sub(count).ok_or(OverWindow)?;
        Ok(())
    }

    /// Counts bytes that the consumer has taken, of those that have come.
    pub fn consume(&mut self, count: usize) {
        let held = self.size - self.credit - self.consumed;
        self.consumed += u32::try_from(count).map_or(held, |count| count.min(held));
    }

    /// The credit that is worth a frame, which counts as given: half of the window, at least.
    pub const fn grant(&mut self) -> Option<u32> {
        // With less, the other end still has credit, or this one bytes for its consumer.
        if self.consumed < self.size.div_ceil(2) {
            return None;
        }
        let count = self.consumed;
        self.consumed = 0;
        self.credit += count;
        Some(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_sent_than_is_taken() {
        let (mut send, mut receive) = (SendWindow::new(10), ReceiveWindow::new(10));
        send.spend(10);
        receive.receive(10).unwrap();
        assert_eq!((send.credit(), receive.receive(1)), (0, Err(OverWindow)));
        receive.consume(4);
        assert_eq!(receive.grant(), None);
        receive.consume(1);
        assert_eq!(receive.grant(), Some(5));
        assert_eq!(receive.grant(), None);
        send.grant(5).unwrap();
        assert_eq!((send.credit(), send.grant(6)), (5, Err(OverCredit)));
        assert_eq!((send.grant(u32::MAX), send.credit()), (Err(OverCredit), 5));
    }

    #[test]
    fn what_has_not_come_cannot_be_consumed() {
        let mut receive = ReceiveWindow::new(4);
        receive.consume(usize::MAX);
        assert_eq!(receive.grant(), None);
        receive.receive(3).unwrap();
        receive.consume(usize::MAX);
        assert_eq!(receive.grant(), Some(3));
        assert_eq!(receive.receive(usize::MAX), Err(OverWindow));
    }

    #[test]
    fn a_window_of_one_byte_moves() {
        let (mut send, mut receive) = (SendWindow::new(1), ReceiveWindow::new(1));
        for _ in 0..3 {
            send.spend(1);
            receive.receive(1).unwrap();
            receive.consume(1);
            send.grant(receive.grant().unwrap()).unwrap();
        }
    }
}
