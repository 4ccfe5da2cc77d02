//! Firecracker runs what it is told to, says in its own words what it will not, never outlives who started it, and leaves
//! nothing behind. A real one runs guests of a few instructions; its double, which a real one judges, runs Linux.

mod support;

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nex_testkit::guest::{self, Parts};
use nex_testkit::tiny_guest::Then;
use nex_testkit::{Failure, Result, firecracker, program};
use nex_vmm::{
    Access, Architecture, Bus, Channel, ChannelOpening, Drive, Ending, Error, Firecracker, Guest, Machine, Vmm,
};
use support::{PATIENCE, machine, outlives_its_thread, read_until, tiny};
use tempfile::TempDir;

fn double() -> Result<Firecracker> {
    Ok(Firecracker::at(firecracker::double()?)?)
}

/// A real one, where it can make guests.
fn real() -> Result<Option<Firecracker>> {
    let Some(program) = firecracker::real()? else { return Ok(None) };
    Ok(if firecracker::has_kvm() { Some(Firecracker::at(&program)?) } else { None })
}

fn wait(guest: &mut Guest) -> Result<Option<(bool, Ending)>> {
    Ok(guest.wait(Instant::now() + PATIENCE)?.map(|(status, ending)| (status.success(), ending)))
}

#[test]
fn a_real_one_runs_a_guest_with_its_command_line_and_drives() -> Result<()> {
    let Some(real) = real()? else { return Ok(()) };
    let (directory, kernel) = tiny(Then::Reset)?;
    let image = directory.path().join("name with \u{e9}, and a comma");
    fs::write(&image, vec![7; 1 << 20])?;
    fs::set_permissions(&image, std::os::unix::fs::PermissionsExt::from_mode(0o444))?;
    let mut machine = machine(kernel);
    for access in [Access::CopyOnWrite, Access::ReadOnly] {
        machine.drives.push(Drive::open(&image, access, Bus::Virtio)?);
    }
    let mut guest = real.start(&machine)?;
    let console = read_until(&mut guest, "no text of the guest's")?;
    // Firecracker itself adds what its drives are.
    assert!(console.starts_with(&format!("a tiny guest with {}", real.command_line(&machine))), "{console}");
    assert!(console.contains("console=ttyS0 reboot=k panic=-1 pci=off"), "{console}");
    assert!(console.contains("some words"), "{console}");
    assert_eq!(wait(&mut guest)?, Some((true, Ending::Reset)));
    assert_eq!(guest.said(), "");
    assert_eq!(fs::read(&image)?, vec![7; 1 << 20]);
    assert!(real.name().starts_with("Firecracker 1."), "{}", real.name());
    Ok(())
}

#[test]
fn what_is_typed_reaches_a_real_guest() -> Result<()> {
    let Some(real) = real()? else { return Ok(()) };
    let (_directory, kernel) = tiny(Then::Echo)?;
    let mut guest = real.start(&machine(kernel))?;
    read_until(&mut guest, "some words")?;
    let typed = b"typed\n";
    assert_eq!(guest.write_console(typed)?, typed.len());
    let console = read_until(&mut guest, "typed")?;
    assert!(console.contains("typed"), "{console}");
    assert_eq!(wait(&mut guest)?, Some((true, Ending::Reset)));
    Ok(())
}

#[test]
fn a_distributions_kernel_is_unpacked_for_it() -> Result<()> {
    let (Some(real), Some(parts)) = (real()?, Parts::find()?) else { return Ok(()) };
    // How far such a kernel gets is the host's business: that it is loaded is ours.
    let mut guest = real.start(&machine(parts.kernel))?;
    assert!(guest.wait(Instant::now())?.is_none());
    guest.press_ctrl_alt_del()?;
    Ok(())
}

#[test]
fn the_double_runs_linux_and_a_panic_ends_it() -> Result<()> {
    let Some(parts) = Parts::find()? else { return Ok(()) };
    let mut guest = double()?.start(&machine(parts.kernel))?;
    let console = read_until(&mut guest, "no text of a kernel's")?;
    assert!(console.contains("Linux version"), "{console}");
    assert!(console.contains("Kernel panic - not syncing: VFS"), "{console}");
    assert_eq!(wait(&mut guest)?, Some((true, Ending::Reset)));
    assert_eq!(guest.said(), "");
    Ok(())
}

#[test]
fn what_it_refuses_is_refused_in_its_words() -> Result<()> {
    let mut programs = vec![double()?];
    programs.extend(real()?);
    let (directory, kernel) = tiny(Then::Hang)?;
    let empty = directory.path().join("empty");
    File::create(&empty)?;
    for program in programs {
        let refusal = |change: &dyn Fn(&mut Machine)| {
            let mut machine = machine(&kernel);
            change(&mut machine);
            match program.start(&machine) {
                Err(error) => Ok(nex_fault::whole(&error)),
                Ok(_) => Err(Failure::new("it runs")),
            }
        };
        let words = |text: String, words: &[&str]| {
            assert!(words.iter().all(|word| text.contains(word)), "{text}");
        };
        let refuses = "KVM refuses the machine: ";
        words(refusal(&|machine| machine.memory_mib = 0)?, &["Firecracker 1.", refuses, "memory"]);
        words(refusal(&|machine| machine.command_line = "a".repeat(3000))?, &[refuses, "command line"]);
        words(refusal(&|machine| machine.vcpus = 33)?, &[refuses]);
        words(refusal(&|machine| machine.architecture = Architecture::Aarch64)?, &["for x86_64 here", "for aarch64"]);
        let nvme = Drive::open(&empty, Access::ReadOnly, Bus::Nvme)?;
        words(refusal(&|machine| machine.drives.push(nvme.clone()))?, &["virtio's drives"]);
        words(refusal(&|machine| machine.initramfs = Some("/missing/initramfs".into()))?, &["'/missing/initramfs'"]);
        words(refusal(&|machine| machine.kernel.clone_from(&empty))?, &["cannot load the kernel", "no Linux kernel"]);
    }
    Ok(())
}

#[test]
fn a_program_that_is_not_firecracker_is_none() -> Result<()> {
    let refusal = |program: &str| Firecracker::at(program.as_ref()).map_err(|error| nex_fault::whole(&error));
    let missing = Firecracker::at("/missing/firecracker".as_ref());
    assert!(matches!(missing, Err(Error::Run { .. })));
    let text = refusal("/bin/true").err().unwrap_or_default();
    assert!(text.contains("needs 1.4 or later"), "{text}");
    let directory = tempfile::tempdir()?;
    let old = directory.path().join("firecracker");
    program::write(&old, "#!/bin/sh\necho Firecracker v1.3.3\n")?;
    let text = refusal(&old.to_string_lossy()).err().unwrap_or_default();
    assert!(text.contains("is version 1.3.3"), "{text}");
    // One that ends before it listens.
    program::write(&old, "#!/bin/sh\n[ \"$1\" = --version ] && echo v1.9.0 && exit\necho no luck >&2\nexit 1\n")?;
    let (_directory, kernel) = tiny(Then::Hang)?;
    let text = match Firecracker::at(&old)?.start(&machine(kernel)) {
        Err(error) => nex_fault::whole(&error),
        Ok(_) => String::new(),
    };
    assert!(text.ends_with("refuses the machine: no luck"), "{text}");
    Ok(())
}

#[test]
fn a_guest_ends_when_it_is_dropped() -> Result<()> {
    let mut guests = Vec::new();
    let (_directory, kernel) = tiny(Then::Hang)?;
    if let Some(real) = real()? {
        guests.push(real.start(&machine(kernel))?);
    }
    if let Some(parts) = Parts::find()? {
        guests.push(double()?.start(&machine(parts.kernel))?);
    }
    for guest in guests {
        let process = guest.id();
        assert!(guest.peak_memory() > Some(1 << 20), "{:?}", guest.peak_memory());
        drop(guest);
        assert!(!Path::new(&format!("/proc/{process}")).exists());
    }
    Ok(())
}

#[test]
fn a_guest_outlives_the_thread_that_started_it() -> Result<()> {
    let Some(real) = real()? else { return Ok(()) };
    let (_directory, kernel) = tiny(Then::Hang)?;
    outlives_its_thread(real, kernel)
}

#[test]
fn nothing_is_left_behind() -> Result<()> {
    let Some(parts) = Parts::find()? else { return Ok(()) };
    let place = std::env::temp_dir();
    let abandoned = tempfile::Builder::new().prefix("nex-firecracker-").tempdir_in(&place)?.keep();
    File::create(abandoned.join("api"))?;
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(60);
    File::open(&abandoned)?.set_modified(long_ago)?;
    let guest = double()?.start(&machine(parts.kernel))?;
    assert!(!abandoned.exists(), "what a killed run has left is still there");
    // The guest runs, and already no name leads to it.
    let open = fs::read_dir(format!("/proc/{}/fd", guest.id()))?.flatten();
    let names: Vec<PathBuf> = open.filter_map(|entry| fs::read_link(entry.path()).ok()).collect();
    let ours = names.iter().filter(|name| name.to_string_lossy().contains("nex-firecracker-"));
    let ours: Vec<&PathBuf> = ours.filter(|name| !name.to_string_lossy().starts_with("/memfd:")).collect();
    assert!(ours.iter().all(|name| name.to_string_lossy().ends_with(" (deleted)")), "{ours:?}");
    assert!(!ours.is_empty(), "{names:?}");
    Ok(())
}

#[test]
fn a_vsocks_sockets_are_there_as_long_as_the_guest() -> Result<()> {
    let (_directory, kernel) = tiny(Then::Hang)?;
    let mut guests = Vec::new();
    if let Some(real) = real()? {
        guests.push(real.with_vsock(&[1024, 1025]).start(&machine(kernel))?);
    }
    if let Some(parts) = Parts::find()? {
        guests.push(double()?.with_vsock(&[1024, 1025]).start(&machine(parts.kernel))?);
    }
    for guest in guests {
        let open = fs::read_dir(format!("/proc/{}/fd", guest.id()))?.flatten();
        let mut names = open.filter_map(|entry| fs::read_link(entry.path()).ok());
        let ours = names.find(|name| name.is_dir() && name.to_string_lossy().contains("nex-firecracker-"));
        let ours = ours.ok_or_else(|| Failure::new("it has no directory"))?;
        let mut names: Vec<_> = fs::read_dir(&ours)?.flatten().map(|entry| entry.file_name()).collect();
        names.sort();
        assert_eq!(names, ["vsock", "vsock_1024", "vsock_1025"]);

        let vsock = guest.vsock().ok_or_else(|| Failure::new("no vsock"))?;
        assert!(vsock.listener(1024).is_some() && vsock.listener(7).is_none());
        assert!(vsock.accept(1025, Instant::now())?.is_none());
        assert!(vsock.accept(7, Instant::now()).is_err());
        // The guest's kernel has no vsock, or is not that far. What Firecracker takes on our ports is the guest's.
        let connected = std::os::unix::net::UnixStream::connect(ours.join("vsock_1024"))?;
        let accepted = vsock.accept(1024, Instant::now() + PATIENCE)?.ok_or_else(|| Failure::new("nobody"))?;
        drop((connected, accepted, guest));
        assert!(!ours.exists());
    }
    Ok(())
}

/// Firecracker takes the host's connection to a guest, and answers when the guest's kernel has the driver for that: until then nobody
/// waits, and the guest runs on.
#[test]
fn a_channel_is_asked_for_and_nobody_waits() -> Result<()> {
    let (_directory, kernel) = tiny(Then::Hang)?;
    let with_channel = |kernel| {
        let channel = Some(Channel { port_name: "nex.channel".into(), vsock_port: 1023 });
        Machine { channel, ..machine(kernel) }
    };
    let mut guests = Vec::new();
    if let Some(real) = real()? {
        guests.push(real.start(&with_channel(kernel))?);
    }
    if let Some(parts) = Parts::find()? {
        guests.push(double()?.start(&with_channel(parts.kernel))?);
    }
    if let Some(parts) = Parts::find()? {
        let mut without = double()?.with_vsock(&[1024]).start(&machine(parts.kernel))?;
        assert_eq!(without.open_channel().err().map(|error| error.kind()), Some(std::io::ErrorKind::NotConnected));
    }
    for mut guest in guests {
        for _ in 0..3 {
            let ChannelOpening::Asked(dial) = guest.open_channel()? else { return Err(Failure::new("it is open")) };
            assert!(matches!(dial.look()?, ChannelOpening::Asked(_)));
        }
        assert!(guest.vsock().is_some_and(|vsock| vsock.listener(1024).is_none()));
        assert!(guest.wait(Instant::now())?.is_none());
    }
    Ok(())
}

#[test]
fn a_copy_keeps_its_holes() -> Result<()> {
    let Some(parts) = Parts::find()? else { return Ok(()) };
    let directory = tempfile::tempdir()?;
    let image = directory.path().join("image");
    let file = File::create(&image)?;
    file.set_len(64 << 30)?;
    std::os::unix::fs::FileExt::write_all_at(&file, b"content", 5 << 30)?;
    drop(file);
    let mut machine = machine(guest_kernel(&directory, &parts)?);
    machine.drives.push(Drive::open(image, Access::CopyOnWrite, Bus::Virtio)?);
    let guest = double()?.start(&machine)?;
    let open = fs::read_dir(format!("/proc/{}/fd", guest.id()))?.flatten();
    let files = open.filter_map(|entry| fs::metadata(entry.path()).ok());
    let copies: Vec<u64> = files.filter(|file| file.len() == 64 << 30).map(|file| file.blocks() * 512).collect();
    assert!(!copies.is_empty() && copies.iter().all(|bytes| *bytes < 1 << 20), "{copies:?}");
    Ok(())
}

/// Every drive has the file that was opened, whatever has its name when the guest starts.
#[test]
fn a_guest_has_the_files_that_were_opened() -> Result<()> {
    let Some(parts) = Parts::find()? else { return Ok(()) };
    let directory = tempfile::tempdir()?;
    let mut machine = machine(guest_kernel(&directory, &parts)?);
    let mut opened = Vec::new();
    for (number, access) in [Access::ReadOnly, Access::CopyOnWrite, Access::Write].into_iter().enumerate() {
        let (image, other) = (directory.path().join(format!("image{number}")), directory.path().join("other"));
        fs::write(&image, vec![7; 1 << 20])?;
        machine.drives.push(Drive::open(&image, access, Bus::Virtio)?);
        opened.push(fs::metadata(&image)?.ino());
        fs::write(&other, vec![8; 1 << 20])?;
        fs::rename(&other, &image)?;
        assert_ne!(opened.last(), Some(&fs::metadata(&image)?.ino()));
    }
    let guest = double()?.start(&machine)?;
    let open = fs::read_dir(format!("/proc/{}/fd", guest.id()))?.flatten();
    let files: Vec<_> = open.filter_map(|entry| Some((entry.path(), fs::metadata(entry.path()).ok()?))).collect();
    let images: Vec<_> = files.iter().filter(|(_, file)| file.is_file() && file.len() == 1 << 20).collect();
    // The copy is a file of its own, and has the bytes.
    assert!(images.len() >= 3, "{files:?}");
    for (path, _) in &images {
        assert!(fs::read(path)?.iter().all(|byte| *byte == 7), "{path:?}");
    }
    let has = |inode: &u64| images.iter().any(|(_, file)| file.ino() == *inode);
    assert!(has(&opened[0]) && !has(&opened[1]) && has(&opened[2]), "{files:?}");
    Ok(())
}

#[test]
fn a_file_that_no_guest_can_have_is_refused_before() {
    for (path, words) in [("/missing/image", "No such file"), ("/dev/null", "cannot open '/dev/null': ")] {
        for access in [Access::ReadOnly, Access::CopyOnWrite, Access::Write] {
            let refused = Drive::open(path, access, Bus::Virtio).map(drop).map_err(|error| nex_fault::whole(&error));
            assert!(refused.as_ref().is_err_and(|said| said.contains(path) && said.contains(words)), "{refused:?}");
        }
    }
}

/// A kernel that need not be unpacked.
fn guest_kernel(directory: &TempDir, parts: &Parts) -> Result<PathBuf> {
    let path = directory.path().join("vmlinux");
    fs::write(&path, guest::vmlinux(&parts.kernel)?)?;
    Ok(path)
}
