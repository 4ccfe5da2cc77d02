//! The agent in a kernel's first root file system: it loads the modules that the root is behind, and goes on to the root.
//!
//! It is for kernels of distributions, which have the drivers of their drives in modules. Whoever makes the archive puts there:
//!
//! ```text
//! /init                 the agent
//! /modules/load-order   names of files in this directory, one a line, in the order in which they go in
//! /modules/NAME.ko      the modules, decompressed
//! ```

use std::ffi::{CStr, OsString};
use std::fs::File;
use std::path::Path;
use std::time::Duration;

use nex_protocol::Role;
use nix::kmod::{ModuleInitFlags, finit_module};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::statfs::{FsType, TMPFS_MAGIC, statfs};
use nix::unistd::{chdir, chroot};

use crate::command_line::CommandLine;
use crate::console::open_standard_streams;
use crate::host::Host;
use crate::mounts::{mount_device, mount_first};
use crate::overlay::become_init;
use crate::{device, device_mapper, shutdown};

const MODULES: &str = "/modules";
const LOAD_ORDER: &str = "/modules/load-order";
/// Where the root is mounted before it is the root.
const ROOT: &str = "/root";
/// How long the root's device may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// The kernel's `RAMFS_MAGIC`.
const RAMFS_MAGIC: i64 = 0x8584_58f6;
/// Where the kernel looks for an init, in its order.
const INITS: [&str; 4] = ["/sbin/init", "/etc/init", "/bin/init", "/bin/sh"];

/// Whether this is a kernel's first root file system: it is in memory, and its init has the name that only it has.
pub fn is_here(name: Option<&OsString>) -> bool {
    let in_memory = |kind: FsType| kind == TMPFS_MAGIC || kind.0 == RAMFS_MAGIC;
    name.is_some_and(|name| name == "/init") && statfs("/").is_ok_and(|root| in_memory(root.filesystem_type()))
}

/// Goes on to the root that the command line names. Returns only when it names none, and the agent is the init right here.
///
/// A failure is told, and ends the machine.
pub fn run(start_ms: u64, arguments: impl Iterator<Item = OsString>) {
    let problems = mount_first();
    open_standard_streams();
    let line = CommandLine::read();
    let Some(root) = line.value("root") else { return };
    let mut host = Host::of_init();
    host.tell_start(Role::Initramfs, start_ms);
    problems.into_iter().for_each(|problem| host.fail(problem));
    for problem in load_modules() {
        host.fail(problem);
    }
    let reason = match switch(&line, root) {
        Ok(()) => start_init(&line, arguments),
        Err(reason) => reason,
    };
    host.fail(reason);
    shutdown::end_machine(&mut host);
}

/// Loads the modules. One that does not load may be one that nobody needs; what follows shows it.
fn load_modules() -> Vec<String> {
    let Ok(list) = std::fs::read_to_string(LOAD_ORDER) else { return Vec::new() };
    list.lines().map(str::trim).filter(|name| !name.is_empty()).filter_map(|name| load(name).err()).collect()
}

fn load(name: &str) -> Result<(), String> {
    const NO_PARAMETERS: &CStr = c"";
    let path = Path::new(MODULES).join(name);
    let file = File::open(&path).map_err(|error| format!("cannot open the module {}: {error}", path.display()))?;
    match finit_module(&file, NO_PARAMETERS, ModuleInitFlags::empty()) {
        Ok(()) | Err(nix::Error::EEXIST) => Ok(()),
        Err(error) => Err(format!("the kernel does not take the module {}: {error}", path.display())),
    }
}

/// Mounts the root and makes it the root.
fn switch(line: &CommandLine, root: &str) -> Result<(), String> {
    if !root.starts_with("/dev/") {
        return Err(format!("root={root}: the initramfs finds roots by a device's name, such as root=/dev/vda"));
    }
    let patience = if line.has("rootwait") { None } else { Some(PATIENCE) };
    if let Some(description) = line.value("dm-mod.create") {
        device_mapper::create(description, patience)?;
    }
    device::wait_for(Path::new(root), patience)?;
    mount_root(line, root)?;
    // What is in memory is not needed any more.
    drop(std::fs::remove_dir_all(MODULES));
    drop(std::fs::remove_file("/init"));
    move_to(ROOT).map_err(|error| format!("cannot change to the root {root}: {error}"))
}

/// Mounts the root as the kernel would: read-only unless `rw` is said, by `rootfstype=` or by what works.
fn mount_root(line: &CommandLine, root: &str) -> Result<(), String> {
    let flags = match line.last_of(["ro", "rw"]) {
        Some("rw") => MsFlags::empty(),
        _ => MsFlags::MS_RDONLY,
    };
    let known = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
    let kinds: Vec<&str> = match line.value("rootfstype") {
        Some(kinds) => kinds.split(',').collect(),
        None => ["ext4"].into_iter().chain(known.lines().filter_map(|line| line.strip_prefix('\t'))).collect(),
    };
    let mut reasons = Vec::new();
    for kind in kinds {
        match mount_device(Path::new(root), Path::new(ROOT), kind, flags, line.value("rootflags")) {
            Ok(()) => return Ok(()),
            Err(reason) => reasons.push(reason),
        }
    }
    // The first is of the likeliest kind.
    reasons.dedup();
    Err(reasons.into_iter().next().unwrap_or_else(|| format!("no file system is named for the root {root}")))
}

/// Makes a mounted file system the root. The first root cannot be given up: the new one is laid over it.
fn move_to(root: &str) -> nix::Result<()> {
    for place in ["/proc", "/sys"] {
        let _ = umount2(place, MntFlags::MNT_DETACH);
    }
    let devices = Path::new(root).join("dev");
    if mount(Some("/dev"), &devices, None::<&str>, MsFlags::MS_MOVE, None::<&str>).is_err() {
        // A root without a /dev, where the init has to see to its devices itself.
        let _ = umount2("/dev", MntFlags::MNT_DETACH);
    }
    chdir(root)?;
    mount(Some("."), "/", None::<&str>, MsFlags::MS_MOVE, None::<&str>)?;
    chroot(".")?;
    chdir("/")
}

/// Becomes the root's init. Returns why not.
fn start_init(line: &CommandLine, arguments: impl Iterator<Item = OsString>) -> String {
    let arguments: Vec<OsString> = arguments.collect();
    if let Some(init) = line.value("init") {
        return become_init(init, arguments.into_iter());
    }
    let mut reasons = Vec::new();
    for init in INITS {
        if Path::new(init).exists() {
            reasons.push(become_init(init, arguments.clone().into_iter()));
        }
    }
    if reasons.is_empty() { format!("the root has no init: none of {}", INITS.join(", ")) } else { reasons.join("; ") }
}
