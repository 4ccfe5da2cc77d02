//! Bounds on what scripts use up of the caller's own limits.
//!
//! The kernel counts some things for each user, and what is in a user namespace also for who has made it: without a bound, a
//! script takes from the caller's other processes what they need.

use std::io;

use super::settings::Settings;

/// The part of a limit that scripts may use: one in so many.
pub const PART: u64 = 4;

/// Limits of the machine for each user, and those of a user namespace.
const INOTIFY: [(&str, &str); 2] = [
    ("fs/inotify/max_user_instances", "user/max_inotify_instances"),
    ("fs/inotify/max_user_watches", "user/max_inotify_watches"),
];

/// The calls, where they cannot be bounded.
#[cfg(target_arch = "x86_64")]
pub const CALLS: &[i64] = &[libc::SYS_inotify_init, libc::SYS_inotify_init1];
#[cfg(not(target_arch = "x86_64"))]
pub const CALLS: &[i64] = &[libc::SYS_inotify_init1];

/// Bounds what this user namespace gives, with all below it.
pub fn bound(settings: &Settings) -> io::Result<()> {
    INOTIFY.iter().try_for_each(|(of_users, of_namespace)| {
        let most = settings.number(of_users)?.div_ceil(PART);
        settings.set(of_namespace, most)
    })
}
