//! Watches the scripts while they run: time, memory of all processes together, and room on the disk.

use std::os::fd::BorrowedFd;
use std::process::Child;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};

use super::doing;
use crate::protocol::{Answer, Limit, Outcome, Report, Setup};
use crate::wire::Channel;

/// How often it is looked.
const INTERVAL: Duration = Duration::from_millis(50);

/// The part of a file system that scripts leave free, and its bounds in bytes.
const RESERVE_PART: u64 = 50;
const RESERVE: std::ops::RangeInclusive<u64> = (16 << 20)..=(1 << 30);

/// Waits until init has told how the last script ended, or the shell after it has, or a limit is reached. A shell has all
/// the time that it wants.
pub fn until_done(
    init: &mut Channel,
    child: &Child,
    setup: &Setup,
    shell: bool,
    place: BorrowedFd,
    caller: &mut Channel,
) -> Result<Outcome, String> {
    let start = Instant::now();
    let (mut current, mut ended, mut in_shell) = (0, Outcome::Done, false);
    loop {
        if !has_news(init)? {
            if caller.is_closed().map_err(doing("looking for the caller"))? {
                return Err("the caller is gone".into());
            }
            let limit = if !in_shell && start.elapsed() > setup.world.limits.time {
                Some(Limit::Time)
            } else if memory_below(child.id()) > setup.world.limits.memory {
                Some(Limit::Memory)
            } else {
                disk_limit(place)?
            };
            match limit {
                Some(limit) => return Ok(Outcome::Limit { script: current, limit }),
                None => continue,
            }
        }
        match init.receive().map_err(doing("waiting for the scripts"))? {
            Report::Began(script) => current = script,
            Report::Ended { script, status, signalled } => {
                ended = match status {
                    0 => Outcome::Done,
                    signal if signalled => Outcome::Signal { script, signal },
                    code => Outcome::Exit { script, code },
                };
                if !shell && (status != 0 || script + 1 >= setup.world.scripts.len()) {
                    return Ok(ended);
                }
            }
            Report::Shell => {
                (current, in_shell) = (setup.world.scripts.len(), true);
                caller.send_now(&Answer::Shell(ended.clone())).map_err(doing("telling how the scripts ended"))?;
            }
            Report::ShellEnded => return Ok(ended),
            Report::Failed(message) => return Err(message),
            Report::Unshared => return Err("init spoke out of turn".into()),
        }
    }
}

fn has_news(init: &Channel) -> Result<bool, String> {
    if init.has_buffered() {
        return Ok(true);
    }
    let mut sockets = [PollFd::new(init.socket(), PollFlags::IN)];
    let interval = Timespec { tv_sec: 0, tv_nsec: INTERVAL.subsec_nanos().into() };
    match rustix::event::poll(&mut sockets, Some(&interval)) {
        Ok(ready) => Ok(ready > 0),
        Err(rustix::io::Errno::INTR) => Ok(false),
        Err(error) => Err(doing("waiting for the scripts")(error)),
    }
}

/// The memory that a process and all its descendants have to themselves, in bytes. Orphans are init's children, so that
/// nobody is missed.
fn memory_below(pid: u32) -> u64 {
    let mut pending = vec![pid.to_string()];
    let mut sum: u64 = 0;
    while let Some(pid) = pending.pop() {
        sum = sum.saturating_add(memory_of(&pid));
        for task in std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            pending.extend(children.split_ascii_whitespace().map(str::to_owned));
        }
    }
    sum
}

/// 0 for a process that has just ended.
fn memory_of(pid: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let counted = |line: &&str| line.starts_with("RssAnon:") || line.starts_with("RssShmem:");
    let kibibytes = |line: &str| line.split_ascii_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok());
    status.lines().filter(counted).filter_map(kibibytes).fold(0, u64::saturating_add).saturating_mul(1024)
}

fn disk_limit(place: BorrowedFd) -> Result<Option<Limit>, String> {
    let disk = rustix::fs::fstatvfs(place).map_err(doing("looking at the work directory's disk"))?;
    let reserve = disk.f_blocks.saturating_mul(disk.f_frsize) / RESERVE_PART;
    let reserve = reserve.clamp(*RESERVE.start(), *RESERVE.end());
    Ok((disk.f_bavail.saturating_mul(disk.f_frsize) < reserve).then_some(Limit::Disk(reserve)))
}
