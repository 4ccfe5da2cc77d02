//! What a guest still has of its time.

use std::time::{Duration, Instant};

use nex_guest::{Session, deadline};

use crate::record::Record;

/// How long a machine may take to switch its power off when all in it has ended.
const POWER_OFF: Duration = Duration::from_secs(10);

/// How long a guest may take.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Until it is up.
    pub boot: Duration,
    /// For its program, from then on; `None` when that may run for ever.
    pub run: Option<Duration>,
    /// For its end, once it is asked to end.
    pub stop: Duration,
}

/// What a guest still has of its time.
#[derive(Debug)]
pub struct Clock {
    bounds: Bounds,
    start: Instant,
    /// Since when it is up.
    up: Option<Instant>,
    /// When it is killed, once it was asked to end or has said that it does.
    end: Option<Instant>,
    asking: Asking,
}

/// Whether the guest knows that it has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asking {
    NotYet,
    Asked,
    /// There is nobody in it who could be asked.
    InVain,
}

impl Clock {
    /// For a guest that has just been started.
    pub fn start(bounds: Bounds) -> Self {
        Self { bounds, start: Instant::now(), up: None, end: None, asking: Asking::NotYet }
    }

    /// Another guest takes its place.
    pub fn restart(&mut self) {
        (self.start, self.up) = (Instant::now(), None);
    }

    /// Until when the guest has to do what comes next.
    pub fn deadline(&mut self, record: &Record) -> Instant {
        if record.is_over {
            self.end.get_or_insert_with(|| Instant::now() + POWER_OFF);
        }
        if record.is_up {
            self.up.get_or_insert_with(Instant::now);
        }
        let next = match self.up {
            Some(up) => deadline(up, self.bounds.run),
            None => deadline(self.start, self.bounds.boot),
        };
        self.end.unwrap_or(next)
    }

    /// Whether the program has had all of its time, and the guest was not asked to end before.
    pub fn is_time_up(&self) -> bool {
        let is_past = self.bounds.run.zip(self.up).is_some_and(|(bound, up)| up.elapsed() >= bound);
        self.end.is_none() && is_past
    }

    /// Asks the guest to end, where there is somebody in it who can be asked, and sets the time of its end: as long as its starter has
    /// said, or so long. One that was asked before is not asked again, and gets no more time than it had.
    pub fn ask_to_end(&mut self, session: &mut Session, record: &Record, patience: Option<Duration>) {
        if self.asking == Asking::NotYet {
            let asked = record.is_up && session.guest().press_ctrl_alt_del().is_ok();
            self.asking = if asked { Asking::Asked } else { Asking::InVain };
        }
        let patience = match self.asking {
            Asking::Asked => patience.unwrap_or(self.bounds.stop),
            Asking::NotYet | Asking::InVain => Duration::ZERO,
        };
        let end = deadline(Instant::now(), patience);
        self.end = Some(self.end.map_or(end, |earlier| earlier.min(end)));
    }
}
