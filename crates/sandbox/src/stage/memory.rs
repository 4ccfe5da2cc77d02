//! The memory that the scripts' processes take, by what the kernel tells of each.

use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::time::Instant;

use rustix::fs::FileType;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags};

use crate::sys;

/// What the kernel keeps for an open file at least: the file itself, its inode, its name.
const OPEN_FILE: u64 = 1 << 10;

/// What may wait in a pipe or a socket at most, or nearly so: the kernel's `pipe-max-size`, and more than twice its `wmem_max`.
const WAITING: u64 = 1 << 20;

/// The part of the time that looking at open files may take: one in so many.
const PART: u32 = 10;

/// Looks at the processes again and again.
#[derive(Default)]
pub struct Memory {
    /// When open files may be looked at again.
    next: Option<Instant>,
    /// What was in them.
    waiting: u64,
}

impl Memory {
    /// The memory that a process and all its descendants have, in bytes. Orphans are init's children, so that nobody is
    /// missed. What waits in pipes and sockets counts too, once there are so many that they could take it past the limit.
    pub fn below(&mut self, init: u32, limit: u64) -> u64 {
        let processes = processes_below(init);
        let statuses: Vec<_> = processes.iter().map(|pid| Status::of(pid)).collect();
        let own = statuses.iter().map(|status| status.memory).fold(0, u64::saturating_add);
        let files = statuses.iter().map(|status| status.files).fold(0, u64::saturating_add);
        let own = own.saturating_add(files.saturating_mul(OPEN_FILE));
        if own.saturating_add(files.saturating_mul(WAITING)) <= limit {
            self.waiting = 0;
        } else if self.next.is_none_or(|next| Instant::now() >= next) {
            let start = Instant::now();
            self.waiting = waiting(&processes, limit);
            self.next = Some(Instant::now() + start.elapsed() * PART);
        }
        own.saturating_add(self.waiting)
    }
}

/// The numbers of a process and of all below it.
fn processes_below(init: u32) -> Vec<String> {
    let mut processes = vec![init.to_string()];
    let mut seen = 0;
    while let Some(pid) = processes.get(seen) {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task"));
        for task in tasks.into_iter().flatten().flatten() {
            let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            processes.extend(children.split_ascii_whitespace().map(str::to_owned));
        }
        seen += 1;
    }
    processes
}

/// What `/proc/PID/status` tells.
#[derive(Default)]
struct Status {
    /// Memory that no file on a disk stands behind, in bytes.
    memory: u64,
    /// Files that may be open.
    files: u64,
}

impl Status {
    /// Nothing for a process that has just ended.
    fn of(pid: &str) -> Self {
        let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let mut status = Self::default();
        for (field, value) in text.lines().filter_map(|line| line.split_once(':')) {
            let number = || value.split_ascii_whitespace().next().and_then(|number| number.parse::<u64>().ok());
            match field {
                "RssAnon" | "RssShmem" => {
                    status.memory = status.memory.saturating_add(number().unwrap_or(0).saturating_mul(1024));
                }
                // The room for them, which only grows.
                "FDSize" => status.files = number().unwrap_or(0),
                _ => {}
            }
        }
        // How many there are, from Linux 6.2 on.
        let counted = std::fs::metadata(format!("/proc/{pid}/fd")).map_or(0, |directory| directory.len());
        if counted > 0 {
            status.files = counted;
        }
        status
    }
}

/// What waits in the pipes and sockets of these processes, up to where it is past the limit.
fn waiting(processes: &[String], limit: u64) -> u64 {
    let (mut seen, mut sum) = (BTreeSet::new(), 0u64);
    for pid in processes {
        let number = pid.parse().ok().and_then(Pid::from_raw);
        let Some(handle) = number.and_then(|pid| rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok()) else {
            continue;
        };
        for entry in std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten() {
            let Some(descriptor) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let file = rustix::process::pidfd_getfd(&handle, descriptor, PidfdGetfdFlags::empty());
            sum = sum.saturating_add(file.map_or(0, |file| waiting_in(&file, &mut seen)));
            if sum > limit {
                return sum;
            }
        }
    }
    sum
}

/// What waits in a pipe or a socket that was not seen yet.
fn waiting_in(file: &OwnedFd, seen: &mut BTreeSet<(u64, u64)>) -> u64 {
    let Ok(stat) = rustix::fs::fstat(file) else { return 0 };
    let kind = FileType::from_raw_mode(stat.st_mode);
    if !matches!(kind, FileType::Fifo | FileType::Socket) || !seen.insert((stat.st_dev, stat.st_ino)) {
        return 0;
    }
    match kind {
        // A page may have one byte in it.
        FileType::Fifo if rustix::io::ioctl_fionread(file).is_ok_and(|bytes| bytes > 0) => {
            rustix::pipe::fcntl_getpipe_size(file).map_or(0, |size| size as u64)
        }
        FileType::Socket => sys::socket_memory(file),
        _ => 0,
    }
}

/// Bounds the memory that processes map together without a file. A process may tell the kernel that it does not need what it
/// has written there, and give no page of it back: nothing tells then how much there is.
#[derive(Default)]
pub struct SharedMappings {
    granted: u64,
}

impl SharedMappings {
    /// Whether processes below init may map so many bytes more.
    pub fn grant(&mut self, bytes: u64, init: u32, limit: u64) -> bool {
        let fits = |granted: u64| granted.checked_add(bytes).filter(|sum| *sum <= limit);
        if fits(self.granted).is_none() && !processes_below(init).iter().any(|pid| has_shared_mapping(pid)) {
            self.granted = 0;
        }
        match fits(self.granted) {
            Some(sum) => {
                self.granted = sum;
                true
            }
            None => false,
        }
    }
}

/// As the kernel names such mappings.
fn has_shared_mapping(pid: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default().contains("/dev/zero (deleted)")
}
