//! What one process may take, by setrlimit(2).

use rustix::process::{Resource, Rlimit};

use crate::Limits;

/// How many files a process may open, and may have that raised to: what systemd gives to services. Old programs close
/// all that they might have open, one by one.
const FILES: (u64, u64) = (1024, 524_288);

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
    lower(Resource::Core, (0, 0))?;
    lower(Resource::Nproc, (limits.processes, limits.processes))?;
    lower(Resource::Data, (limits.memory, limits.memory))?;
    lower(Resource::Nofile, FILES)
}
