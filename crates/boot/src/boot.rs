//! A boot, from the files to the report.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use nex_contract::Document;
use nex_diagnose::console::{AGENT_SILENT, End, Explanation, Known, explain};
use nex_fault::Note;
use nex_guest::{Description, Session, Setup, Step, VmmReport, Waker, Way, deadline};
use nex_inspect::RootFs;
use nex_protocol::Role;
use nex_vmm::{Architecture, Ending, Interrupt};

use crate::codes;
use crate::error::Error;
use crate::keyboard::Keyboard;
use crate::options::Options;
use crate::prepare::prepare;
use crate::ready::{Readiness, ReadyWhen};
use crate::report::{
    AgentReport, EndReport, GuestClock, InitramfsReport, KernelReport, MemoryReport, Outcome, PhaseReport, ReadyBy,
    Report, VerityReport, role_name, unchecked,
};

/// How long a guest may take to end after Ctrl-Alt-Del: an init stops its services before.
const LAST_WORDS: Duration = Duration::from_secs(15);

/// How long the console of a guest has to be silent before it is ended where nobody can type any more: what was typed last is answered
/// by then, as a rule.
const SILENCE: Duration = Duration::from_secs(5);

/// How often to look up from a guest that is kept.
const A_LONG_TIME: Duration = Duration::from_secs(3600);
/// The most that is kept of a console, in bytes.
const CONSOLE: usize = 64 << 20;

/// Who looks on.
pub trait Watcher {
    /// A VMM has started the guest.
    fn started(&mut self, vmm: &VmmReport);

    /// The guest has written to its console.
    fn console(&mut self, bytes: &[u8]);

    /// What the guest gets to read: the user's terminal. Only asked for an interactive boot.
    fn keyboard(&self) -> Option<BorrowedFd<'_>>;

    /// Reads what was typed. 0 at the end.
    ///
    /// # Errors
    /// When the terminal is gone.
    fn read_keyboard(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Nobody can type any more, and the guest is ended for that.
    fn unattended(&mut self);

    /// Becomes readable when the boot shall be given up.
    fn interrupt(&self) -> BorrowedFd<'_>;
}

/// Boots a root filesystem, and waits until it is ready. `None` when it was interrupted.
///
/// # Errors
/// When there is no guest to report on.
pub fn boot(options: &Options, watcher: &mut dyn Watcher) -> Result<Option<Report>, Error> {
    let setup = prepare(options)?;
    let session = match setup.start(&options.vmm, Interrupt::by(watcher.interrupt())) {
        Err(error) if error.is_interrupted() => return Ok(None),
        session => session?,
    };
    let mut attempt = Attempt::new(options, session);
    attempt.tell(watcher);
    let Some(outcome) = attempt.watch(watcher)? else { return Ok(None) };
    let Some(end) = attempt.end(outcome, watcher)? else { return Ok(None) };
    attempt.session.clear();
    Ok(Some(attempt.report(&setup, outcome, end)))
}

/// What a boot would start its guest with, in the words of the VMM that would be chosen. Nothing is started.
///
/// # Errors
/// When there would be no guest.
pub fn describe(options: &Options) -> Result<Description, Error> {
    Ok(prepare(options)?.describe(&options.vmm)?)
}

/// One guest.
struct Attempt<'a> {
    options: &'a Options,
    session: Session,
    readiness: Readiness<'a>,
    keyboard: Keyboard,
    /// What was typed and the guest has not taken yet.
    typed: Vec<u8>,
    /// Whether anybody types.
    has_keyboard: bool,
    /// Since when an interactive guest is ready and nobody types, and when it wrote last.
    unattended: Option<Unattended>,
    /// All that the guest has written, up to [`CONSOLE`] bytes.
    console: Vec<u8>,
    peak_memory: Option<u64>,
    /// How the guest has ended.
    end: Option<EndReport>,
    /// The VMM's own words, when it failed.
    said: Option<String>,
}

impl<'a> Attempt<'a> {
    fn new(options: &'a Options, session: Session) -> Self {
        Self {
            options,
            session,
            readiness: Readiness::new(&options.ready),
            keyboard: Keyboard::default(),
            typed: Vec::new(),
            has_keyboard: options.interactive,
            unattended: None,
            console: Vec::new(),
            peak_memory: None,
            end: None,
            said: None,
        }
    }

    /// Says who runs the guest.
    fn tell(&self, watcher: &mut dyn Watcher) {
        watcher.started(&VmmReport::of(&self.session));
    }

    fn is_ready(&self) -> bool {
        self.readiness.shown().is_some()
    }

    /// Follows the guest until it is clear what comes of it. `None` when interrupted.
    fn watch(&mut self, watcher: &mut dyn Watcher) -> Result<Option<Outcome>, Error> {
        // A time after which it is ready is as long as it may take.
        let time = self.readiness.after().unwrap_or(self.options.timeout);
        let mut until_ready = deadline(Instant::now(), time);
        loop {
            // Who sits before the guest decides when it has taken too long.
            let is_kept = self.options.interactive && self.is_ready();
            let until = if is_kept { self.until_nobody_waits() } else { self.readiness.until(until_ready) };
            if is_kept && Instant::now() >= until {
                watcher.unattended();
                return Ok(Some(Outcome::Ready));
            }
            match self.step(watcher, until)? {
                Happened::Console => self.readiness.look_at_the_time(&self.session),
                Happened::Restart => until_ready = deadline(Instant::now(), time),
                Happened::Nothing => self.readiness.look_at_the_time(&self.session),
                Happened::Interrupt => return Ok(None),
                Happened::Quit => return Ok(Some(self.outcome(Outcome::Quit))),
                Happened::End => return Ok(Some(self.outcome(Outcome::Ended))),
            }
            if self.is_ready() && !self.options.interactive {
                return Ok(Some(Outcome::Ready));
            }
            // Who writes without end is late, as who writes nothing.
            if !self.is_ready() && Instant::now() >= until_ready {
                self.readiness.look_at_the_rest(&self.session);
                if self.is_ready() {
                    continue;
                }
                return Ok(Some(Outcome::Timeout));
            }
        }
    }

    /// When a guest that is kept has to end: where nobody can type any more, nobody else ends it.
    fn until_nobody_waits(&mut self) -> Instant {
        let now = Instant::now();
        if self.has_keyboard {
            return now + A_LONG_TIME;
        }
        let unattended = self.unattended.get_or_insert(Unattended { since: now, last_word: now });
        let latest = deadline(unattended.since, self.options.timeout);
        // What was typed before is still to be answered.
        if self.typed.is_empty() { latest.min(unattended.last_word + SILENCE) } else { latest }
    }

    /// Whatever came after the guest was ready, the boot was a success.
    fn outcome(&self, otherwise: Outcome) -> Outcome {
        if self.is_ready() { Outcome::Ready } else { otherwise }
    }

    /// Ends the guest: asks it to, where it is up, and kills it where that does not help. `None` when interrupted.
    fn end(&mut self, outcome: Outcome, watcher: &mut dyn Watcher) -> Result<Option<EndReport>, Error> {
        if outcome == Outcome::Ready && self.end.is_none() {
            let ends = self.session.guest().press_ctrl_alt_del().is_ok() || self.ends_by_itself();
            let deadline = Instant::now() + LAST_WORDS;
            self.has_keyboard = false;
            // Where nothing would end it, it is killed below.
            while ends && self.end.is_none() && Instant::now() < deadline {
                match self.step(watcher, deadline)? {
                    Happened::Nothing => break,
                    Happened::Interrupt => return Ok(None),
                    Happened::Console | Happened::Restart | Happened::End | Happened::Quit => {}
                }
            }
        }
        self.note_memory();
        if self.end.is_none() {
            self.session.guest().kill();
        }
        Ok(Some(self.end.unwrap_or(EndReport::Killed)))
    }

    /// Whether the agent ends the machine without being asked, which a service cannot.
    fn ends_by_itself(&self) -> bool {
        let stages = self.session.stages();
        let is_init = stages.ready.as_ref().is_some_and(|(_, ready)| ready.role == Role::Init);
        is_init && !self.options.interactive && self.session.machine().architecture == Architecture::Aarch64
    }

    fn step(&mut self, watcher: &mut dyn Watcher, deadline: Instant) -> Result<Happened, Error> {
        /// The interrupt stands before the keyboard.
        const INTERRUPT: usize = 0;
        self.deliver();
        let step = {
            let keyboard = watcher.keyboard().filter(|_| self.has_keyboard);
            let wakers: Vec<_> = [Some(watcher.interrupt()), keyboard].into_iter().flatten().map(Waker::read).collect();
            self.session.step(&wakers, deadline)?
        };
        match step {
            Step::Deadline => Ok(Happened::Nothing),
            Step::Woken(woken) if woken.contains(&INTERRUPT) => Ok(Happened::Interrupt),
            Step::Woken(_) => Ok(self.type_in(watcher)),
            Step::Restarted => {
                self.console.clear();
                self.readiness = Readiness::new(&self.options.ready);
                self.tell(watcher);
                Ok(Happened::Restart)
            }
            Step::Console { bytes, items } => {
                self.readiness.take(&bytes, &items, &self.session);
                watcher.console(&bytes);
                if let Some(unattended) = &mut self.unattended {
                    unattended.last_word = Instant::now();
                }
                self.record_console(&bytes);
                // When the guest has ended, there is nothing to ask any more.
                self.note_memory();
                Ok(Happened::Console)
            }
            Step::Ended { items, status, ending } => {
                self.readiness.take(b"", &items, &self.session);
                self.readiness.look_at_the_rest(&self.session);
                if !status.success() {
                    self.said = Some(self.session.guest().said()).filter(|said| !said.is_empty());
                }
                self.end = Some(match ending {
                    Ending::PoweredOff => EndReport::PoweredOff,
                    Ending::Reset => EndReport::Reset,
                    Ending::Unknown => EndReport::Ended,
                });
                Ok(Happened::End)
            }
        }
    }

    /// A console that is longer than anybody reads is cut.
    fn record_console(&mut self, bytes: &[u8]) {
        let room = CONSOLE.saturating_sub(self.console.len());
        self.console.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    fn type_in(&mut self, watcher: &mut dyn Watcher) -> Happened {
        let mut buffer = [0; 1024];
        let Some(keys) = watcher.read_keyboard(&mut buffer).ok().and_then(|count| buffer.get(..count)) else {
            self.has_keyboard = false;
            return Happened::Console;
        };
        // A terminal that is closed types nothing any more.
        self.has_keyboard = !keys.is_empty();
        let typed = self.keyboard.take(keys);
        self.typed.extend(typed.bytes);
        if typed.quit { Happened::Quit } else { Happened::Console }
    }

    /// Gives the guest what was typed, as far as it takes it; the rest at the next step.
    fn deliver(&mut self) {
        while !self.typed.is_empty() {
            match self.session.guest().write_console(&self.typed) {
                Ok(0) => break,
                Ok(taken) => drop(self.typed.drain(..taken)),
                // Its end is noticed elsewhere.
                Err(_) => self.typed.clear(),
            }
        }
    }

    fn note_memory(&mut self) {
        self.peak_memory = self.session.guest().peak_memory().max(self.peak_memory);
    }

    fn report(self, setup: &Setup, outcome: Outcome, end: EndReport) -> Report {
        let kernel = &setup.kernel;
        let (stages, choice, machine) = (self.session.stages(), self.session.choice(), self.session.machine());
        let ready = stages.ready.as_ref();
        let shown = self.readiness.shown();
        let explanation = (outcome != Outcome::Ready).then(|| self.explain(end)).flatten();
        // Whoever sealed it thinks that the kernel checks it.
        let is_unchecked = self.options.machine.verity.is_none() && self.root().is_some_and(|root| root.has_verity());
        let unchecked = is_unchecked.then(unchecked);
        let stage = |name, time: Option<Duration>| time.map(|time| PhaseReport { name, seconds: time.as_secs_f64() });
        let reached = [
            stage("kernel", stages.kernel),
            stage("init", stages.init),
            stage("agent", ready.map(|(time, _)| *time)),
            stage("ready", shown.filter(|(by, _)| *by != ReadyBy::Agent).map(|(_, time)| time)),
        ];
        Report {
            schema_version: Document::Boot.schema_version(),
            file: self.options.root.path().display().to_string(),
            ready: shown.is_some(),
            code: shown.is_none().then(|| codes::NOT_READY.id()),
            ready_by: shown.map(|(by, _)| by),
            ready_line: self.readiness.line(),
            outcome,
            agent: ready.map(|(_, ready)| AgentReport {
                version: ready.version.clone(),
                role: role_name(ready.role),
                way: self.session.way().unwrap_or(Way::Console),
            }),
            failure: stages.failure.clone(),
            explanation,
            vmm: VmmReport::of(&self.session),
            verity: setup.verity.as_ref().map(|verity| VerityReport { root_hash: verity.root_hash.to_string() }),
            kernel: KernelReport {
                path: kernel.path.display().to_string(),
                release: kernel.release.clone(),
                architecture: kernel.architecture.name(),
                command_line: self.session.command_line(),
                initramfs: kernel
                    .made_initramfs()
                    .map(|bytes| InitramfsReport { modules: kernel.modules.clone(), bytes }),
            },
            vcpus: machine.vcpus,
            memory: MemoryReport { given: u64::from(machine.memory_mib) << 20, peak: self.peak_memory },
            stages: reached.into_iter().flatten().collect(),
            guest_clock: GuestClock {
                init_ms: stages.init_ms,
                agent_start_ms: ready.map(|(_, ready)| ready.start_ms),
                ready_ms: ready.map(|(_, ready)| ready.uptime_ms),
            },
            end,
            notes: unchecked
                .into_iter()
                .chain(self.said.iter().map(|said| Note::new(format!("{} failed: {said}", choice.vmm.name()))))
                .collect(),
        }
    }

    /// The root filesystem, where it can be read.
    fn root(&self) -> Option<RootFs> {
        self.options.root.read().ok()
    }

    /// Why the guest was not ready; `None` when that is only that an agent did not report, and nobody waited for one.
    fn explain(&self, end: EndReport) -> Option<Explanation> {
        let root = self.root();
        let end = if end == EndReport::Killed { End::Stopped } else { End::Itself };
        let command_line = self.session.command_line();
        let known = Known { image: root.as_ref(), command_line: Some(command_line.as_bytes()), end: Some(end) };
        let explanation = explain(&self.console, &known);
        let is_silence = explanation.cause.as_ref().is_some_and(|cause| cause.finding.id == AGENT_SILENT.id);
        let waits_for_agent = matches!(self.options.ready, ReadyWhen::Agent);
        (waits_for_agent || !is_silence).then_some(explanation)
    }
}

/// A guest that is kept, and nobody types.
struct Unattended {
    since: Instant,
    last_word: Instant,
}

/// What has happened at a step.
enum Happened {
    Console,
    Restart,
    Nothing,
    Interrupt,
    Quit,
    End,
}
