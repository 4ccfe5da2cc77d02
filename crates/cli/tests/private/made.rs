//! What a process has made so far: below some directories, and among what it has open.

use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nex_testkit::{Failure, Result};

/// How long a busy machine may take for anything.
const PATIENCE: Duration = Duration::from_secs(60);
/// What others may have of what is private: nothing.
const OTHERS: u32 = 0o077;
/// What its owner needs of anything.
const READ: u32 = 0o400;

/// The umask that takes nothing.
pub const OPEN: &str = "000";
/// The one that takes everything.
pub const CLOSED: &str = "777";

/// What is there in a place, so that what is made there later can be told from it.
pub struct Before {
    place: PathBuf,
    known: HashSet<(PathBuf, u64)>,
}

impl Before {
    /// Remembers all that is there.
    pub fn of(place: &Path) -> Result<Self> {
        let mut found = Vec::new();
        walk(place, &mut found)?;
        Ok(Self { place: place.into(), known: found.iter().map(id).collect() })
    }

    /// All that has been made in the place since.
    pub fn made(&self) -> Result<Vec<(PathBuf, Metadata)>> {
        let mut found = Vec::new();
        walk(&self.place, &mut found)?;
        Ok(found.into_iter().filter(|found| !self.known.contains(&id(found))).collect())
    }

    /// The files without a name that a process has open: in this place, or in memory.
    pub fn nameless(&self, process: u32) -> Result<Vec<(PathBuf, Metadata)>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(format!("/proc/{process}/fd"))?.flatten() {
            let (Ok(link), Ok(metadata)) = (fs::read_link(entry.path()), fs::metadata(entry.path())) else { continue };
            let name = link.to_string_lossy().into_owned();
            let is_ours = name.starts_with("/memfd:") || link.starts_with(&self.place);
            if is_ours && name.ends_with(" (deleted)") {
                found.push((link, metadata));
            }
        }
        Ok(found)
    }

    /// Its owner can get at all that has been made, whoever that is, but for this: root asks for no rights.
    pub fn is_its_owners(&self, but: Option<&Path>) -> Result<()> {
        let mut made = self.made()?;
        made.retain(|(path, metadata)| metadata.mode() & READ == 0 && Some(&**path) != but);
        if made.is_empty() { Ok(()) } else { Err(Failure::new(format!("closed to their owners: {made:#?}"))) }
    }

    /// Others can get at nothing that has been made, but for what this lets be.
    pub fn is_private(&self, process: Option<u32>, lets_be: impl Fn(&Path) -> bool) -> Result<()> {
        let mut made = self.made()?;
        if let Some(process) = process {
            made.extend(self.nameless(process)?);
        }
        made.retain(|(path, metadata)| !metadata.is_symlink() && metadata.mode() & OTHERS != 0 && !lets_be(path));
        let open: Vec<_> = made.iter().map(|(path, found)| format!("{:o} {}", found.mode(), path.display())).collect();
        if open.is_empty() { Ok(()) } else { Err(Failure::new(format!("open to others: {open:#?}"))) }
    }
}

/// A file's number alone may be another's once it is gone.
fn id((path, metadata): &(PathBuf, Metadata)) -> (PathBuf, u64) {
    (path.clone(), metadata.ino())
}

fn walk(place: &Path, found: &mut Vec<(PathBuf, Metadata)>) -> Result<()> {
    for entry in fs::read_dir(place)?.flatten() {
        // What goes meanwhile is not there.
        let Ok(metadata) = entry.path().symlink_metadata() else { continue };
        if metadata.is_dir() {
            walk(&entry.path(), found)?;
        }
        found.push((entry.path(), metadata));
    }
    Ok(())
}

/// The same command under a umask.
pub fn under(umask: &str, command: &Command) -> Command {
    let mut open = Command::new("/bin/sh");
    open.args(["-c", &format!("umask {umask}; exec \"$@\""), "sh"]);
    open.arg(command.get_program()).args(command.get_args());
    open.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    open
}

/// A process that is killed when the test is done with it.
pub struct Running(Child);

impl Running {
    /// Starts it under a umask, and waits until this file is there.
    pub fn until(umask: &str, command: &Command, mark: &Path) -> Result<Self> {
        let mut command = under(umask, command);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
        let mut running = Self(command.spawn()?);
        let deadline = Instant::now() + PATIENCE;
        while !mark.exists() {
            if running.0.try_wait()?.is_some() || Instant::now() > deadline {
                let mut said = String::new();
                if let Some(mut stderr) = running.0.stderr.take() {
                    running.0.kill()?;
                    std::io::Read::read_to_string(&mut stderr, &mut said)?;
                }
                return Err(Failure::new(format!("it did not come that far: {said}")));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(running)
    }

    pub fn id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
