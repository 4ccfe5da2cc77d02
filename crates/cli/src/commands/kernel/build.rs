//! Builds a kernel for guests, by the script that comes with nex.

use std::fs;
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use nex_fault::{Fault, Setting};
use nex_file::way::{self, Missing};
use nex_kernel::{Architecture, Kernel};
use nex_process::Parent;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::codes::KERNEL_BUILD;
use crate::diagnostic::Diagnostic;
use crate::interrupt::{self, Grace, Interrupt, Process};
use crate::output;

/// The script, and the configurations that it looks for. An installed nex has no repository beside it.
const SCRIPT: &str = include_str!("../../../../../scripts/guest-kernel");
const CONFIGURATIONS: [(&str, &str); 3] = [
    ("common.config", include_str!("../../../../kernel/config/common.config")),
    ("x86_64.config", include_str!("../../../../kernel/config/x86_64.config")),
    ("aarch64.config", include_str!("../../../../kernel/config/aarch64.config")),
];
/// What the script's lines begin with, and what follows in the one that says why it fails.
const SPEAKER: &str = "guest-kernel: ";
const FAILURE: &str = "error: ";

/// Whether a kernel that this machine has built before will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// It will.
    Cached,
    /// It is built again.
    Never,
}

/// How a build has ended.
pub enum Outcome {
    /// These kernels were built.
    Built(Vec<PathBuf>),
    /// This signal came to nex, and nothing is left.
    Interrupted(i32),
}

/// Builds a kernel, or finds it in the cache.
///
/// # Errors
/// When something is missing, or the build fails.
pub fn build(architecture: Architecture, reuse: Reuse, process: &Process) -> Result<Outcome, Diagnostic> {
    check_cache()?;
    let interrupt = Interrupt::catch().map_err(Diagnostic::system)?;
    interrupt::end_when_overdue(Grace::CLEAN_UP, process).map_err(Diagnostic::system)?;
    let directory = write_script()?;
    let script = directory.as_ref().join("guest-kernel");
    let mut command = Command::new("bash");
    command.arg(&script).args(["--arch", architecture.name(), "--config"]).arg(directory.as_ref());
    if reuse == Reuse::Never {
        command.arg("--rebuild");
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let parent = Parent::start().map_err(Diagnostic::system)?;
    // The script cleans up then, and ends what it has started.
    let child = parent
        .spawn(command, Signal::TERM.as_raw())
        .map_err(|error| Diagnostic::new(KERNEL_BUILD, "cannot run bash, which builds the kernel").caused(&error))?;
    let said = follow(child, &interrupt).map_err(Diagnostic::system)?;
    if let Some(signal) = interrupt.came() {
        return Ok(Outcome::Interrupted(signal));
    }
    match said.failure {
        Some(why) => Err(Diagnostic::new(KERNEL_BUILD, "the kernel cannot be built").because(why)),
        None => Ok(Outcome::Built(kernels(Path::new(said.output.trim()))?)),
    }
}

/// Makes sure of the directory in which the script keeps kernels: what another user could put there would be installed. The script
/// makes it where it is missing.
fn check_cache() -> Result<(), Diagnostic> {
    let failed = || Diagnostic::new(KERNEL_BUILD, "there is no place to build a kernel in");
    let place = nex_cache::default_directory()
        .ok_or_else(|| failed().because("neither XDG_CACHE_HOME nor HOME names a directory"))?
        .join("kernels");
    let reached = way::open(&place, Missing::Left);
    reached.map(drop).map_err(|error| {
        let failed = failed().because(format!("'{}': {}", place.display(), nex_fault::whole(&error)));
        match error.remedy() {
            Some(remedy) => failed.hinting(remedy.words(Setting::flag)),
            None => failed,
        }
    })
}

/// Writes the script and its configurations to where bash finds them.
fn write_script() -> Result<impl AsRef<Path>, Diagnostic> {
    let place = std::env::temp_dir();
    let written = nex_file::private::temporary_directory(&place, "nex-kernel-").and_then(|directory| {
        let script = ("guest-kernel", SCRIPT);
        for (name, text) in CONFIGURATIONS.into_iter().chain([script]) {
            fs::write(directory.path().join(name), text)?;
        }
        Ok(directory)
    });
    written.map_err(|error| {
        Diagnostic::new(
            KERNEL_BUILD,
            format!("cannot write the script that builds the kernel in '{}'", place.display()),
        )
        .caused(&error)
    })
}

/// What the script has said at its end.
struct Said {
    output: String,
    failure: Option<String>,
}

/// Passes on what the script says, and the first signal to the script, which cleans up. Waits for its end.
fn follow(mut child: Child, interrupt: &Interrupt) -> io::Result<Said> {
    let number = Pid::from_child(&child);
    let handle = pidfd_open(number, PidfdFlags::empty())?;
    let (over, ended) = io::pipe()?;
    let (output, lines) = (child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut files =
                [PollFd::from_borrowed_fd(interrupt.file(), PollFlags::IN), PollFd::new(&over, PollFlags::IN)];
            while poll(&mut files, None) == Err(rustix::io::Errno::INTR) {}
            if interrupt.came().is_some() {
                // One that has ended needs no signal.
                let _ = pidfd_send_signal(handle.as_fd(), Signal::TERM);
            }
        });
        let mut failure = None;
        for line in lines.into_iter().flat_map(|lines| BufReader::new(lines).split(b'\n')) {
            let line = String::from_utf8_lossy(&line?).into_owned();
            let own = line.strip_prefix(SPEAKER);
            match own.and_then(|own| own.strip_prefix(FAILURE)) {
                Some(why) => failure = Some(why.to_owned()),
                None => output::progress(own.map_or_else(|| line.clone(), |own| format!("kernel: {own}"))),
            }
        }
        let mut printed = String::new();
        output.map(|mut output| output.read_to_string(&mut printed)).transpose()?;
        let status = child.wait()?;
        drop(ended);
        let unexplained = || (!status.success()).then(|| format!("its script ended with {status}"));
        Ok(Said { output: printed, failure: failure.or_else(unexplained) })
    })
}

/// The kernels in the directory of a build.
fn kernels(directory: &Path) -> Result<Vec<PathBuf>, Diagnostic> {
    let mut files = Vec::new();
    let entries = fs::read_dir(directory).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    for entry in entries.map_err(|error| {
        Diagnostic::new(KERNEL_BUILD, format!("cannot list '{}'", directory.display())).caused(&error)
    })? {
        let path = entry.path();
        if Kernel::read(&path, nex_kernel::MAX_KERNEL).is_ok() {
            files.push(path);
        }
    }
    files.sort();
    match files.is_empty() {
        true => {
            Err(Diagnostic::new(KERNEL_BUILD, format!("the build has left no kernel in '{}'", directory.display())))
        }
        false => Ok(files),
    }
}
