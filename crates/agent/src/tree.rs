//! All that runs for a stream of the channel: a program and what it has started, to be killed together.
//!
//! Where the kernel has control groups (version 2), each tree is one. No process leaves it that is not root's, and `cgroup.kill` (since
//! Linux 5.14) kills them all at once. Elsewhere a tree is the program's session and its descendants; a process that has a session of
//! its own and whose parents have ended is none of them any more.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::libc::O_CLOEXEC;
use rustix::process::{Pid, Signal, kill_process};

/// How often to look for processes that those have started which are being killed one by one.
const ROUNDS: usize = 16;

/// Where trees grow.
#[derive(Debug)]
pub struct Trees {
    /// The directory of their control groups; none without those.
    directory: Option<PathBuf>,
    count: u64,
    /// Groups of trees that nobody needs any more, where something may run on.
    left: Vec<PathBuf>,
}

/// A program's tree.
#[derive(Debug)]
pub struct Tree {
    group: Option<Group>,
}

#[derive(Debug)]
struct Group {
    path: PathBuf,
    /// A process that writes 0 to it joins.
    entrance: OwnedFd,
}

impl Trees {
    /// Trees in control groups below one of this name in another, where that is one of version 2.
    pub fn new(root: &Path, name: &str) -> Self {
        let directory = Some(root.join(name)).filter(|_| root.join("cgroup.controllers").exists());
        Self { directory, count: 0, left: Vec::new() }
    }

    /// A tree without processes.
    pub fn grow(&mut self) -> Tree {
        self.tidy();
        self.count += 1;
        let group = self.directory.as_ref().and_then(|directory| {
            let path = directory.join(self.count.to_string());
            fs::create_dir_all(&path).ok()?;
            let mut options = OpenOptions::new();
            let entrance = options.write(true).custom_flags(O_CLOEXEC).open(path.join("cgroup.procs")).ok()?;
            Some(Group { path, entrance: entrance.into() })
        });
        Tree { group }
    }

    /// Forgets a tree whose program has ended. What it has left behind runs on.
    pub fn leave(&mut self, tree: Tree) {
        self.left.extend(tree.group.map(|group| group.path));
        self.tidy();
    }

    /// Removes the groups of trees in which nothing runs any more: others the kernel keeps.
    fn tidy(&mut self) {
        self.left.retain(|path| fs::remove_dir(path).is_err() && path.exists());
    }
}

impl Tree {
    /// Where a new process has to write 0 to be a part of it.
    pub fn entrance(&self) -> Option<BorrowedFd<'_>> {
        self.group.as_ref().map(|group| group.entrance.as_fd())
    }

    /// The same tree elsewhere, and one without processes here.
    pub fn take(&mut self) -> Self {
        Self { group: self.group.take() }
    }

    /// Kills everything in it. The program's first process is named as long as it is not reaped: it leads the session.
    pub fn kill(&self, leader: Option<Pid>) {
        match (&self.group, leader) {
            (Some(group), _) => group.kill(),
            (None, Some(leader)) => kill_again(|| descendants(leader)),
            (None, None) => {}
        }
    }
}

impl Group {
    fn kill(&self) {
        if fs::write(self.path.join("cgroup.kill"), "1").is_err() {
            kill_again(|| {
                let listed = fs::read_to_string(self.path.join("cgroup.procs")).unwrap_or_default();
                listed.lines().filter_map(|line| line.parse().ok()).collect()
            });
        }
    }
}

/// Kills what is found until nothing new is: those that run may start others meanwhile.
fn kill_again(find: impl Fn() -> BTreeSet<i32>) {
    let mut killed = BTreeSet::new();
    for _ in 0..ROUNDS {
        let found = find();
        if found.is_subset(&killed) {
            return;
        }
        for pid in found.iter().filter_map(|pid| Pid::from_raw(*pid)) {
            let _ = kill_process(pid, Signal::KILL);
        }
        killed.extend(found);
    }
}

/// A process and all below it or in its session.
fn descendants(leader: Pid) -> BTreeSet<i32> {
    let leader = leader.as_raw_nonzero().get();
    let processes: Vec<Stat> = fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(Stat::of).collect();
    let mut found = BTreeSet::from([leader]);
    loop {
        let is_new = |process: &&Stat| {
            !found.contains(&process.pid) && (process.session == leader || found.contains(&process.parent))
        };
        let new: Vec<i32> = processes.iter().filter(is_new).map(|process| process.pid).collect();
        if new.is_empty() {
            return found;
        }
        found.extend(new);
    }
}

/// What the kernel says of a process (proc_pid_stat(5)).
struct Stat {
    pid: i32,
    parent: i32,
    session: i32,
}

impl Stat {
    fn of(entry: fs::DirEntry) -> Option<Self> {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        Self::parse(pid, &String::from_utf8_lossy(&fs::read(entry.path().join("stat")).ok()?))
    }

    /// The name before the last parenthesis may hold anything.
    fn parse(pid: i32, text: &str) -> Option<Self> {
        let (_, fields) = text.rsplit_once(')')?;
        let mut numbers = fields.split_ascii_whitespace().skip(1).map_while(|field| field.parse().ok());
        let (parent, _group, session) = (numbers.next()?, numbers.next()?, numbers.next()?);
        Some(Self { pid, parent, session })
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::Command;
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_name_does_not_lie_about_the_parent() {
        let stat = Stat::parse(7, "7 (a) S 1 (b) S 3 4 5 0").expect("a process");
        assert_eq!((stat.parent, stat.session), (3, 5));
        assert!(Stat::parse(7, "7 (a) S 3").is_none() && Stat::parse(7, "").is_none());
    }

    #[test]
    fn without_control_groups_a_session_and_its_descendants_are_a_tree() {
        let mut trees = Trees::new(Path::new("/none"), "nex");
        let tree = trees.grow();
        assert!(tree.entrance().is_none());
        let script = "sleep 61.5 & setsid sleep 61.5 & wait";
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        #[allow(unsafe_code, reason = "a session of its own, as programs have here")]
        // SAFETY: one system call that touches no memory.
        unsafe {
            command.pre_exec(|| nix::unistd::setsid().map(drop).map_err(Into::into));
        }
        let mut shell = command.spawn().expect("a shell");
        let leader = Pid::from_child(&shell);
        let start = Instant::now();
        while descendants(leader).len() < 3 {
            assert!(start.elapsed() < Duration::from_secs(10), "it starts two programs");
        }
        let all = descendants(leader);
        tree.kill(Some(leader));
        shell.wait().expect("ours");
        let runs = |pid: &i32| fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
        while all.iter().any(runs) {
            assert!(start.elapsed() < Duration::from_secs(10), "they are killed");
        }
        trees.leave(tree);
    }
}
