//! What one process may take, by setrlimit(2).

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit};

use crate::Limits;

/// How many files a process may open, and may have that raised to: what systemd gives to services. Old programs close
/// all that they might have open, one by one.
const FILES: (u64, u64) = (1024, 524_288);

/// How large a core dump may be: 1 byte, for which the kernel begins none (`fs/coredump.c`). A limit of 0 forbids files
/// alone: a `core_pattern` with a pipe has the machine's root start a program that reads what a hostile process has made of
/// its memory.
const CORE: Rlimit = Rlimit { current: Some(1), maximum: Some(1) };

/// Lets neither this process nor those that it starts dump core, ever: only the machine's root can raise the limit.
///
/// Where a limit of 0 was set that this process cannot raise, it stays.
pub fn forbid_core_dumps() -> rustix::io::Result<()> {
    match rustix::process::setrlimit(Resource::Core, CORE) {
        Err(Errno::PERM) => Ok(()),
        result => result,
    }
}

/// Sets the limits for this process and those that it starts.
///
/// The limit on processes is one for all of them together, whoever they run as: the kernel takes it over for the user
/// namespace that is made next.
pub fn set(limits: &Limits) -> rustix::io::Result<()> {
    let lower = |resource, (current, maximum): (u64, u64)| {
        let present = rustix::process::getrlimit(resource);
        let maximum = present.maximum.map_or(maximum, |present| present.min(maximum));
        rustix::process::setrlimit(resource, Rlimit { current: Some(current.min(maximum)), maximum: Some(maximum) })
    };
    lower(Resource::Nproc, (limits.processes, limits.processes))?;
    lower(Resource::Data, (limits.memory, limits.memory))?;
    lower(Resource::Nofile, FILES)
}
