//! Bounds on what System V's shared memory, message queues and semaphores take: they belong to no process, so that nobody
//! would count them.

use std::io;

use super::settings::Settings;

/// Shared memory of all processes together, in bytes: as much as `/dev/shm` holds.
const SHARED: u64 = 64 << 20;

/// Queues. Each takes at most a mebibyte, by as many messages as its 16 KiB are bytes. fakeroot has two.
const QUEUES: u64 = 32;

/// Semaphores in a set, in all, in one call, and sets: what kernels before 3.19 had, and what programs are made for.
const SEMAPHORES: &str = "250 32000 100 128";

/// The calls, where they cannot be bounded.
pub const CALLS: [i64; 3] = [libc::SYS_shmget, libc::SYS_msgget, libc::SYS_semget];

/// Bounds what this IPC namespace, which is new, gives.
///
/// Before Linux 5.19 only the machine's root may, and in some containers nobody.
pub fn bound(settings: &Settings) -> io::Result<()> {
    let pages = SHARED / rustix::param::page_size() as u64;
    settings.set("kernel/shmmax", SHARED)?;
    settings.set("kernel/shmall", pages)?;
    settings.set("kernel/msgmni", QUEUES)?;
    settings.set("kernel/sem", SEMAPHORES)
}
