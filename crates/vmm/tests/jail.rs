//! A jailed Firecracker is another user's, has another root, gets at the machine's files, and leaves nothing behind. Root
//! alone can tell.

mod support;

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use nex_testkit::tiny_guest::Then;
use nex_testkit::{Failure, Result, firecracker, program};
use nex_vmm::{Access, Bus, Channel, ChannelOpening, Drive, Ending, Firecracker, Guest, Jail, Machine, Vmm};
use rustix::mount::{MountFlags, UnmountFlags};
use support::PATIENCE;
use support::hostile::{GROUP, USER};
use tempfile::TempDir;

/// A jailed Firecracker, where root can have one, and the directory of its jails.
fn jailed() -> Result<Option<(Firecracker, TempDir)>> {
    let (Some(program), Some(jailer)) = (firecracker::real()?, firecracker::jailer()?) else { return Ok(None) };
    if !firecracker::has_kvm() {
        return Ok(None);
    }
    let base = tempfile::tempdir()?;
    let mut jail = Jail::new(jailer, USER, GROUP);
    jail.base = base.path().into();
    Ok(Some((Firecracker::at(&program)?.jailed(jail)?, base)))
}

/// A machine with a tiny kernel, and the directory that it is in, which only root may enter.
fn machine(then: Then) -> Result<(Machine, TempDir)> {
    let (directory, kernel) = support::tiny(then)?;
    Ok((support::machine(kernel), directory))
}

fn drive(file: PathBuf, access: Access) -> Result<Drive> {
    Ok(Drive::open(file, access, Bus::Virtio)?)
}

/// The first line.
fn console(guest: &mut Guest) -> Result<String> {
    support::read_until(guest, "\n")
}

fn jails(base: &TempDir) -> Result<Vec<PathBuf>> {
    let found = fs::read_dir(base.path().join("firecracker"))?.flatten();
    Ok(found.map(|entry| entry.path()).collect())
}

#[test]
fn a_jailed_guest_runs_and_nothing_of_the_jail_stays() -> Result<()> {
    let Some((jailed, base)) = jailed()? else { return Ok(()) };
    let (mut machine, directory) = machine(Then::Hang)?;
    let image = directory.path().join("image");
    fs::write(&image, vec![7; 1 << 20])?;
    fs::set_permissions(&image, fs::Permissions::from_mode(0o400))?;
    let shared = directory.path().join("shared");
    fs::write(&shared, vec![8; 1 << 20])?;
    for (file, access) in [(&image, Access::CopyOnWrite), (&image, Access::ReadOnly), (&shared, Access::ReadOnly)] {
        machine.drives.push(drive(file.clone(), access)?);
    }
    machine.channel = Some(Channel { port_name: "nex.channel".into(), vsock_port: 1023 });
    let mut guest = jailed.clone().with_vsock(&[1024]).start(&machine)?;
    let written = console(&mut guest)?;
    assert!(written.starts_with(&format!("a tiny guest with {}", jailed.command_line(&machine))), "{written}");

    let process = fs::read_to_string(format!("/proc/{}/status", guest.id()))?;
    let line = |name: &str| process.lines().find(|line| line.starts_with(name)).map(str::to_owned).unwrap_or_default();
    assert_eq!(line("Uid:"), format!("Uid:\t{USER}\t{USER}\t{USER}\t{USER}"));
    assert_eq!(line("Gid:"), format!("Gid:\t{GROUP}\t{GROUP}\t{GROUP}\t{GROUP}"));
    assert_eq!(line("CapEff:"), "CapEff:\t0000000000000000");
    let namespace = |process: &str| fs::read_link(format!("/proc/{process}/ns/pid"));
    assert_ne!(namespace(&guest.id().to_string())?, namespace("self")?);
    // No file of it can have more than the largest one that it needs: here its memory's, as no drive is larger.
    let limits = fs::read_to_string(format!("/proc/{}/limits", guest.id()))?;
    let most = limits.lines().find_map(|line| line.strip_prefix("Max file size"));
    assert_eq!(most.and_then(|most| most.split_whitespace().next()), Some("268435456"), "{limits}");

    let [jail] = &jails(&base)?[..] else { return Err(Failure::new("not one jail")) };
    let inside = |name: &str| fs::metadata(jail.join("root").join(name));
    let its_root = fs::metadata(format!("/proc/{}/root/", guest.id()))?;
    assert_eq!((its_root.dev(), its_root.ino()), (inside("")?.dev(), inside("")?.ino()));
    // What the jail's user may read is linked, and what not is copied.
    assert_eq!(inside("drive2")?.ino(), fs::metadata(&shared)?.ino());
    assert_ne!(inside("drive1")?.ino(), fs::metadata(&image)?.ino());
    assert_eq!((inside("drive0")?.uid(), inside("drive0")?.mode() & 0o777), (USER, 0o600));
    assert!(inside("api").is_err());
    assert_eq!((inside("vsock")?.uid(), inside("vsock_1024")?.uid()), (USER, USER));
    assert!(guest.vsock().is_some_and(|vsock| vsock.listener(1024).is_some()));
    // It is connected to, and answers once the guest's kernel has a driver.
    let ChannelOpening::Asked(dial) = guest.open_channel()? else { return Err(Failure::new("it is open")) };
    assert!(matches!(dial.look()?, ChannelOpening::Asked(_)));

    drop(guest);
    assert!(jails(&base)?.is_empty());
    for file in [&image, &shared] {
        assert_eq!((fs::metadata(file)?.uid(), fs::metadata(file)?.nlink()), (0, 1));
    }
    assert!(jailed.name().ends_with(", jailed"), "{}", jailed.name());
    Ok(())
}

#[test]
fn a_jailed_guest_ends_by_itself() -> Result<()> {
    let Some((jailed, base)) = jailed()? else { return Ok(()) };
    let (mut machine, directory) = machine(Then::Reset)?;
    let disk = directory.path().join("disk");
    fs::write(&disk, vec![0; 1 << 20])?;
    chown(&disk, Some(USER), Some(GROUP))?;
    machine.drives.push(drive(disk, Access::Write)?);
    let mut guest = jailed.start(&machine)?;
    console(&mut guest)?;
    let ended = guest.wait(Instant::now() + PATIENCE)?.map(|(status, ending)| (status.success(), ending));
    assert_eq!(ended, Some((true, Ending::Reset)));
    assert_eq!(guest.said(), "");
    drop(guest);
    assert!(jails(&base)?.is_empty());
    Ok(())
}

#[test]
fn limits_are_set_and_their_control_group_goes() -> Result<()> {
    const GROUPS: [(u8, &str); 2] = [(1, "/sys/fs/cgroup/pids"), (2, "/sys/fs/cgroup")];
    let (Some(program), Some(jailer), Some((_, base))) = (firecracker::real()?, firecracker::jailer()?, jailed()?)
    else {
        return Ok(());
    };
    let mut jail = Jail { base: base.path().into(), ..Jail::new(jailer, USER, GROUP) };
    jail.cgroups = vec!["pids.max=77".to_owned()];
    let place = GROUPS.iter().find(|(version, _)| *version == jail.cgroup_version).map(|(_, place)| Path::new(place));
    let Some(place) = place.filter(|place| place.join("firecracker").exists() || place.join("cgroup.procs").exists())
    else {
        eprintln!("LEFT OUT: limits of a jail: there are no control groups that count processes");
        return Ok(());
    };
    let (machine, _directory) = machine(Then::Hang)?;
    let guest = Firecracker::at(&program)?.jailed(jail)?.start(&machine)?;
    let groups = fs::read_to_string(format!("/proc/{}/cgroup", guest.id()))?;
    let [jail] = &jails(&base)?[..] else { return Err(Failure::new("not one jail")) };
    let group = place.join("firecracker").join(jail.file_name().unwrap_or_default());
    assert!(groups.contains(&format!("/firecracker/{}", jail.file_name().unwrap_or_default().display())), "{groups}");
    assert_eq!(fs::read_to_string(group.join("pids.max"))?.trim(), "77");
    drop(guest);
    assert!(!group.exists());
    // The group of all jails is the machine's, and goes when no other jail has one.
    let _ = fs::remove_dir(place.join("firecracker"));
    Ok(())
}

#[test]
fn what_cannot_be_jailed_is_refused_in_words() -> Result<()> {
    let Some((jailed, base)) = jailed()? else { return Ok(()) };
    let (mut machine, directory) = machine(Then::Hang)?;
    let disk = directory.path().join("disk");
    fs::write(&disk, vec![0; 1 << 20])?;
    machine.drives.push(drive(disk, Access::Write)?);
    let refusal =
        |machine: &Machine| jailed.start(machine).err().map(|error| nex_fault::whole(&error)).unwrap_or_default();
    let text = refusal(&machine);
    assert!(text.contains(&format!("user {USER}")) && text.contains("may not write"), "{text}");
    machine.drives.clear();
    machine.memory_mib = 0;
    let text = refusal(&machine);
    assert!(text.contains("jailed refuses the machine: ") && text.contains("memory"), "{text}");
    assert!(jails(&base)?.is_empty());

    let other = directory.path().join("jailer");
    program::write(&other, "#!/bin/sh\necho Jailer v1.0.0\n")?;
    let Some(program) = firecracker::real()? else { return Ok(()) };
    let text =
        Firecracker::at(&program)?.jailed(Jail::new(other, USER, GROUP)).err().map(|error| nex_fault::whole(&error));
    assert!(text.as_deref().is_some_and(|text| text.contains("has the version 1.0.0")), "{text:?}");
    assert_eq!(Firecracker::at(&program)?.jailer(), firecracker::jailer()?);
    Ok(())
}

/// The variable that names the jails' directory to a run of this test that is to be killed.
const KILLED: &str = "NEX_TEST_JAILS_OF_A_KILLED_RUN";

#[test]
fn a_jail_that_a_killed_run_has_left_goes_with_the_next() -> Result<()> {
    if let Some(base) = std::env::var_os(KILLED) {
        return start_and_be_killed(base.into());
    }
    let Some((jailed, base)) = jailed()? else { return Ok(()) };
    let mut again = Command::new(std::env::current_exe()?);
    again.args(["--exact", "a_jail_that_a_killed_run_has_left_goes_with_the_next"]).env(KILLED, base.path());
    assert_eq!(again.stdout(Stdio::null()).stderr(Stdio::null()).status()?.signal(), Some(9));
    // Its Firecracker has ended with it, though it was another user's. Whoever has inherited it may not wait for it: then its
    // entry stays.
    let process = fs::read_to_string(base.path().join("number"))?;
    let state = || fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let deadline = Instant::now() + PATIENCE;
    while !(state().is_empty() || state().contains(") Z ")) {
        assert!(Instant::now() < deadline, "it still runs: {}", state());
        thread::sleep(Duration::from_millis(10));
    }
    let [abandoned] = &jails(&base)?[..] else { return Err(Failure::new("not one jail")) };
    File::open(abandoned)?.set_modified(SystemTime::now() - PATIENCE)?;
    let (machine, _directory) = machine(Then::Hang)?;
    let next = jailed.start(&machine)?;
    assert!(!abandoned.exists());
    assert_eq!(next.notes(), [""; 0]);
    drop(next);
    assert!(jails(&base)?.is_empty());
    Ok(())
}

fn start_and_be_killed(base: PathBuf) -> Result<()> {
    let (Some(program), Some(jailer)) = (firecracker::real()?, firecracker::jailer()?) else { return Ok(()) };
    let jail = Jail { base: base.clone(), ..Jail::new(jailer, USER, GROUP) };
    let (machine, directory) = machine(Then::Hang)?;
    let mut guest = Firecracker::at(&program)?.jailed(jail)?.start(&machine)?;
    console(&mut guest)?;
    let stat = fs::read_to_string(format!("/proc/{}/stat", guest.id()))?;
    assert!(stat.contains("(firecracker)"), "{stat}");
    fs::write(base.join("number"), guest.id().to_string())?;
    drop(directory);
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL)?;
    Ok(())
}

#[test]
fn what_cannot_be_removed_of_a_jail_is_told() -> Result<()> {
    let Some((jailed, base)) = jailed()? else { return Ok(()) };
    let (machine, _directory) = machine(Then::Hang)?;
    let mount = |place: &Path| -> Result<Mount> {
        fs::create_dir_all(place)?;
        rustix::mount::mount(c"none", place, c"tmpfs", MountFlags::empty(), None)?;
        Ok(Mount(place.into()))
    };
    let abandoned = base.path().join("firecracker/nex-abandoned");
    fs::create_dir_all(abandoned.join("root"))?;
    let earlier = mount(&abandoned.join("kept"))?;
    File::open(&abandoned)?.set_modified(SystemTime::now() - PATIENCE)?;

    let mut guest = jailed.start(&machine)?;
    let notes = guest.notes().to_vec();
    assert!(matches!(&notes[..], [note] if note.contains("nex-abandoned") && note.contains("'kept'")), "{notes:?}");
    assert!(!abandoned.join("root").exists());
    let own = jails(&base)?.into_iter().find(|jail| *jail != abandoned).ok_or_else(|| Failure::new("no jail"))?;
    let later = mount(&own.join("root/kept"))?;
    guest.clear();
    let notes = guest.notes().to_vec();
    let name = own.file_name().unwrap_or_default().to_string_lossy().into_owned();
    assert!(matches!(&notes[..], [_, note] if note.contains(&name) && note.contains("/kept'")), "{notes:?}");
    drop((guest, earlier, later));

    // Once it can be removed, it is.
    for left in jails(&base)? {
        File::open(&left)?.set_modified(SystemTime::now() - PATIENCE)?;
    }
    let mut last = jailed.start(&machine)?;
    last.clear();
    assert!(last.notes().is_empty() && jails(&base)?.is_empty(), "{:?}", last.notes());
    Ok(())
}

/// A mounted file system, which goes with this.
struct Mount(PathBuf);

impl Drop for Mount {
    fn drop(&mut self) {
        // What was moved up has another path.
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let base = self.0.ancestors().nth(2).unwrap_or(&self.0);
        for place in mounts.lines().filter_map(|line| line.split(' ').nth(1)).map(Path::new) {
            if place.starts_with(base) && place.file_name() == self.0.file_name() {
                let _ = rustix::mount::unmount(place, UnmountFlags::DETACH);
            }
        }
    }
}

#[test]
fn nobody_is_jailed_as_root_or_nobody() -> Result<()> {
    let (Some(program), Some(jailer)) = (firecracker::real()?, firecracker::jailer()?) else { return Ok(()) };
    for (uid, gid, words) in
        [(0, 0, "is root"), (0, GROUP, "is root"), (USER, 0, "root's"), (u32::MAX, GROUP, "nobody's")]
    {
        let refused = Firecracker::at(&program)?.jailed(Jail::new(jailer.clone(), uid, gid));
        let text = refused.err().map(|error| nex_fault::whole(&error)).unwrap_or_default();
        assert!(text.contains(&format!("{uid}:{gid}")) && text.contains(words), "{text}");
    }
    Ok(())
}
