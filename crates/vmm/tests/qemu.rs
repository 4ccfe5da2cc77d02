//! QEMU runs what it is told to, says in its own words what it will not, and never outlives who started it.

mod support;

use std::path::Path;
use std::time::Instant;

use nex_testkit::guest::Parts;
use nex_testkit::{Failure, Result};
use nex_vmm::{Accelerator, Architecture, Ending, Error, Machine, Qemu, Vmm};
use support::{PATIENCE, machine, outlives_its_thread, read_until};

fn qemu() -> Result<Qemu> {
    Ok(Qemu::find(Architecture::X86_64, Accelerator::Emulation)?)
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
        Err(error @ Error::Refused { .. }) => Ok(nex_fault::whole(&error)),
        Err(error) => Err(Failure::new(format!("another error: {}", nex_fault::whole(&error)))),
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
    // Every thread of it is confined, those with the guest's processors too, and nobody in it gains rights.
    for thread in std::fs::read_dir(format!("/proc/{}/task", guest.id()))? {
        let status = std::fs::read_to_string(thread?.path().join("status"))?;
        assert!(status.contains("\nSeccomp:\t2\n") && status.contains("\nNoNewPrivs:\t1\n"), "{status}");
    }
    assert!(guest.notes().is_empty(), "{:?}", guest.notes());
    assert!(guest.peak_memory() > Some(10 << 20), "{:?}", guest.peak_memory());
    let process = guest.id();
    drop(guest);
    assert!(!Path::new(&format!("/proc/{process}")).exists());
    Ok(())
}

#[test]
fn a_guest_outlives_the_thread_that_started_it() -> Result<()> {
    let Some(parts) = Parts::find()? else { return Ok(()) };
    outlives_its_thread(qemu()?, parts.kernel)
}
