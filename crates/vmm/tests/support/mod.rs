//! What the tests of all VMMs share: a machine, its console, and what it ends with.

#![allow(dead_code, reason = "each test program uses its part")]

pub mod hostile;

use std::fs;
use std::path::{Path, PathBuf};
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
        channel: None,
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

/// A guest lives on when the thread has ended that started it, and ends with who owns it.
pub fn outlives_its_thread(vmm: impl Vmm + Send + 'static, kernel: PathBuf) -> Result<()> {
    let start = move || vmm.start(&machine(kernel)).map_err(|error| nex_fault::whole(&error));
    let started = thread::spawn(start).join().map_err(|_| Failure::new("the thread panicked"))?;
    let mut guest = started.map_err(Failure::new)?;
    // Long enough for the kernel's signal.
    assert!(guest.wait(Instant::now() + Duration::from_millis(300))?.is_none(), "it has ended");
    let process = guest.id();
    drop(guest);
    assert!(!Path::new(&format!("/proc/{process}")).exists());
    Ok(())
}
