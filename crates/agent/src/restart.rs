//! When a workload is started again.

use std::time::Duration;

use nex_contract::Restart;
use nex_protocol::Ended;

/// The pause before the first time in a row; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Who has run for this long is not in a row with whom was before.
const RECOVERED: Duration = Duration::from_secs(10);

/// Counts the times in a row.
pub struct Restarts {
    policy: Restart,
    in_a_row: u32,
}

impl Restarts {
    /// None yet.
    pub fn new(policy: Restart) -> Self {
        Self { policy, in_a_row: 0 }
    }

    /// The pause after which the workload is started again, by how it ended and how long it ran; `None` when it is not.
    ///
    /// A program that could not be started is not tried again: it will not be there the next time either.
    pub fn after(&mut self, end: Ended, ran: Duration) -> Option<Duration> {
        if ran >= RECOVERED {
            self.in_a_row = 0;
        }
        let again = match (self.policy, end) {
            (Restart::No, _) | (_, Ended::Unstarted(_)) | (Restart::OnFailure { .. }, Ended::Code(0)) => false,
            (Restart::OnFailure { times }, _) => times.is_none_or(|times| self.in_a_row < times),
            (Restart::Always, _) => true,
        };
        let pause = FIRST_PAUSE.saturating_mul(1_u32.checked_shl(self.in_a_row).unwrap_or(u32::MAX)).min(LONGEST_PAUSE);
        self.in_a_row = self.in_a_row.saturating_add(1);
        again.then_some(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(1);

    #[test]
    fn each_policy_says_who_is_started_again() {
        let after = |policy, end| Restarts::new(policy).after(end, SOON).is_some();
        let failure = Restart::OnFailure { times: None };
        assert!(!after(Restart::No, Ended::Code(1)));
        assert!(!after(failure, Ended::Code(0)));
        assert!(after(failure, Ended::Code(1)) && after(failure, Ended::Signal(9)));
        assert!(after(Restart::Always, Ended::Code(0)));
        assert!(!after(Restart::Always, Ended::Unstarted(127)));
    }

    #[test]
    fn pauses_grow_to_a_bound_and_start_anew_after_a_long_run() {
        let mut restarts = Restarts::new(Restart::Always);
        let pauses: Vec<u128> = (0..9).map(|_| restarts.after(Ended::Code(1), SOON).unwrap().as_millis()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000]);
        assert_eq!(restarts.after(Ended::Code(1), RECOVERED), Some(FIRST_PAUSE));
        restarts.in_a_row = u32::MAX;
        assert_eq!(restarts.after(Ended::Code(1), SOON), Some(LONGEST_PAUSE));
    }

    #[test]
    fn failures_in_a_row_are_counted() {
        let mut restarts = Restarts::new(Restart::OnFailure { times: Some(2) });
        let again: Vec<bool> = (0..3).map(|_| restarts.after(Ended::Signal(11), SOON).is_some()).collect();
        assert_eq!(again, [true, true, false]);
    }
}
