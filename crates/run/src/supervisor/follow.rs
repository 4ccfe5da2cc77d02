//! Follows a guest to its end.

use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use nex_channel::Signal;
use nex_guest::{Hearing, Interest, Step, Waker};
use nex_protocol::Item;
use nex_supervise::api::{Answer, Failure, Notice, Request};
use nex_supervise::{Asker, Event, How, Restarted, StopAsked};

use crate::follow_error::FollowError;
use crate::guest_end::GuestEnd;
use crate::record::Record;
use crate::report::Stopped;
use crate::supervisor::clients::{Key, Ready, Wish, failure};
use crate::supervisor::refusal::Refusal;
use crate::supervisor::socket::Peer;
use crate::supervisor::{Asked, Nth, Supervisor};

/// SIGKILL.
const KILL: u8 = 9;

/// What is ready beside the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Woken {
    /// Somebody asks for the end.
    Stop,
    /// The starter takes more.
    Control,
    /// The guest's channel.
    Channel,
    /// Clients.
    Clients(Ready),
}

impl Supervisor<'_> {
    /// Passes on what goes in and out of the guest, and does what its clients want, until it ends.
    ///
    /// The first one to ask for its end has it asked; the second, or the end of its time, kills it.
    ///
    /// # Errors
    /// When the guest cannot be followed.
    pub fn follow(&mut self) -> Result<GuestEnd, FollowError> {
        let end = self.follow_to_its_end();
        self.ran = self.session.elapsed();
        if matches!(end, Ok(GuestEnd::Itself(_))) {
            self.record.take_power_off();
        }
        end
    }

    fn follow_to_its_end(&mut self) -> Result<GuestEnd, FollowError> {
        loop {
            self.move_all();
            let (step, woken) = self.step()?;
            match step {
                Step::Console { items, bytes } => self.hear(items, &bytes),
                Step::Woken(_) => {
                    for woken in woken {
                        if self.serve(woken)? == Goes::ToItsEnd {
                            return Ok(self.kill());
                        }
                    }
                }
                Step::Ended { items, status, ending } => {
                    self.hear(items, &[]);
                    return Ok(match status.success() {
                        true => GuestEnd::Itself(ending),
                        false => GuestEnd::Vmm {
                            said: format!("{status}; {}", self.session.guest().said()),
                            signal: status.signal(),
                        },
                    });
                }
                Step::Restarted => self.restart(),
                Step::Deadline => {}
            }
            self.channel.open(&mut self.session).map_err(FollowError::Clients)?;
            // Who writes without end is late, too.
            if Instant::now() >= self.clock.deadline(&self.record) {
                if !self.clock.is_time_up() {
                    return Ok(self.kill());
                }
                self.record.report.stopped = Some(Stopped::Timeout);
                self.clock.ask_to_end(&mut self.session, &self.record, None);
            }
        }
    }

    /// Moves all that can be moved, to those who wait for it.
    fn move_all(&mut self) {
        self.output.settle();
        self.channel.expire(Instant::now(), &mut self.clients);
        self.clients.distribute(&mut self.output);
        self.channel.pump(&mut self.clients, &mut self.output);
        if self.output.is_empty() && self.channel.is_drained() {
            self.tell_program_end();
        }
        for key in self.clients.flush() {
            self.channel.forget(key);
        }
        self.control.flush();
    }

    /// Waits for the next thing to happen, and says what is ready beside the guest.
    fn step(&mut self) -> Result<(Step, Vec<Woken>), FollowError> {
        let hearing = if self.output.is_full() { Hearing::Holds } else { Hearing::Listens };
        self.session.hear(hearing);
        let mut deadline = self.clock.deadline(&self.record);
        let earlier = [self.clients.deadline(), self.channel.deadline()];
        deadline = earlier.into_iter().flatten().fold(deadline, Instant::min);
        let control = self.control.file().filter(|_| self.control.is_waiting());
        let control =
            control.as_ref().map(|file| (Woken::Control, Waker { file: file.as_fd(), interest: Interest::Write }));
        let waited = [(Woken::Stop, Waker::read(self.stop.file()))];
        let channel = self.channel.waker().map(|waker| (Woken::Channel, waker));
        let clients = self.clients.wakers().map(|(ready, waker)| (Woken::Clients(ready), waker));
        let (what, wakers): (Vec<_>, Vec<_>) = waited.into_iter().chain(control).chain(channel).chain(clients).unzip();
        let step = self.session.step(&wakers, deadline)?;
        let woken = match &step {
            Step::Woken(indices) => indices.iter().filter_map(|index| what.get(*index).copied()).collect(),
            _ => Vec::new(),
        };
        Ok((step, woken))
    }

    /// Takes what the guest has said.
    fn hear(&mut self, items: Vec<Item>, bytes: &[u8]) {
        let (was_up, restarts) = (self.record.is_up, self.record.report.restarts);
        self.record.record_console(bytes);
        for item in items {
            self.record.take(item, &mut self.output);
        }
        self.output.settle();
        if self.record.is_up && self.record.report.memory.peak.is_none() || self.record.is_over {
            self.record.report.memory.peak = self.session.guest().peak_memory().or(self.record.report.memory.peak);
        }
        if self.record.is_up && !was_up {
            self.note(Event::Up);
            self.control.tell(&Notice::Up {});
            self.clients.open();
            self.channel.expect_answer(Instant::now());
        }
        if self.record.report.restarts > restarts {
            let times = self.record.report.restarts;
            self.note(Event::Restarted(Restarted { times }));
            self.control.tell(&Notice::Restarted { times });
        }
    }

    /// KVM has failed, and another guest was started.
    fn restart(&mut self) {
        self.record = Record::default();
        self.output.clear();
        self.channel.restart();
        self.clock.restart();
        self.tell_start();
    }

    fn kill(&mut self) -> GuestEnd {
        self.session.guest().kill();
        GuestEnd::Killed
    }

    /// Does what is to be done with what is ready.
    fn serve(&mut self, woken: Woken) -> Result<Goes, FollowError> {
        match woken {
            Woken::Stop => {
                let asked = self.stop.take().map_err(FollowError::Stop)?;
                return Ok(self.end_for(asked));
            }
            Woken::Control => self.control.flush(),
            Woken::Channel => self.channel.read(&mut self.clients),
            Woken::Clients(ready) => {
                for (key, wish) in self.clients.advance(ready) {
                    if self.obey(key, wish) == Goes::ToItsEnd {
                        return Ok(Goes::ToItsEnd);
                    }
                }
            }
        }
        Ok(Goes::On)
    }

    /// A signal to the supervisor or to its starter asks for the end, or the end of the starter does.
    fn end_for(&mut self, asked: Asked) -> Goes {
        let nth = if self.record.report.stopped.is_none() { Nth::First } else { Nth::Later };
        let (how, signal) = (asked.how(nth), asked.signal());
        self.note(Event::StopAsked(StopAsked { by: Asker::Signal { signal }, how }));
        self.record.report.stopped.get_or_insert(Stopped::Signal(signal));
        if how == How::Kill {
            return Goes::ToItsEnd;
        }
        self.clock.ask_to_end(&mut self.session, &self.record, None);
        Goes::On
    }

    fn obey(&mut self, key: Key, wish: Wish) -> Goes {
        match wish {
            Wish::Said(said) => self.channel.obey(key, said, &mut self.clients),
            Wish::Request(request, peer) => return self.answer(key, request, peer),
        }
        Goes::On
    }

    /// Does what a client has asked for in a line.
    fn answer(&mut self, key: Key, request: Request, peer: Peer) -> Goes {
        let by = Asker::Client { uid: peer.uid, pid: peer.pid };
        let answer = match request {
            Request::Inspect {} => match self.place.as_ref().map(|place| place.inspect()) {
                Some(Ok(inspection)) => Answer::Guest(Box::new(inspection)),
                Some(Err(error)) => Answer::Error(failure(&error)),
                // Without a place there is no socket.
                None => return Goes::On,
            },
            Request::Events {} => {
                self.clients.watch(key);
                if let Some(place) = &self.place {
                    self.clients.tell(|| place.journal());
                }
                return Goes::On;
            }
            Request::Stop { timeout_ms } => {
                self.clients.wait(key);
                return self.stop_for(by, timeout_ms.map(Duration::from_millis));
            }
            Request::Kill { signal } => match self.send_signal(signal) {
                Ok(goes) => {
                    self.clients.answer(key, &Answer::Killed {});
                    if goes == Goes::ToItsEnd {
                        self.note(Event::StopAsked(StopAsked { by, how: How::Kill }));
                        self.record.report.stopped.get_or_insert(Stopped::Client);
                    }
                    return goes;
                }
                Err(refused) => Answer::Error(refused),
            },
            // The clients begin sessions themselves.
            Request::Channel {} => return Goes::On,
        };
        self.clients.answer(key, &answer);
        Goes::On
    }

    /// A client asks for the end, and learns when it has come.
    fn stop_for(&mut self, by: Asker, patience: Option<Duration>) -> Goes {
        let how = if patience == Some(Duration::ZERO) { How::Kill } else { How::Stop };
        self.note(Event::StopAsked(StopAsked { by, how }));
        self.record.report.stopped.get_or_insert(Stopped::Client);
        if how == How::Kill {
            return Goes::ToItsEnd;
        }
        self.clock.ask_to_end(&mut self.session, &self.record, patience);
        Goes::On
    }

    /// Sends the guest's program a signal; where nobody in the guest can be reached, SIGKILL is for the guest itself.
    fn send_signal(&mut self, number: u8) -> Result<Goes, Failure> {
        let signal = Signal::new(number).ok_or_else(|| failure(&Refusal::Signal(number)))?;
        match self.channel.signal(signal) {
            Ok(()) => Ok(Goes::On),
            Err(_) if number == KILL => Ok(Goes::ToItsEnd),
            Err(why) => Err(failure(&Refusal::NoChannel(why))),
        }
    }
}

/// What becomes of the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goes {
    On,
    /// It is to be killed.
    ToItsEnd,
}
