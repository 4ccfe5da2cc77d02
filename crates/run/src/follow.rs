//! Follows a guest to its end.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use nex_fault::{Code, Fault, Remedy};
use nex_guest::{Session, Step, VmmReport, deadline};
use nex_protocol::Item;
use nex_vmm::Ending;

use crate::codes;
use crate::record::Record;
use crate::report::Stopped;
use crate::streams::Streams;

/// How long a machine may take to switch its power off when all in it has ended.
const POWER_OFF: Duration = Duration::from_secs(10);

/// Who looks on.
pub trait User {
    /// A VMM has started the guest.
    fn started(&mut self, vmm: &VmmReport);

    /// Where output goes.
    fn streams(&mut self) -> Streams<'_>;
}

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

/// Why a guest cannot be followed any more. It ends when its session is dropped.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The guest cannot be followed.
    #[error(transparent)]
    Guest(#[from] nex_guest::Error),
    /// It is not known whether the guest shall end.
    #[error("cannot wait for signals")]
    Stop(#[source] io::Error),
    /// Nobody takes the output.
    #[error("cannot hand on what the program writes")]
    Output(#[source] io::Error),
}

impl Fault for FollowError {
    fn code(&self) -> Code {
        match self {
            Self::Guest(error) => error.code(),
            Self::Stop(_) => codes::SIGNALS,
            Self::Output(_) => codes::OUTPUT,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Guest(error) => error.remedy(),
            Self::Stop(_) | Self::Output(_) => None,
        }
    }
}

/// Who may ask for a guest's end.
pub trait Stop {
    /// Readable when somebody does.
    fn file(&self) -> BorrowedFd<'_>;

    /// The number of the signal that is the reason. The file is not readable any more, until the next one comes.
    ///
    /// # Errors
    /// When the file is closed.
    fn take(&mut self) -> io::Result<u8>;
}

/// How a guest was seen to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GuestEnd {
    /// By itself.
    Itself(Ending),
    /// Its VMM failed, and said this.
    Vmm(String),
    /// It was killed.
    Killed,
}

/// Hands on what a guest's workload writes, until the guest ends.
///
/// The first one to ask for its end has it asked; the second, or the end of its time, kills it.
///
/// # Errors
/// When the console cannot be read, or the output is not taken.
pub fn follow(
    session: &mut Session,
    record: &mut Record,
    user: &mut dyn User,
    bounds: &Bounds,
    stop: &mut dyn Stop,
) -> Result<GuestEnd, FollowError> {
    let mut clock = Clock { bounds, start: Instant::now(), up: None, end: None };
    tell(session, user);
    loop {
        let deadline = clock.deadline(record);
        match session.step(&[stop.file()], deadline)? {
            Step::Console { items, bytes } => {
                record.record_console(&bytes);
                hand_on(record, items, user)?;
                if record.is_up && record.report.memory.peak.is_none() || record.is_over {
                    record.report.memory.peak = session.guest().peak_memory().or(record.report.memory.peak);
                }
                // Who writes without end is late, too.
                if Instant::now() < clock.deadline(record) {
                    continue;
                }
            }
            Step::Woken(_) => {
                let signal = stop.take().map_err(FollowError::Stop)?;
                if record.report.stopped.is_none() {
                    clock.ask_to_end(session, record, Stopped::Signal(signal));
                    continue;
                }
            }
            Step::Ended { items, status, ending } => {
                hand_on(record, items, user)?;
                return Ok(match status.success() {
                    true => GuestEnd::Itself(ending),
                    false => GuestEnd::Vmm(format!("{status}; {}", session.guest().said())),
                });
            }
            Step::Restarted => {
                tell(session, user);
                *record = Record::default();
                (clock.start, clock.up) = (Instant::now(), None);
                continue;
            }
            Step::Deadline => {}
        }
        if clock.is_time_up() {
            clock.ask_to_end(session, record, Stopped::Timeout);
        } else {
            session.guest().kill();
            return Ok(GuestEnd::Killed);
        }
    }
}

fn tell(session: &Session, user: &mut dyn User) {
    user.started(&VmmReport::of(session));
}

fn hand_on(record: &mut Record, items: Vec<Item>, user: &mut dyn User) -> Result<(), FollowError> {
    let mut streams = user.streams();
    let handed_on = items.into_iter().try_for_each(|item| record.take(item, &mut streams));
    handed_on.and_then(|()| streams.flush()).map_err(FollowError::Output)
}

/// What a guest still has of its time.
struct Clock<'a> {
    bounds: &'a Bounds,
    start: Instant,
    /// Since when it is up.
    up: Option<Instant>,
    /// When it is killed, once it was asked to end or has said that it does.
    end: Option<Instant>,
}

impl Clock<'_> {
    /// Until when the guest has to do what comes next.
    fn deadline(&mut self, record: &Record) -> Instant {
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
    fn is_time_up(&self) -> bool {
        let is_past = self.bounds.run.zip(self.up).is_some_and(|(bound, up)| up.elapsed() >= bound);
        self.end.is_none() && is_past
    }

    /// Asks the guest to end, where there is somebody in it who can be asked, and sets the time of its end.
    fn ask_to_end(&mut self, session: &mut Session, record: &mut Record, why: Stopped) {
        record.report.stopped = Some(why);
        let asked = record.is_up && session.guest().press_ctrl_alt_del().is_ok();
        let patience = if asked { self.bounds.stop } else { Duration::ZERO };
        self.end = Some(deadline(Instant::now(), patience));
    }
}
