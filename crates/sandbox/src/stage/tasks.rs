//! The processes of the scripts and their threads, by what `/proc` tells.
//!
//! A process lives as long as one of its threads does, also after the first one has ended: `/proc/PID` tells nothing of its memory
//! and its open files then. So whatever belongs to a process is asked of its threads, by their own directories.

use std::io;

use rustix::io::Errno;

use crate::sys::{self, Common};

/// A process.
pub struct Process {
    /// Its number, which is that of its first thread.
    pub pid: u32,
    /// Its threads, the first one first.
    pub threads: Vec<u32>,
}

impl Process {
    /// A process and all below it.
    pub fn below(init: u32) -> Vec<Self> {
        let mut found = Vec::new();
        Self::each_below(init, |process| found.push(process));
        found
    }

    /// Gives a process and all below it, each as soon as it is known: the next moment it may be another one. Orphans are init's
    /// children, so that nobody is missed.
    pub fn each_below(init: u32, mut give: impl FnMut(Self)) {
        let mut waiting = vec![init];
        while let Some(pid) = waiting.pop() {
            let numbers = |text: &str| text.split_ascii_whitespace().filter_map(|number| number.parse().ok()).collect();
            let names = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
            let threads: Vec<u32> = names.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
            give(Self { pid, threads: threads.clone() });
            for thread in &threads {
                let children = std::fs::read_to_string(format!("/proc/{pid}/task/{thread}/children"));
                waiting.append(&mut numbers(&children.unwrap_or_default()));
            }
        }
    }

    /// The first answer that a thread gives: those that have ended give none.
    pub fn find<T>(&self, ask: impl FnMut(&u32) -> Option<T>) -> Option<T> {
        self.threads.iter().find_map(ask)
    }

    /// Threads with tables of open files that were not seen yet: each table once. Threads share one, unless they were made
    /// otherwise or have asked for their own.
    pub fn tables<'a>(&'a self, seen: &'a mut Distinct) -> impl Iterator<Item = u32> + 'a {
        // Where the kernel does not compare, the first thread stands for all; where it does not let us, each for itself.
        let may_be_new =
            |thread, error: &io::Error| thread == self.pid || error.kind() == io::ErrorKind::PermissionDenied;
        let is_new = move |thread: &u32| seen.is_new(*thread).unwrap_or_else(|error| may_be_new(*thread, &error));
        self.threads.iter().copied().filter(is_new)
    }
}

/// Tables of open files, or memories, each by a thread that has it, in the kernel's order.
pub struct Distinct {
    by: Common,
    threads: Vec<u32>,
}

impl Distinct {
    /// None yet.
    pub fn new(by: Common) -> Self {
        Self { by, threads: Vec::new() }
    }

    /// Notes what a thread has. Gives whether it is a new one; one that ends meanwhile may seem to be.
    ///
    /// # Errors
    /// When it may not be looked at, or the kernel does not compare.
    pub fn is_new(&mut self, thread: u32) -> io::Result<bool> {
        let mut failed = None;
        let found = self.threads.binary_search_by(|other| {
            sys::compare_threads(*other, thread, self.by).unwrap_or_else(|error| {
                failed = Some(error);
                std::cmp::Ordering::Equal
            })
        });
        match (failed, found) {
            (Some(error), _) if Errno::from_io_error(&error) == Some(Errno::SRCH) => Ok(true),
            (Some(error), _) => Err(error),
            (None, Ok(_)) => Ok(false),
            (None, Err(place)) => {
                self.threads.insert(place, thread);
                Ok(true)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn each_table_is_seen_once() {
        let (tell, told) = mpsc::channel();
        let (end, ends) = mpsc::channel::<()>();
        let sharing = std::thread::spawn(move || {
            tell.send(rustix::thread::gettid()).unwrap();
            ends.recv().ok();
        });
        let mut other = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let (me, same) = (std::process::id(), told.recv().unwrap().as_raw_nonzero().get().cast_unsigned());
        let process = Process::below(me).into_iter().find(|process| process.pid == me).unwrap();
        assert!(process.threads.contains(&same) && process.threads[0] == me);
        let mut tables = Distinct::new(Common::OpenFiles);
        assert_eq!(process.tables(&mut tables).collect::<Vec<_>>(), [me]);
        let child = Process::below(me).into_iter().find(|process| process.pid == other.id()).unwrap();
        assert_eq!(child.tables(&mut tables).collect::<Vec<_>>(), [other.id()]);
        assert_eq!(child.tables(&mut tables).count(), 0);
        drop((end, other.stdin.take()));
        other.wait().unwrap();
        sharing.join().unwrap();
    }
}
