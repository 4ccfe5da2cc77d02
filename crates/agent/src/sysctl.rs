//! Settings of the kernel that container engines make for what runs in a container, and that programs of images rely on.

use std::{fs, io};

/// Each below `/proc/sys`, and its value.
const SETTINGS: [(&str, &str); 2] = [
    // A web server that is not root listens on port 80.
    ("net/ipv4/ip_unprivileged_port_start", "0"),
    // ping works for every group, without a raw socket.
    ("net/ipv4/ping_group_range", "0 2147483647"),
];

/// Makes them. A kernel without a network has none of these.
///
/// # Errors
/// Each that the kernel refuses.
pub fn set() -> Vec<String> {
    let set = |(name, value): (&str, &str)| match fs::write(format!("/proc/sys/{name}"), value) {
        Ok(()) => None,
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => Some(format!("cannot set {} to {value}: {error}", name.replace('/', "."))),
    };
    SETTINGS.into_iter().filter_map(set).collect()
}
