//! QEMU runs what it is told to, says in its own words what it will not, and never outlives who started it.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use nex_testkit::guest::Parts;
use nex_testkit::{Failure, Result};
use nex_vmm::{Accelerator, Architecture, Ending, Error, Guest, Machine, Qemu, Reading, Vmm};

/// How long a guest may take for anything.
const PATIENCE: Duration = Duration::from_secs(60);

/// A machine without any drive.
fn machine(kernel: impl Into<PathBuf>) -> Machine {
    Machine {
        architecture: Architecture::X86_64,
        kernel: kernel.into(),
        initramfs: None,
        command_line: String::new(),
        drives: Vec::new(),
        memory_mib: 256,
        vcpus: 1,
    }
}

fn qemu() -> Result<Qemu> {
    Ok(Qemu::find(Architecture::X86_64, Accelerator::Emulation)?)
}

/// Reads the console until this text is there, or until its end.
fn read_until(guest: &mut Guest, text: &str) -> Result<String> {
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

#[test]
fn a_guest_writes_its_console_and_its_panic_ends_it() -> Result<()> {
    let Some(parts) = Parts::find()? else { return Ok(()) };
    let mut guest = qemu()?.start(&machine(parts.kernel))?;
    let console = read_until(&mut guest, "no text of a kernel's")?;
    assert!(console.contains("Linux version"), "{console}");
    assert!(console.contains("Kernel panic - not syncing: VFS"), "{console}");
    let ended = guest.wait(Instant::now() + PATIENCE)?.map(|(status, ending)| (status.success(), ending));
    assert_eq!(ended, Some((true, Ending::Reset)));
    assert_eq!(guest.said(), "");
    Ok(())
}

#[test]
fn a_machine_that_qemu_refuses_is_refused_in_its_words() -> Result<()> {
    let refusal = |machine: Machine| match qemu()?.start(&machine) {
        Err(error @ Error::Refused { .. }) => Ok(error.to_string()),
        Err(error) => Err(Failure::new(format!("another error: {error}"))),
        Ok(_) => Err(Failure::new("it runs")),
    };
    let text = refusal(machine("/nonexistent/kernel"))?;
    assert!(text.starts_with("QEMU "), "{text}");
    assert!(text.contains("emulation refuses the machine: "), "{text}");
    assert!(text.contains("/nonexistent/kernel") && !text.contains("qemu-system"), "{text}");
    let text = refusal(machine("/bin/true"))?;
    assert!(text.contains("PVH"), "{text}");
    Ok(())
}

#[test]
fn a_guest_ends_when_it_is_dropped() -> Result<()> {
    let Some(parts) = Parts::find()? else { return Ok(()) };
    let mut guest = qemu()?.start(&machine(parts.kernel))?;
    read_until(&mut guest, "Linux version")?;
    assert!(guest.wait(Instant::now())?.is_none());
    assert!(guest.peak_memory() > Some(10 << 20), "{:?}", guest.peak_memory());
    let process = guest.id();
    drop(guest);
    assert!(!Path::new(&format!("/proc/{process}")).exists());
    Ok(())
}

#[test]
fn a_guest_ends_with_the_thread_that_started_it() -> Result<()> {
    let Some(parts) = Parts::find()? else { return Ok(()) };
    let started = thread::spawn(move || {
        let guest = qemu().map_err(|failure| failure.to_string())?.start(&machine(parts.kernel));
        let guest = guest.map_err(|error| error.to_string())?;
        let process = guest.id();
        // As a thread that is killed: nothing of it is dropped. The console stays open, so that only the kernel's signal
        // can end the guest.
        std::mem::forget(guest);
        Ok::<_, String>(process)
    });
    let process = started.join().map_err(|_| Failure::new("the thread panicked"))?.map_err(Failure::new)?;
    // Nobody waits for it, so its entry stays: a zombie.
    let deadline = Instant::now() + PATIENCE;
    let state = || std::fs::read_to_string(format!("/proc/{process}/stat"));
    while !state()?.contains(") Z ") {
        assert!(Instant::now() < deadline, "it still runs: {}", state()?);
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}
