//! Whether a workload would be started in an image, as the agent decides it, before anything boots.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nex_contract::{
    BOOT_SCRIPT, Found, NOT_EXECUTABLE, NOT_FOUND, NOT_STARTED, Root, Unstarted, User, Workload, find_directory,
    find_program, stop_signal,
};
use nex_fault::{Remedy, Setting};
use nex_inspect::{Kind, View, exists, is_executable};
use nex_program::{Processor, wants_process_one};

use crate::check::{Flaw, inspect};

/// Where the agent mounts something over what the image has.
const MOUNTED: [&str; 5] = ["/dev", "/proc", "/run", "/sys", "/tmp"];

/// An image as the root that a workload will have.
pub struct ImageRoot<'a> {
    view: &'a dyn View,
    /// Whether something is made or changed in it before the workload starts.
    is_changed: bool,
}

/// What keeps a workload from its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// The signal that shall stop it is none.
    StopSignal(Unstarted),
    /// Its user or group is not there.
    User(Unstarted),
    /// Its directory is not there.
    Directory(Unstarted),
    /// Its program is not there, or does not run.
    Program(Unstarted),
    /// Its program runs as process 1 alone, and the agent is that.
    ProcessOne(Unstarted),
}

impl Obstacle {
    /// The exit code and the reason.
    pub fn unstarted(&self) -> &Unstarted {
        match self {
            Self::StopSignal(why)
            | Self::User(why)
            | Self::Directory(why)
            | Self::Program(why)
            | Self::ProcessOne(why) => why,
        }
    }
}

impl<'a> ImageRoot<'a> {
    /// The image as it is, unless its boot script may change what it likes.
    pub fn new(view: &'a dyn View) -> Self {
        Self { view, is_changed: exists(view, BOOT_SCRIPT.as_bytes()) }
    }

    /// The image under changes that nobody knows, such as those on a drive.
    pub fn changed(view: &'a dyn View) -> Self {
        Self { view, is_changed: true }
    }

    /// All that keeps a workload from its start under a kernel for this machine, in the order in which the agent looks.
    ///
    /// Of a workload that names no program, the program is not looked at.
    pub fn obstacles(&self, workload: &Workload, kernel: Option<Processor>) -> Vec<Obstacle> {
        let mut found: Vec<_> =
            stop_signal(&workload.stop_signal).err().map(Obstacle::StopSignal).into_iter().collect();
        if self.is_changed {
            return found;
        }
        if !workload.user.is_empty() {
            found.extend(User::find(&workload.user, self).err().map(Obstacle::User));
        }
        let directory = find_directory(&workload.working_dir, self);
        // A relative path means nothing without its directory.
        if let Ok(directory) = directory.as_ref()
            && !workload.program.is_empty()
        {
            found.extend(self.check_program(workload, directory, kernel).err().map(Obstacle::Program));
            found.extend(self.check_process_one(workload, directory).err().map(Obstacle::ProcessOne));
        }
        found.extend(directory.err().map(Obstacle::Directory));
        found
    }

    fn check_program(&self, workload: &Workload, directory: &Path, kernel: Option<Processor>) -> Result<(), Unstarted> {
        let program = find_program(&workload.program, &workload.env, directory, self)?;
        if self.find(&program) == Some(Found::Hidden) {
            return Ok(());
        }
        let flaw = match inspect(self.view, program.as_os_str().as_bytes(), kernel) {
            Ok(program) => program.flaw,
            Err(flaw) => Some(flaw),
        };
        flaw.map_or(Ok(()), |flaw| Err(Unstarted::new(exit_code(&flaw), flaw.text())))
    }
}

impl ImageRoot<'_> {
    fn check_process_one(&self, workload: &Workload, directory: &Path) -> Result<(), Unstarted> {
        let program = find_program(&workload.program, &workload.env, directory, self).ok();
        let path = program.as_ref().map(|program| program.as_os_str().as_bytes()).unwrap_or_default();
        match wants_process_one(self.view, path).filter(|_| workload.pid1.is_agent()) {
            Some(init) => {
                let program = nex_text::short_name(path);
                let why = format!("{program} is {init}, which runs as process 1 alone, and the agent is process 1");
                let remedy = Remedy::say("make the root filesystem with nex rootfs").set(Setting::Pid1, "image");
                Err(Unstarted::new(NOT_STARTED, why).advising(remedy))
            }
            None => Ok(()),
        }
    }
}

impl Root for ImageRoot<'_> {
    fn find(&self, path: &Path) -> Option<Found> {
        let is_below = |mounted: &str| path != Path::new(mounted) && path.starts_with(mounted);
        if MOUNTED.iter().any(|mounted| is_below(mounted)) {
            return Some(Found::Hidden);
        }
        let path = path.as_os_str().as_bytes();
        Some(match self.view.stat(path)?.kind {
            Kind::Directory => Found::Directory,
            _ if is_executable(self.view, path) => Found::Program,
            _ => Found::Other,
        })
    }

    fn read(&self, path: &str, limit: u64) -> Result<Option<Vec<u8>>, String> {
        let read = self.view.read(path.as_bytes(), limit).map_err(|error| format!("cannot read {path}: {error}"))?;
        match read {
            None if exists(self.view, path.as_bytes()) => Err(format!("{path} is no regular file")),
            read => Ok(read),
        }
    }
}

/// What a shell, and docker, would end with.
fn exit_code(flaw: &Flaw) -> u8 {
    match flaw {
        Flaw::Missing(_) | Flaw::Interpreter(_) | Flaw::Libraries(_) => NOT_FOUND,
        Flaw::NotExecutable(_) | Flaw::NoProgram(_) | Flaw::Processor(_) => NOT_EXECUTABLE,
    }
}
