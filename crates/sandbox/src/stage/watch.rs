//! Watches the scripts while they run: their calls, time, memory of all processes together, and room on the disk.

use std::fs::File;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};

use super::doing;
use super::memory::Memory;
use super::script_lines::ScriptLines;
use super::supervisor::{MOST_DEVICES, Supervisor};
use crate::memory_group;
use crate::options::MemoryBound;
use crate::protocol::{Answer, Ending, Limit, Outcome, Report, Setup};
use crate::tree::Changed;
use crate::wire::{Channel, receive_files};

/// How often it is looked.
const INTERVAL: Duration = Duration::from_millis(50);

/// The part of a file system that scripts leave free, and its bounds in bytes.
const RESERVE_PART: u64 = 50;
/// The same for files, in numbers.
const RESERVE_FILES: std::ops::RangeInclusive<u64> = 256..=65_536;
const RESERVE: std::ops::RangeInclusive<u64> = (16 << 20)..=(1 << 30);

/// Scripts that run.
pub struct Watch<'a> {
    /// The line to init.
    pub init: &'a mut Channel,
    /// Init's number.
    pub pid: u32,
    /// Where init passes the file that tells of calls.
    pub calls: &'a UnixStream,
    /// What runs.
    pub setup: &'a Setup,
    /// Whether a shell follows.
    pub shell: bool,
    /// The work directory.
    pub place: BorrowedFd<'a>,
    /// What the scripts' cgroup tells, if they are in one.
    pub memory_events: Option<File>,
    /// The line to the caller.
    pub caller: &'a mut Channel,
    /// What the disk does not show.
    pub hidden: &'a mut Changed,
}

impl Watch<'_> {
    /// Waits until init has told how the last script ended, or the shell after it has, or a limit is reached. A shell has
    /// all the time that it wants.
    pub fn until_done(self) -> Result<Ending, String> {
        let Self { init, pid, calls, setup, shell, place, memory_events, caller, hidden } = self;
        let memory = if memory_events.is_some() { MemoryBound::Cgroup } else { MemoryBound::Sampled };
        let has_run_out = || memory_events.as_ref().is_some_and(has_run_out);
        let scripts = &setup.world.scripts;
        let (start, mut looked) = (Instant::now(), Instant::now());
        let (mut hidden, mut supervisor, mut lines) = (Some(hidden), None::<Supervisor>, None::<ScriptLines>);
        let mut sampled = Memory::default();
        let (mut current, mut ended, mut in_shell) = (0, Outcome::Done, false);
        let most = setup.world.limits.memory;
        let bounded = (memory == MemoryBound::Sampled).then_some(most);
        let taken = |sampled: &mut Memory, supervisor: Option<&mut Supervisor>| {
            sampled.below(pid, most).saturating_add(supervisor.map_or(0, Supervisor::memory_files))
        };
        loop {
            let refused = supervisor.as_ref().and_then(|supervisor| supervisor.refused.clone());
            let ending =
                |outcome| Ending { outcome, memory, line: lines.as_ref().and_then(ScriptLines::line), refused };
            if looked.elapsed() >= INTERVAL {
                looked = Instant::now();
                if caller.is_closed().map_err(doing("looking for the caller"))? {
                    return Err("the caller is gone".into());
                }
                let limit = if !in_shell && start.elapsed() > setup.world.limits.time {
                    Some(Limit::Time)
                } else if has_run_out()
                    || memory == MemoryBound::Sampled && taken(&mut sampled, supervisor.as_mut()) > most
                {
                    Some(Limit::Memory)
                } else if supervisor.as_ref().is_some_and(Supervisor::has_too_many_devices) {
                    Some(Limit::Devices(MOST_DEVICES))
                } else {
                    disk_limit(place)?
                };
                if let Some(limit) = limit {
                    return Ok(ending(Outcome::Limit { script: current, limit }));
                }
            }
            let News { call, report } = news(init, supervisor.as_ref())?;
            // What init has said before the call comes first: it may be that the caller is the next script.
            if !report {
                if let (true, Some(supervisor)) = (call, &mut supervisor) {
                    supervisor.answer(lines.as_mut());
                }
                continue;
            }
            let said = init.receive();
            // Init itself may be killed for want of memory, and how a script ends may come of that.
            if matches!(said, Err(_) | Ok(Report::Ended { .. })) && has_run_out() {
                return Ok(ending(Outcome::Limit { script: current, limit: Limit::Memory }));
            }
            match said.map_err(doing("waiting for the scripts"))? {
                Report::Told => {
                    let listener = receive_files(calls).map_err(doing("listening to the scripts"))?.pop();
                    supervisor =
                        listener.zip(hidden.take()).map(|(file, hidden)| Supervisor::new(file, pid, hidden, bounded));
                }
                Report::Began { script, file } => {
                    current = script;
                    lines = scripts.get(script).map(|script| ScriptLines::new(script, file, pid));
                }
                Report::Ended { script, status, signalled } => {
                    ended = match status {
                        0 => Outcome::Done,
                        signal if signalled => Outcome::Signal { script, signal },
                        code => Outcome::Exit { script, code },
                    };
                    if !shell && (status != 0 || script + 1 >= scripts.len()) {
                        return Ok(ending(ended));
                    }
                }
                Report::Shell => {
                    (current, in_shell) = (scripts.len(), true);
                    let ending = Answer::Shell(ending(ended.clone()));
                    caller.send_now(&ending).map_err(doing("telling how the scripts ended"))?;
                }
                Report::ShellEnded => return Ok(ending(ended)),
                Report::Failed(message) => return Err(message),
                Report::Unshared => return Err("init spoke out of turn".into()),
            }
        }
    }
}

/// What there is to read.
struct News {
    call: bool,
    report: bool,
}

fn news(init: &Channel, supervisor: Option<&Supervisor>) -> Result<News, String> {
    if init.has_buffered() {
        return Ok(News { call: false, report: true });
    }
    // In this order, as they are looked at one after the other: what init said before a call is there when the call is.
    let mut files: Vec<_> = supervisor
        .map(|supervisor| PollFd::from_borrowed_fd(supervisor.listener(), PollFlags::IN))
        .into_iter()
        .collect();
    files.push(PollFd::new(init.socket(), PollFlags::IN));
    let interval = Timespec { tv_sec: 0, tv_nsec: INTERVAL.subsec_nanos().into() };
    match rustix::event::poll(&mut files, Some(&interval)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(error) => return Err(doing("waiting for the scripts")(error)),
    }
    let report = files.pop().is_some_and(|init| !init.revents().is_empty());
    let call = files.pop().is_some_and(|listener| listener.revents().intersects(PollFlags::IN));
    Ok(News { call, report })
}

fn disk_limit(place: BorrowedFd) -> Result<Option<Limit>, String> {
    let disk = rustix::fs::fstatvfs(place).map_err(doing("looking at the work directory's disk"))?;
    let reserve = disk.f_blocks.saturating_mul(disk.f_frsize) / RESERVE_PART;
    let reserve = reserve.clamp(*RESERVE.start(), *RESERVE.end());
    if disk.f_bavail.saturating_mul(disk.f_frsize) < reserve {
        return Ok(Some(Limit::Disk(reserve)));
    }
    // File systems that make room for files as they come say that they have none.
    let files = (disk.f_files / RESERVE_PART).clamp(*RESERVE_FILES.start(), *RESERVE_FILES.end());
    Ok((disk.f_files > 0 && disk.f_favail < files).then_some(Limit::Files(files)))
}

/// Whether the kernel has killed a process of a cgroup.
fn has_run_out(events: &File) -> bool {
    let mut text = [0; 512];
    let length = events.read_at(&mut text, 0).unwrap_or(0);
    memory_group::has_run_out(&String::from_utf8_lossy(&text[..length]))
}
