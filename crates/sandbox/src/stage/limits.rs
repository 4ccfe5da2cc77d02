//! What one process may take, by setrlimit(2).

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit};

use super::user_limits::PART;
use crate::Limits;

/// How many files a process may open, and may have that raised to: what systemd gives to services. Old programs close
/// all that they might have open, one by one.
///
/// As many may be on their way through sockets for each user, all processes together. So scripts have half of what there is:
/// monitor and init pass files on, also while scripts of another run use up what they have.
const FILES: (u64, u64) = (1024, 524_288);
const FILES_PART: u64 = 2;

/// What the kernel counts for a user in all, of which scripts have a part: signals that wait, and locked memory in bytes. They have
/// this many at least, as far as the caller has, which is what programs that keep keys need, and at most.
const PARTS: [(Resource, u64, u64); 2] = [(Resource::Sigpending, 256, 16_384), (Resource::Memlock, 64 << 10, 8 << 20)];

/// What scripts have none of: message queues of POSIX, and places in front of others at the processor.
const NONE: [Resource; 3] = [Resource::Msgqueue, Resource::Nice, Resource::Rtprio];

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

/// Lets this process, and those that it starts, have as many open files as it can.
pub fn raise_files() -> rustix::io::Result<()> {
    let Rlimit { maximum, .. } = rustix::process::getrlimit(Resource::Nofile);
    rustix::process::setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
}

/// Sets the limit on open files for this process and those that it starts, which pass on none of nex's own from then on.
pub fn set_files() -> rustix::io::Result<()> {
    let present = rustix::process::getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    lower(Resource::Nofile, (FILES.0, FILES.1.min(present / FILES_PART)))
}

/// Sets the other limits for this process and those that it starts.
///
/// The limits on processes, signals and locked memory are such for all of them together, whoever they run as: the kernel takes
/// them over for the user namespace that is made next.
pub fn set(limits: &Limits) -> rustix::io::Result<()> {
    for (resource, least, most) in PARTS {
        let present = rustix::process::getrlimit(resource).maximum.unwrap_or(u64::MAX);
        let part = (present / PART).clamp(least, most);
        lower(resource, (part, part))?;
    }
    NONE.into_iter().try_for_each(|resource| lower(resource, (0, 0)))?;
    lower(Resource::Nproc, (limits.processes, limits.processes))?;
    lower(Resource::Data, (limits.memory, limits.memory))
}

/// Sets a limit, as far as it can be had.
fn lower(resource: Resource, (current, maximum): (u64, u64)) -> rustix::io::Result<()> {
    let present = rustix::process::getrlimit(resource);
    let maximum = present.maximum.map_or(maximum, |present| present.min(maximum));
    rustix::process::setrlimit(resource, Rlimit { current: Some(current.min(maximum)), maximum: Some(maximum) })
}
