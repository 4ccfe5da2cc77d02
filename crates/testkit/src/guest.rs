//! A guest: a kernel of Debian's in QEMU, without hardware's help, that runs a shell script beside some drives.
//!
//! It is the only judge that shows what a kernel does with an image when it has every privilege: a container's root may
//! not grow a mounted file system. It needs no privilege itself. A boot takes two to three seconds, so a script should
//! do all that it can in one.
//!
//! `scripts/setup-tests` unpacks the kernel and a static busybox into `target/guest`.

mod initramfs;
mod vmlinux;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use initramfs::Initramfs;
use tempfile::TempDir;
pub use vmlinux::vmlinux;

use crate::failure::Context;
use crate::{Failure, Result, places};

/// The text before the script's exit code in the last line that a guest writes.
const STATUS_MARK: &str = "the guest's script ended with ";
/// How long a guest may take, when nothing else is asked for.
const TIME_LIMIT: Duration = Duration::from_secs(120);
const MEMORY_MIB: u32 = 512;
/// How many lines of the console tell what went wrong: a panic's message stands above its registers and its long trace.
const TAIL: usize = 120;
/// How often to look at what the guest wrote.
const PAUSE: Duration = Duration::from_millis(20);

/// A guest that has not been started.
pub struct Guest {
    script: String,
    drives: Vec<PathBuf>,
    programs: Vec<&'static str>,
    modules: Vec<&'static str>,
    time_limit: Duration,
}

/// What a guest has done.
#[derive(Debug)]
pub struct Finished {
    /// The script's exit code.
    pub status: i32,
    /// What the script wrote to its standard output and standard error.
    pub output: String,
    /// What the kernel wrote to its console.
    pub console: String,
}

impl Guest {
    /// A guest that runs a script of busybox's shell, as root, with all privileges.
    pub fn new(script: impl Into<String>) -> Self {
        Self {
            script: script.into(),
            drives: Vec::new(),
            programs: Vec::new(),
            modules: Vec::new(),
            time_limit: TIME_LIMIT,
        }
    }

    /// Adds a raw image as a drive that can be written; the first is `/dev/vda` in the guest. What the guest writes is in
    /// the file as soon as its kernel has handed it over, even when the guest is killed.
    #[must_use]
    pub fn drive(mut self, image: impl Into<PathBuf>) -> Self {
        self.drives.push(image.into());
        self
    }

    /// Gives the guest programs of this machine, with their libraries.
    #[must_use]
    pub fn programs(mut self, names: &[&'static str]) -> Self {
        self.programs.extend_from_slice(names);
        self
    }

    /// Loads more of the kernel's modules, and what they need.
    #[must_use]
    pub fn modules(mut self, names: &[&'static str]) -> Self {
        self.modules.extend_from_slice(names);
        self
    }

    /// Kills the guest when it takes longer.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// Runs the guest to its end. `None`, with a line that says so, where there is no kernel for one.
    ///
    /// # Errors
    /// When it cannot be started, takes too long, or ends without the script's exit code, as in a panic; the text holds
    /// the end of its console.
    pub fn run(&self) -> Result<Option<Finished>> {
        self.start()?.map(Running::finish).transpose()
    }

    /// Starts the guest. `None`, with a line that says so, where there is no kernel for one.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self) -> Result<Option<Running>> {
        let Some(parts) = Parts::find()? else { return Ok(None) };
        let directory = tempfile::tempdir()?;
        let initramfs = Initramfs {
            busybox: &parts.busybox,
            modules: &parts.modules,
            programs: &self.programs,
            more_modules: &self.modules,
            script: &self.script,
            status_mark: STATUS_MARK,
        };
        fs::write(directory.path().join("initramfs"), initramfs.archive()?)?;
        let child = self.qemu(&parts.kernel, directory.path()).spawn();
        let child = child.context("cannot run QEMU (scripts/setup-tests installs what the tests need)")?;
        Ok(Some(Running { child, directory, deadline: Instant::now() + self.time_limit, limit: self.time_limit }))
    }

    fn qemu(&self, kernel: &Path, directory: &Path) -> Command {
        let mut qemu = Command::new("qemu-system-x86_64");
        qemu.current_dir(directory).stdin(Stdio::null());
        qemu.args(["-M", "q35", "-accel", "tcg", "-cpu", "max", "-nodefaults", "-display", "none", "-no-reboot"]);
        qemu.args(["-m", &MEMORY_MIB.to_string(), "-serial", "file:console", "-serial", "file:output"]);
        // Clocks of guests run ahead now and then, and e2fsck minds what was written in its future.
        qemu.args(["-rtc", "base=2024-01-01T00:00:00"]);
        // The kernel's test of its timer fails now and then when the emulated processor has to wait for a real one.
        let command_line = "console=ttyS0 panic=-1 no_timer_check";
        qemu.arg("-kernel").arg(kernel).args(["-initrd", "initramfs", "-append", command_line]);
        for drive in &self.drives {
            // QEMU takes a comma for the end of a name, and two for a comma.
            let name = drive.to_string_lossy().replace(',', ",,");
            qemu.arg("-drive").arg(format!("file={name},format=raw,if=virtio,cache=unsafe,discard=unmap"));
        }
        qemu
    }
}

/// What a guest is made of, in `target/guest`.
pub struct Parts {
    /// A kernel of Debian's, with what it needs to see virtio's drives in modules.
    pub kernel: PathBuf,
    /// A static busybox.
    pub busybox: PathBuf,
    /// The directory of the kernel's modules.
    pub modules: PathBuf,
}

impl Parts {
    /// The kernel for guests that ask for nothing of Debian's: nex's own where this user has built it, which starts sooner.
    pub fn quickest_kernel(&self) -> PathBuf {
        own_kernel().map_or_else(|| self.kernel.clone(), |directory| directory.join("vmlinux"))
    }

    /// The parts. `None`, with a line that says so, where they cannot be had.
    ///
    /// # Errors
    /// When `scripts/setup-tests` has not run.
    pub fn find() -> Result<Option<Self>> {
        let directory = places::workspace().join("target/guest");
        if let Ok(reason) = fs::read_to_string(directory.join("left-out")) {
            eprintln!("LEFT OUT: what runs in a guest: {}", reason.trim());
            return Ok(None);
        }
        let part = |name: &str| {
            let path = directory.join(name);
            let missing = || Failure::new(format!("{} is missing; scripts/setup-tests makes it", path.display()));
            if path.exists() { Ok(path) } else { Err(missing()) }
        };
        Ok(Some(Self { kernel: part("vmlinuz")?, busybox: part("busybox")?, modules: part("modules")? }))
    }
}

/// The directory of the kernel that nex builds for guests, where this user has built it (`make test-long` does). `None` where not.
pub fn own_kernel() -> Option<PathBuf> {
    let directory = places::workspace().join("target/guest-kernel");
    directory.join("vmlinux").exists().then_some(directory)
}

/// A guest at work; dropped, it is killed.
pub struct Running {
    child: Child,
    directory: TempDir,
    deadline: Instant,
    limit: Duration,
}

impl Running {
    /// Waits until the script has written this line.
    ///
    /// # Errors
    /// When the guest ends or takes too long before.
    pub fn wait_for_line(&mut self, line: &str) -> Result<()> {
        loop {
            let ended = self.child.try_wait()?.is_some();
            if self.output()?.lines().any(|written| written == line) {
                return Ok(());
            }
            if ended {
                return Err(self.failure(&format!("the guest ended without the line {line:?}")));
            }
            self.pause()?;
        }
    }

    /// Ends the guest as a power cut does: nothing is written any more.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn cut_power(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Waits for the guest's end.
    ///
    /// # Errors
    /// As [`Guest::run`].
    pub fn finish(mut self) -> Result<Finished> {
        let exit = loop {
            if let Some(exit) = self.child.try_wait()? {
                break exit;
            }
            self.pause()?;
        };
        let written = self.output()?;
        let ended = written.rsplit_once(STATUS_MARK).and_then(|(before, status)| {
            let output = before.strip_suffix('\n')?.to_owned();
            Some((output, status.trim().parse::<i32>().ok()?))
        });
        match ended {
            Some((output, status)) if exit.success() => Ok(Finished { status, output, console: self.console()? }),
            _ => Err(self.failure(&format!("the guest ended without its script's exit code (QEMU: {exit})"))),
        }
    }

    fn pause(&mut self) -> Result<()> {
        if Instant::now() > self.deadline {
            self.child.kill()?;
            self.child.wait()?;
            return Err(self.failure(&format!("the guest took longer than {} s", self.limit.as_secs())));
        }
        thread::sleep(PAUSE);
        Ok(())
    }

    fn output(&self) -> Result<String> {
        self.read("output")
    }

    fn console(&self) -> Result<String> {
        self.read("console")
    }

    fn read(&self, name: &str) -> Result<String> {
        match fs::read(self.directory.path().join(name)) {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            // QEMU has not come to it yet, or could not.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(error.into()),
        }
    }

    fn failure(&self, what: &str) -> Failure {
        let tail = |text: Result<String>| text.map_or_else(|failure| failure.to_string(), |text| last_lines(&text));
        Failure::new(format!("{what}\noutput:\n{}\nconsole:\n{}", tail(self.output()), tail(self.console())))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, unless a test failed on the way.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Finished {
    /// What the script wrote, when it ended with 0.
    ///
    /// # Errors
    /// The script's exit code and output, and the end of the console, when it ended otherwise.
    pub fn success(self) -> Result<String> {
        if self.status == 0 {
            return Ok(self.output);
        }
        let (output, console) = (last_lines(&self.output), last_lines(&self.console));
        Err(Failure::new(format!("{STATUS_MARK}{}\noutput:\n{output}\nconsole:\n{console}", self.status)))
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL)..].join("\n")
}
