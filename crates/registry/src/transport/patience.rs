//! How long a server may take: a total time for documents and tokens, a least throughput for blobs.
//!
//! Both count the time in which we wait for the server, and no other: not the pauses between attempts, not a user who unlocks a key
//! ring, and not a build that takes its time with what has come.

use std::time::{Duration, Instant};

/// How long a server may keep us waiting.
#[derive(Debug, Clone)]
pub struct Timeouts {
    /// For the name, and for the connection with its TLS handshake.
    pub connect: Duration,
    /// For each piece of an answer.
    pub idle: Duration,
    /// For a document, from the look-up of its server's name to its last byte, with tokens, redirects and all attempts; and for
    /// a blob until its first byte may come. `None` is for ever.
    pub document: Option<Duration>,
    /// For the bytes of a blob. `None` takes as long as each byte comes within `idle`.
    pub blob: Option<Throughput>,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            connect: Duration::from_secs(15),
            idle: Duration::from_secs(30),
            document: Some(Duration::from_secs(120)),
            blob: Some(Throughput { bytes: 64 << 10, time: Duration::from_secs(60) }),
        }
    }
}

/// So many bytes in so much time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throughput {
    /// Bytes.
    pub bytes: u64,
    /// The time for them. One longer than [`Timeouts::idle`] lets a connection that died be made anew before it ends.
    pub time: Duration,
}

/// What is left of a document's time.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// All of it.
    pub(crate) allowed: Option<Duration>,
    /// When it is over.
    pub(crate) end: Option<Instant>,
}

impl Budget {
    /// The clock runs from now on.
    pub fn start(allowed: Option<Duration>) -> Budget {
        Budget { allowed, end: allowed.and_then(|allowed| Instant::now().checked_add(allowed)) }
    }

    /// Whether nothing is left.
    pub fn is_over(&self) -> bool {
        self.end.is_some_and(|end| end <= Instant::now())
    }

    /// Does something that the server is not to blame for, with the clock stopped.
    pub fn stopped<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let done = work();
        self.end = self.end.and_then(|end| end.checked_add(start.elapsed()));
        done
    }
}

/// Whether a blob comes fast enough: each time that the least throughput allows has to bring its bytes.
#[derive(Debug)]
pub(crate) struct Pace {
    least: Option<Throughput>,
    waited: Duration,
    bytes: u64,
}

impl Pace {
    /// Nothing waited for yet.
    pub(crate) fn new(least: Option<Throughput>) -> Pace {
        Pace { least, waited: Duration::ZERO, bytes: 0 }
    }

    /// Until when a wait that begins now may last.
    pub(crate) fn end(&self) -> Option<Instant> {
        let left = self.least?.time.saturating_sub(self.waited);
        Instant::now().checked_add(left)
    }

    /// Counts a wait and what it brought.
    pub(crate) fn count(&mut self, waited: Duration, bytes: usize) {
        self.waited += waited;
        self.bytes += bytes as u64;
        if self.least.is_none_or(|least| self.bytes >= least.bytes) {
            self.start_again();
        }
    }

    /// A new connection gets the whole time.
    pub(crate) fn start_again(&mut self) {
        (self.waited, self.bytes) = (Duration::ZERO, 0);
    }

    /// Bytes without which a server has not earned more attempts.
    pub(crate) fn quota(&self) -> u64 {
        self.least.map_or(0, |least| least.bytes)
    }

    /// What was too slow: the bytes that came, and the throughput that they stay behind.
    pub(crate) fn shortfall(&self) -> Option<(u64, Throughput)> {
        self.least.map(|least| (self.bytes, least))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Budget, Pace, Throughput};

    const SECOND: Duration = Duration::from_secs(1);

    fn left(pace: &Pace) -> Duration {
        pace.end().unwrap().saturating_duration_since(Instant::now())
    }

    #[test]
    fn time_is_renewed_when_its_bytes_have_come_and_not_before() {
        let mut pace = Pace::new(Some(Throughput { bytes: 100, time: 60 * SECOND }));
        (0..99).for_each(|_| pace.count(SECOND / 2, 1));
        assert!(left(&pace) <= 60 * SECOND - 99 * SECOND / 2);
        pace.count(SECOND / 2, 1);
        assert!(left(&pace) > 59 * SECOND);
        // What came in a burst does not pay for a standstill later.
        pace.count(Duration::ZERO, 1_000_000);
        pace.count(60 * SECOND, 99);
        assert_eq!(left(&pace), Duration::ZERO);
    }

    #[test]
    fn no_limit_never_ends() {
        let mut pace = Pace::new(None);
        pace.count(1_000_000 * SECOND, 1);
        assert_eq!(pace.end(), None);
        assert_eq!(Budget::start(None).end, None);
    }

    #[test]
    fn a_stopped_clock_takes_nothing_away() {
        let mut budget = Budget::start(Some(60 * SECOND));
        let before = budget.end.unwrap();
        budget.stopped(|| std::thread::sleep(Duration::from_millis(20)));
        assert!(budget.end.unwrap() >= before + Duration::from_millis(20));
    }
}
