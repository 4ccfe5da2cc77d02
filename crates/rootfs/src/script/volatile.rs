//! What scripts leave behind that no image should have: logs, caches, and what is different each time.

/// Directories in which files are left out, and subdirectories stay.
const FILES_BELOW: [&[u8]; 9] = [
    b"root/.cache/",
    b"var/cache/apk/",
    b"var/cache/apt/",
    b"var/cache/dnf/",
    b"var/cache/ldconfig/",
    b"var/cache/man/",
    b"var/cache/yum/",
    b"var/lib/apt/lists/",
    b"var/log/",
];

/// Directories that a boot begins with empty.
const ALL_BELOW: [&[u8]; 3] = [b"run/", b"tmp/", b"var/tmp/"];

/// What must be a machine's own, and histories.
const FILES: [&[u8]; 8] = [
    b"etc/machine-id",
    b"root/.ash_history",
    b"root/.bash_history",
    b"root/.wget-hsts",
    b"var/lib/dbus/machine-id",
    b"var/lib/systemd/random-seed",
    b"var/lib/urandom/random-seed",
    b"var/lib/random-seed",
];

/// Copies that package managers keep of what they have just written: `dir/*-old`.
const OLD_IN: [&[u8]; 2] = [b"var/cache/debconf/", b"var/lib/dpkg/"];

/// Whether a path is left out when a script made or changed it.
pub fn is_volatile(path: &[u8], is_directory: bool) -> bool {
    let below = |directories: &[&[u8]]| directories.iter().any(|directory| path.starts_with(directory));
    if below(&ALL_BELOW) {
        return true;
    }
    let is_old = path.ends_with(b"-old") && below(&OLD_IN);
    !is_directory && (below(&FILES_BELOW) || FILES.contains(&path) || is_old)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_and_settings_stay() {
        for path in ["tmp/x", "var/log/apt/history.log", "etc/machine-id", "var/lib/dpkg/status-old"] {
            assert!(is_volatile(path.as_bytes(), false), "{path}");
        }
        for path in ["tmp", "var/lib/dpkg/status", "var/cache/debconf/config.dat", "etc/passwd", "var/tmpx"] {
            assert!(!is_volatile(path.as_bytes(), false), "{path}");
        }
        assert!(!is_volatile(b"var/log/apt", true));
        assert!(is_volatile(b"tmp/left", true));
    }
}
