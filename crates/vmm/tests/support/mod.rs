//! What the tests of all VMMs share: a machine, its console, and its end with the thread that has started it.

#![allow(dead_code, reason = "each test program uses its part")]

pub mod hostile;

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use nex_testkit::tiny_guest::{self, Then};
use nex_testkit::{Failure, Result};
use nex_vmm::{Architecture, Guest, Machine, Reading, Vmm};
use tempfile::TempDir;

/// How long a guest may take for anything.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A machine without any drive.
pub fn machine(kernel: impl Into<PathBuf>) -> Machine {
    Machine {
        architecture: Architecture::X86_64,
        kernel: kernel.into(),
        max_kernel: nex_kernel::MAX_KERNEL,
        initramfs: None,
        command_line: "some words".to_owned(),
        drives: Vec::new(),
        memory_mib: 256,
        vcpus: 1,
    }
}

/// A directory with a tiny kernel in it.
pub fn tiny(then: Then) -> Result<(TempDir, PathBuf)> {
    let directory = tempfile::tempdir()?;
    let kernel = directory.path().join("vmlinux");
    fs::write(&kernel, tiny_guest::vmlinux("a tiny guest with ", then))?;
    Ok((directory, kernel))
}

/// Reads the console until this text is there, or until its end.
pub fn read_until(guest: &mut Guest, text: &str) -> Result<String> {
    let deadline = Instant::now() + PATIENCE;
    let (mut console, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match guest.read_console(&mut buffer, deadline)? {
            Reading::Bytes(bytes) => console.extend_from_slice(&buffer[..bytes]),
            Reading::Nothing => return Err(Failure::new(format!("no {text}: {}", String::from_utf8_lossy(&console)))),
            Reading::Closed => return Ok(String::from_utf8_lossy(&console).into_owned()),
        }
        let written = String::from_utf8_lossy(&console);
        if written.contains(text) {
            return Ok(written.into_owned());
        }
    }
}

/// A guest ends when the thread does that has started it, without a word.
pub fn ends_with_its_thread(vmm: impl Vmm + Send + 'static, kernel: PathBuf) -> Result<()> {
    let started = thread::spawn(move || {
        let guest = vmm.start(&machine(kernel)).map_err(|error| error.to_string())?;
        let process = guest.id();
        // As a thread that is killed: nothing of it is dropped. The console stays open, so that only the kernel's signal
        // can end the guest.
        std::mem::forget(guest);
        Ok::<_, String>(process)
    });
    let process = started.join().map_err(|_| Failure::new("the thread panicked"))?.map_err(Failure::new)?;
    // Nobody waits for it, so its entry stays: a zombie.
    let deadline = Instant::now() + PATIENCE;
    let state = || fs::read_to_string(format!("/proc/{process}/stat"));
    while !state()?.contains(") Z ") {
        assert!(Instant::now() < deadline, "it still runs: {}", state()?);
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
