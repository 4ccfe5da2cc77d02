//! Settings of the kernel that container engines make for what runs in a container, and that programs of images rely on.

use std::{fs, io};

/// Each below `/proc/sys`, and its value.
const SETTINGS: [(&str, &str); 4] = [
    // A web server that is not root listens on port 80.
    ("net/ipv4/ip_unprivileged_port_start", "0"),
    // ping works for every group, without a raw socket.
    ("net/ipv4/ping_group_range", "0 2147483647"),
    // The kernel leaves both off, and distributions put both on: in a directory that all may write to, root follows no link of another
    // user, and nobody gives another name to a file that is not theirs.
    ("fs/protected_hardlinks", "1"),
    ("fs/protected_symlinks", "1"),
];

/// Has the kernel write to the console only what it dies of: from now on, the console is a program's.
///
/// # Errors
/// When the kernel refuses.
pub fn quieten_kernel() -> Result<(), String> {
    // `console_loglevel`: messages below it are shown, and 0 is an emergency.
    fs::write("/proc/sys/kernel/printk", "1").map_err(|error| format!("cannot set kernel.printk to 1: {error}"))
}

/// Makes them. A kernel without a network has none of the first two.
///
/// # Errors
/// Each that the kernel refuses.
pub fn set() -> Vec<String> {
    let set = |(name, value): (&str, &str)| {
        let path = format!("/proc/sys/{name}");
        // In a container they may be the engine's, which has set them already.
        if fs::read_to_string(&path).is_ok_and(|now| now.split_whitespace().eq(value.split_whitespace())) {
            return None;
        }
        match fs::write(path, value) {
            Ok(()) => None,
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => Some(format!("cannot set {} to {value}: {error}", name.replace('/', "."))),
        }
    };
    SETTINGS.into_iter().filter_map(set).collect()
}
