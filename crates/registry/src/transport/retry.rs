//! When to ask again: exponential backoff, or what the server asks for.

use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How often and how patiently temporary failures are retried.
#[derive(Debug, Clone)]
pub struct RetryPolicy {
    /// Attempts in all, the first one included. A download counts anew after each piece of progress.
    pub attempts: u32,
    /// The wait before the second attempt. Each later wait doubles it.
    pub first_wait: Duration,
    /// The longest wait. A server that asks for more (`Retry-After`) is not waited for.
    pub longest_wait: Duration,
}

impl Default for RetryPolicy {
    fn default() -> RetryPolicy {
        RetryPolicy { attempts: 5, first_wait: Duration::from_millis(250), longest_wait: Duration::from_secs(15) }
    }
}

/// Whether a failure is worth another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It would fail again.
    Never,
    /// After a wait of our own choice.
    Soon,
    /// After the wait that the server asks for.
    After(Duration),
}

/// Until when a server wants no more requests, whichever connection it said so on.
#[derive(Debug, Default)]
pub struct Pause(Mutex<Option<Instant>>);

impl Pause {
    /// The server asks for a wait from now on.
    pub fn extend(&self, wait: Duration) {
        let mut end = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *end = (*end).max(Instant::now().checked_add(wait));
    }

    /// Waits for its end.
    pub fn wait(&self) {
        while let Some(left) = self.left() {
            thread::sleep(left);
        }
    }

    fn left(&self) -> Option<Duration> {
        let end = (*self.0.lock().unwrap_or_else(PoisonError::into_inner))?;
        end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }
}

/// Counts attempts, and waits between them.
#[derive(Debug)]
pub struct Attempts {
    policy: RetryPolicy,
    made: u32,
}

impl Attempts {
    /// No attempt made yet.
    pub fn new(policy: &RetryPolicy) -> Attempts {
        Attempts { policy: policy.clone(), made: 0 }
    }

    /// Attempts made.
    pub fn made(&self) -> u32 {
        self.made
    }

    /// Forgets the attempts, after progress.
    pub fn start_again(&mut self) {
        self.made = 0;
    }

    /// Counts a failed attempt. True when another one is to be made; the wait is over then.
    pub fn wait_after_failure(&mut self, retry: Retry) -> bool {
        self.made += 1;
        match self.next_wait(retry) {
            Some(wait) => {
                let (made, seconds) = (self.made, wait.as_secs_f64());
                tracing::info!(target: "registry", "attempt {made} failed; the next one is in {seconds:.1} s");
                thread::sleep(wait);
                true
            }
            None => false,
        }
    }

    /// The wait before the next attempt; `None` when there is to be no other.
    fn next_wait(&self, retry: Retry) -> Option<Duration> {
        if self.made >= self.policy.attempts {
            return None;
        }
        let longest = self.policy.longest_wait;
        match retry {
            Retry::Never => None,
            Retry::After(wait) => (wait <= longest).then_some(wait),
            Retry::Soon => {
                let factor = 2_u32.saturating_pow(self.made.saturating_sub(1));
                Some(self.policy.first_wait.saturating_mul(factor).min(longest))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Attempts, Retry, RetryPolicy};

    #[test]
    fn waits_double_up_to_the_longest() {
        let policy = RetryPolicy { attempts: 100, ..RetryPolicy::default() };
        let wait = |made| Attempts { policy: policy.clone(), made }.next_wait(Retry::Soon).unwrap();
        assert_eq!(wait(1), Duration::from_millis(250));
        assert_eq!(wait(3), Duration::from_secs(1));
        assert_eq!(wait(99), Duration::from_secs(15));
    }

    #[test]
    fn long_waits_and_used_up_attempts_end_it() {
        let mut attempts = Attempts::new(&RetryPolicy { first_wait: Duration::ZERO, ..RetryPolicy::default() });
        assert!(!attempts.wait_after_failure(Retry::After(Duration::from_secs(3600))));
        attempts.start_again();
        assert!((0..4).all(|_| attempts.wait_after_failure(Retry::Soon)));
        assert!(!attempts.wait_after_failure(Retry::Soon));
        assert_eq!(attempts.made(), 5);
    }
}
