//! A cgroup (version 2) of a run's own, where one can be had: the kernel itself holds all memory of the scripts below the
//! limit then, whoever it belongs to.
//!
//! A group with processes in it cannot have groups below it that bound memory. So it is made beside the caller's own group, where
//! that is already one of those that are bounded, and the caller may move processes from there.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// What the names of groups begin with; the number of the process that made them follows.
const PREFIX: &str = "nex-sandbox-";

/// The group of one run.
pub struct MemoryGroup {
    path: PathBuf,
    /// Where numbers of processes are written that come into it.
    pub processes: File,
    /// Tells of processes that were killed for want of memory.
    pub events: File,
}

impl MemoryGroup {
    /// Makes one whose processes may have so many bytes, if that can be.
    pub fn make(bytes: u64) -> Option<Self> {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let own = own_group(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"))?;
        parents(&own).into_iter().find_map(|parent| Self::make_in(&parent, bytes).ok())
    }

    fn make_in(parent: &Path, bytes: u64) -> io::Result<Self> {
        let bounded = std::fs::read_to_string(parent.join("cgroup.subtree_control"))?;
        if !bounded.split_ascii_whitespace().any(|controller| controller == "memory") {
            return Err(io::ErrorKind::Unsupported.into());
        }
        remove_abandoned(parent);
        let path = parent.join(format!("{PREFIX}{}", std::process::id()));
        std::fs::create_dir(&path)?;
        let made = (|| {
            set(&path, "memory.max", &bytes.to_string())?;
            // What is swapped out is not less, and not all kernels swap.
            set(&path, "memory.swap.max", "0").ok();
            let processes = OpenOptions::new().write(true).open(path.join("cgroup.procs"))?;
            Ok((processes, File::open(path.join("memory.events"))?))
        })();
        match made {
            Ok((processes, events)) => Ok(Self { path, processes, events }),
            Err(error) => {
                std::fs::remove_dir(&path).ok();
                Err(error)
            }
        }
    }
}

impl Drop for MemoryGroup {
    fn drop(&mut self) {
        // What cannot be removed now is removed by a later run.
        std::fs::remove_dir(&self.path).ok();
    }
}

/// Whether a process of the group was killed for want of memory, by its `memory.events`.
pub fn has_run_out(events: &str) -> bool {
    events.lines().any(|line| line.strip_prefix("oom_kill ").is_some_and(|count| count.trim() != "0"))
}

fn set(group: &Path, file: &str, value: &str) -> io::Result<()> {
    io::Write::write_all(&mut OpenOptions::new().write(true).open(group.join(file))?, value.as_bytes())
}

/// The directory of the caller's own group.
fn own_group(groups: &str, mounts: &str) -> Option<PathBuf> {
    let own = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    mounts.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        let mut fields = mount.split_ascii_whitespace().skip(3);
        let (root, place) = (fields.next()?, fields.next()?);
        let below = own.strip_prefix(root.trim_end_matches('/'))?;
        // Out of what this namespace shows.
        let is_shown = (below.is_empty() || below.starts_with('/')) && !below.split('/').any(|name| name == "..");
        let place = Path::new(place).join(below.trim_start_matches('/'));
        (kind.starts_with("cgroup2 ") && is_shown).then_some(place)
    })
}

/// Where a group may be made: beside the caller's own, or below it where that is the root of all.
fn parents(own: &Path) -> Vec<PathBuf> {
    let above = own.parent().filter(|above| above.join("cgroup.procs").exists());
    above.into_iter().chain([own]).map(Path::to_owned).collect()
}

/// Removes the groups of runs that were killed. One in which somebody lives stays.
fn remove_abandoned(parent: &Path) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let number = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
        if number.is_some_and(|number| !Path::new("/proc").join(number).exists()) {
            std::fs::remove_dir(entry.path()).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_callers_group_is_found_where_it_is_mounted() {
        let mounts = "30 24 0:26 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n\
                      31 24 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:9 - cgroup2 cgroup2 rw\n";
        let groups = "4:memory:/x\n0::/user.slice/run\n";
        assert_eq!(own_group(groups, mounts), Some("/sys/fs/cgroup/unified/user.slice/run".into()));
        assert_eq!(own_group("0::/\n", mounts), Some("/sys/fs/cgroup/unified/".into()));
        // A part of it is mounted, as in a container; or not the one that the caller is in.
        let part = "31 24 0:27 /docker/1 /sys/fs/cgroup ro - cgroup2 cgroup rw\n";
        assert_eq!(own_group("0::/docker/1/a\n", part), Some("/sys/fs/cgroup/a".into()));
        assert_eq!(own_group("0::/docker/12\n", part), None);
        assert_eq!(own_group("0::/../other\n", mounts), None);
        assert_eq!(own_group("4:memory:/x\n", mounts), None);
    }

    #[test]
    fn a_group_is_made_where_memory_is_bounded_and_nowhere_else() {
        // A directory with the kernel's files stands for the file system.
        let place = tempfile::tempdir().unwrap();
        let parent = place.path();
        std::fs::write(parent.join("cgroup.subtree_control"), "cpu pids\n").unwrap();
        assert!(MemoryGroup::make_in(parent, 1).is_err());
        std::fs::write(parent.join("cgroup.subtree_control"), "cpu memory pids\n").unwrap();
        std::fs::create_dir(parent.join(format!("{PREFIX}999999999"))).unwrap();
        // Here the new directory has no files: the attempt leaves nothing behind, nor do earlier ones.
        assert!(MemoryGroup::make_in(parent, 1).is_err());
        assert_eq!(std::fs::read_dir(parent).unwrap().count(), 1);
        assert!(MemoryGroup::make_in(&parent.join("none"), 1).is_err());
    }

    #[test]
    fn kills_are_told() {
        assert!(!has_run_out("low 0\nhigh 0\nmax 12\noom 0\noom_kill 0\noom_group_kill 0\n"));
        assert!(has_run_out("low 0\nmax 12\noom 3\noom_kill 1\n"));
    }
}
