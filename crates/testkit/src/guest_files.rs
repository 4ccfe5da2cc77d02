//! What the guest's layer may add to an image or change in it.

/// What an image gets that has nothing of its own: directories and files, each alone.
pub const ALWAYS: [&str; 23] = [
    "dev",
    "etc",
    "etc/group",
    "etc/hostname",
    "etc/hosts",
    "etc/nex",
    "etc/nex/image.json",
    "etc/passwd",
    "etc/resolv.conf",
    "etc/shadow",
    "home",
    "home/nex",
    "proc",
    "run",
    "sbin",
    "sbin/init",
    "sys",
    "tmp",
    "usr",
    "usr/local",
    "usr/local/bin",
    "usr/local/bin/agent",
    "var",
];

/// What is added or changed beside that where an image has an init, users or a machine id of its own. A name with a slash at its end
/// is a directory with all beneath it.
pub const BY_IMAGE: [&str; 12] = [
    "etc/gshadow",
    "etc/init.d/agent",
    "etc/init.d/agetty.ttyS0",
    "etc/init.d/nex-boot-script",
    "etc/inittab",
    "etc/machine-id",
    "etc/nex/boot-script",
    "etc/nex/run-boot-script",
    "etc/runlevels/",
    "etc/securetty",
    "etc/systemd/system/",
    "usr/sbin/init",
];

/// Whether a path, relative to the root, is one of them.
pub fn contains(path: &[u8]) -> bool {
    let covers = |name: &str| match name.strip_suffix('/') {
        Some(directory) => path.starts_with(name.as_bytes()) || path == directory.as_bytes(),
        None => path == name.as_bytes(),
    };
    ALWAYS.into_iter().chain(BY_IMAGE).any(covers)
}
