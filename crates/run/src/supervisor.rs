//! One process that looks after one guest: it starts the guest, passes on what goes in and out, answers its clients, and sees to the end.
//!
//! ```text
//! starter <── Control, frames ──┐                     ┌── Session: console, the agent's lines, end
//! clients <── socket ─────────> Supervisor <─────────>┤
//! disk    <── Place: journal, spool                   └── Channel: streams of programs
//! ```
//!
//! One thread waits for all of it at once, and for nothing else. What a client does not take holds the guest's program, not memory.

mod channel;
mod clients;
mod clock;
mod control;
mod drain;
mod follow;
mod frames;
mod lines;
mod link;
mod output;
mod place;
mod reach;
mod refusal;
mod relay;
mod socket;

use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;
use std::{io, mem};

use nex_guest::{Session, VmmReport};
use nex_supervise::api::{Answer, Ended as EndedLine, Notice};
use nex_supervise::{Ended, Event, How, Identity, Reason, Started};

use self::channel::Channel;
use self::clients::Clients;
pub use self::clock::Bounds;
use self::clock::Clock;
pub use self::control::Control;
pub use self::output::Output;
pub use self::place::Keeping;
use self::place::Place;
pub use self::reach::Reach;
use crate::follow_error::FollowError;
use crate::record::Record;

/// Why a guest is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The supervisor or its starter got a signal of this number.
    Signal(u8),
    /// The starter is gone, and the guest goes with it.
    StarterGone,
}

impl Asked {
    /// The first signal asks the guest to end. Another one kills it, and so does the end of the starter.
    fn how(self, nth: Nth) -> How {
        match (self, nth) {
            (Self::Signal(_), Nth::First) => How::Stop,
            (Self::Signal(_), Nth::Later) | (Self::StarterGone, _) => How::Kill,
        }
    }

    /// The signal in the guest's record. For a starter that is gone this is SIGHUP, as for a terminal that is gone.
    pub(crate) fn signal(self) -> u8 {
        /// SIGHUP.
        const HANGUP: u8 = 1;
        match self {
            Self::Signal(signal) => signal,
            Self::StarterGone => HANGUP,
        }
    }
}

/// Whether somebody has asked for the guest's end before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Nth {
    First,
    Later,
}

/// Who has started the supervisor.
#[derive(Debug, Default)]
pub struct Starter {
    /// The connection over which it hears what happens.
    pub control: Control,
    /// Its session of the channel, for the program's streams, if it wants one.
    pub frames: Option<UnixStream>,
    /// Whether it hears the console's lines.
    pub console: Console,
}

/// Who hears the console's lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Console {
    /// Nobody.
    #[default]
    Kept,
    /// The starter.
    Told,
}

/// Who looks on.
pub trait User {
    /// A VMM has started the guest.
    fn started(&mut self, vmm: &VmmReport);
}

/// Who may ask for a guest's end.
pub trait Stop {
    /// Readable when somebody does.
    fn file(&self) -> BorrowedFd<'_>;

    /// The reason. The file is not readable any more, until the next one comes.
    ///
    /// # Errors
    /// When the file is closed.
    fn take(&mut self) -> io::Result<Asked>;
}

/// A guest, and all who have to do with it.
pub struct Supervisor<'a> {
    session: Session,
    record: Record,
    clock: Clock,
    clients: Clients,
    channel: Channel,
    output: Output,
    control: Control,
    place: Option<Place>,
    user: &'a mut dyn User,
    stop: &'a mut dyn Stop,
    /// Whether those who are connected with the program know that it has ended.
    are_told: bool,
    /// How long the guest was there, once it has ended.
    ran: Duration,
}

/// What a guest needs beside itself, before it is started.
pub struct Surroundings {
    starter: Starter,
    clients: Clients,
    place: Option<Place>,
}

impl Surroundings {
    /// Makes the guest's place, and lets clients connect.
    ///
    /// # Errors
    /// When the guest needs a record that cannot be made, or clients cannot be served.
    pub fn prepare(mut starter: Starter, keeping: &Keeping) -> Result<Self, crate::Error> {
        let mut clients = Clients::new(starter.frames.take()).map_err(FollowError::Clients)?;
        let place = match Place::begin(keeping)? {
            Ok((place, socket)) => {
                clients.listen(socket);
                let (id, directory) = (place.id().clone(), place.path().to_owned());
                starter.control.tell(&Notice::Created {
                    id,
                    name: keeping.name.clone(),
                    directory,
                    mode: keeping.mode,
                });
                Some(place)
            }
            Err(error) => {
                tracing::info!(target: "supervise", "the guest has no record: {}", nex_fault::whole(&error));
                None
            }
        };
        Ok(Self { starter, clients, place })
    }

    /// There was no guest.
    pub fn discard(self) {
        self.place.into_iter().for_each(Place::discard);
    }
}

impl<'a> Supervisor<'a> {
    /// Looks after a guest that has just been started.
    ///
    /// # Errors
    /// When its place cannot be used.
    pub fn new(
        session: Session,
        around: Surroundings,
        reach: Reach,
        bounds: Bounds,
        user: &'a mut dyn User,
        stop: &'a mut dyn Stop,
    ) -> Result<Self, crate::Error> {
        let Surroundings { starter, clients, place } = around;
        let spool = place.as_ref().map(Place::spool).transpose()?.flatten();
        let console = (starter.console == Console::Told).then(|| starter.control.clone());
        let mut supervisor = Self {
            session,
            record: Record::default(),
            clock: Clock::start(bounds),
            clients,
            channel: Channel::new(reach),
            output: Output::new(spool, console),
            control: starter.control,
            place,
            user,
            stop,
            are_told: false,
            ran: Duration::ZERO,
        };
        supervisor.tell_start();
        Ok(supervisor)
    }

    /// Says that a VMM runs the guest.
    fn tell_start(&mut self) {
        let report = VmmReport::of(&self.session);
        self.user.started(&report);
        // A child that nobody has waited for is there, and so is what there is to know about it.
        if let Ok(vmm) = Identity::of(self.session.guest().id()) {
            self.note(Event::Started(Started { name: report.name.clone(), vmm: vmm.clone() }));
            self.control.tell(&Notice::Started { vmm, name: report.name });
        }
    }

    /// Writes down what happens, and tells those who watch.
    fn note(&mut self, event: Event) {
        let Some(place) = &mut self.place else { return };
        place.note(event);
        self.clients.tell(|| place.journal());
    }

    /// What is known of the guest.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Removes what stands on the disk for the guest, which has ended, and gives what there is to report on.
    pub fn finish(&mut self) -> (&Session, Record) {
        self.output.settle();
        self.session.clear();
        let mut record = mem::take(&mut self.record);
        // The clients still have to know these.
        (self.record.report.end, self.record.report.restarts) = (record.report.end, record.report.restarts);
        self.record.report.agent_failures.clone_from(&record.report.agent_failures);
        let counts = self.output.counts();
        (record.report.stdout_bytes, record.report.stderr_bytes) = (counts.out, counts.err);
        record.report.times.seconds = self.ran.as_secs_f64();
        (&self.session, record)
    }

    /// Ends what is left of the guest, writes down how it has ended, and tells those who wait for that. What the program has written goes on
    /// to those who read it.
    pub fn release(mut self, reason: Reason) {
        self.session.clear();
        self.channel.finish("the guest has ended", &mut self.clients);
        self.clients.close();
        self.output.settle();
        let ran = u64::try_from(self.ran.as_millis()).ok();
        let (restarts, losses) = (self.record.report.restarts, self.output.losses());
        let ended = Ended { ran_ms: ran, restarts, losses, ..Ended::because_of(reason) };
        let rest = mem::take(&mut self.place).map(|place| place.end(ended));
        let rest = match rest {
            Some(Ok(rest)) => {
                self.clients.tell(|| rest.journal());
                Some(rest)
            }
            // Another command's sweep does the rest.
            Some(Err(error)) => {
                tracing::info!(target: "supervise", "{}", nex_fault::whole(&error));
                None
            }
            None => None,
        };
        self.clients.finish(&Answer::Ended(EndedLine::because_of(reason)));
        self.drain(reason);
        if let Some(rest) = rest {
            rest.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_first_signal_asks_and_a_starter_that_is_gone_kills() {
        for signal in [1, 2, 15] {
            assert_eq!(Asked::Signal(signal).how(Nth::First), How::Stop, "{signal}");
            assert_eq!(Asked::Signal(signal).how(Nth::Later), How::Kill, "{signal}");
        }
        assert_eq!(Asked::StarterGone.how(Nth::First), How::Kill);
        assert_eq!(Asked::StarterGone.how(Nth::Later), How::Kill);
    }
}
