//! How long each phase of a build takes.

use std::time::Instant;

use crate::report::PhaseReport;

/// A clock that runs through the phases.
pub struct Phases {
    done: Vec<PhaseReport>,
    current: &'static str,
    since: Instant,
}

impl Phases {
    /// Starts with the first phase.
    pub fn start(first: &'static str) -> Self {
        Self { done: Vec::new(), current: first, since: Instant::now() }
    }

    /// Ends the current phase and begins the next.
    pub fn next(&mut self, name: &'static str) {
        self.done.push(PhaseReport { name: self.current, seconds: self.since.elapsed().as_secs_f64() });
        self.current = name;
        self.since = Instant::now();
    }

    /// Ends the last phase.
    pub fn finish(mut self) -> Vec<PhaseReport> {
        self.next("");
        self.done
    }
}
