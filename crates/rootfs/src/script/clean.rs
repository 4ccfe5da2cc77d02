//! What scripts leave behind that no image should have, in groups that the user chooses by name.

use std::collections::BTreeSet;

/// A group of what is left out.
#[derive(Debug)]
pub struct CleanGroup {
    /// Its name.
    pub name: &'static str,
    /// Directories in which files are left out, and subdirectories stay.
    files_below: &'static [&'static str],
    /// Directories in which everything is left out.
    all_below: &'static [&'static str],
    /// Files; `*` is any part of a name.
    files: &'static [&'static str],
}

const NOTHING: CleanGroup = CleanGroup { name: "", files_below: &[], all_below: &[], files: &[] };

/// All groups, as the help lists them.
pub const CLEAN_GROUPS: [CleanGroup; 9] = [
    CleanGroup { name: "logs", files_below: &["var/log"], ..NOTHING },
    CleanGroup {
        name: "package-caches",
        files_below: &[
            "root/.cache",
            "var/cache/apk",
            "var/cache/apt",
            "var/cache/dnf",
            "var/cache/ldconfig",
            "var/cache/man",
            "var/cache/yum",
            "var/lib/apt/lists",
        ],
        // Copies that package managers keep of what they have just written.
        files: &["var/cache/debconf/*-old", "var/lib/dpkg/*-old"],
        ..NOTHING
    },
    // Directories that a boot begins with empty.
    CleanGroup { name: "temporary", all_below: &["run", "tmp", "var/tmp"], ..NOTHING },
    CleanGroup { name: "histories", files: &["root/.ash_history", "root/.bash_history", "root/.wget-hsts"], ..NOTHING },
    CleanGroup { name: "machine-id", files: &["etc/machine-id", "var/lib/dbus/machine-id"], ..NOTHING },
    CleanGroup {
        name: "random-seed",
        files: &["var/lib/random-seed", "var/lib/systemd/random-seed", "var/lib/urandom/random-seed"],
        ..NOTHING
    },
    CleanGroup {
        name: "ssh-host-keys",
        files: &[
            "etc/dropbear/dropbear_*_host_key",
            "etc/dropbear/dropbear_*_host_key.pub",
            "etc/ssh/ssh_host_*_key",
            "etc/ssh/ssh_host_*_key.pub",
        ],
        ..NOTHING
    },
    CleanGroup {
        name: "dhcp-leases",
        files_below: &["var/lib/dhclient", "var/lib/dhcpcd", "var/lib/systemd/network"],
        // dhcpd.leases is a server's, which does not start without it.
        files: &[
            "var/lib/NetworkManager/*.lease*",
            "var/lib/NetworkManager/secret_key",
            "var/lib/dhcp/dhclient*.lease*",
        ],
        ..NOTHING
    },
    CleanGroup {
        name: "cloud-init",
        all_below: &["var/lib/cloud/data", "var/lib/cloud/instances", "var/lib/cloud/seed", "var/lib/cloud/sem"],
        files: &["var/lib/cloud/instance"],
        ..NOTHING
    },
];

impl CleanGroup {
    /// What it leaves out, in words.
    pub fn rules(&self) -> impl Iterator<Item = String> {
        let files_below = self.files_below.iter().map(|path| format!("files below /{path}"));
        let all_below = self.all_below.iter().map(|path| format!("all below /{path}"));
        files_below.chain(all_below).chain(self.files.iter().map(|path| format!("/{path}")))
    }

    fn leaves_out(&self, path: &[u8], is_directory: bool) -> bool {
        let below = |directories: &[&str]| {
            directories
                .iter()
                .any(|directory| path.strip_prefix(directory.as_bytes()).is_some_and(|rest| rest.starts_with(b"/")))
        };
        let is_file = || self.files.iter().any(|pattern| matches(pattern.as_bytes(), path));
        below(self.all_below) || (!is_directory && (below(self.files_below) || is_file()))
    }
}

/// Whether a path is what a pattern with at most one `*` describes.
fn matches(pattern: &[u8], path: &[u8]) -> bool {
    let Some(star) = pattern.iter().position(|&byte| byte == b'*') else { return pattern == path };
    let (start, end) = (&pattern[..star], &pattern[star + 1..]);
    let Some(rest) = path.strip_prefix(start).filter(|rest| !rest.contains(&b'/')) else { return false };
    match end.strip_suffix(b"*") {
        None => rest.ends_with(end),
        Some(part) => rest.windows(part.len()).any(|window| window == part),
    }
}

/// The groups that are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clean(BTreeSet<&'static str>);

impl Clean {
    /// All groups.
    pub fn all() -> Self {
        Self(CLEAN_GROUPS.iter().map(|group| group.name).collect())
    }

    /// None.
    pub fn nothing() -> Self {
        Self(BTreeSet::new())
    }

    /// Those of these names.
    ///
    /// # Errors
    /// The first name that no group has.
    pub fn of<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, &'a str> {
        let known = |name| CLEAN_GROUPS.iter().find(|group| group.name == name).map(|group| group.name).ok_or(name);
        names.into_iter().map(known).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a path is left out when a script made or changed it.
    pub(super) fn leaves_out(&self, path: &[u8], is_directory: bool) -> bool {
        let mut chosen = CLEAN_GROUPS.iter().filter(|group| self.0.contains(group.name));
        chosen.any(|group| group.leaves_out(path, is_directory))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The groups that leave a file out.
    fn groups(path: &str) -> Vec<&'static str> {
        let leaves_out = |group: &&CleanGroup| group.leaves_out(path.as_bytes(), false);
        CLEAN_GROUPS.iter().filter(leaves_out).map(|group| group.name).collect()
    }

    #[test]
    fn each_group_leaves_out_its_own() {
        for (path, group) in [
            ("var/log/apt/history.log", "logs"),
            ("var/cache/apt/pkgcache.bin", "package-caches"),
            ("var/lib/dpkg/status-old", "package-caches"),
            ("tmp/x", "temporary"),
            ("root/.ash_history", "histories"),
            ("etc/machine-id", "machine-id"),
            ("var/lib/systemd/random-seed", "random-seed"),
            ("etc/ssh/ssh_host_ed25519_key", "ssh-host-keys"),
            ("etc/ssh/ssh_host_rsa_key.pub", "ssh-host-keys"),
            ("etc/dropbear/dropbear_rsa_host_key", "ssh-host-keys"),
            ("var/lib/dhcp/dhclient.eth0.leases", "dhcp-leases"),
            ("var/lib/dhcp/dhclient.leases~", "dhcp-leases"),
            ("var/lib/dhcpcd/eth0.lease", "dhcp-leases"),
            ("var/lib/dhcpcd/duid", "dhcp-leases"),
            ("var/lib/NetworkManager/internal-1-eth0.lease", "dhcp-leases"),
            ("var/lib/NetworkManager/secret_key", "dhcp-leases"),
            ("var/lib/cloud/instances/i-1/user-data.txt", "cloud-init"),
            ("var/lib/cloud/instance", "cloud-init"),
            ("var/lib/cloud/seed/nocloud/meta-data", "cloud-init"),
        ] {
            assert_eq!(groups(path), [group], "{path}");
        }
    }

    #[test]
    fn packages_and_settings_stay() {
        for path in [
            "tmp",
            "var/tmpx",
            "var/lib/dpkg/status",
            "var/cache/debconf/config.dat",
            "etc/passwd",
            "etc/ssh/sshd_config",
            "etc/ssh/ssh_host_key_policy",
            "etc/ssh/keys/ssh_host_rsa_key",
            "etc/ssh/ssh_host_/x_key",
            "etc/dropbear/dropbear.conf",
            "var/lib/dhcp/dhcpd.leases",
            "var/lib/NetworkManager/NetworkManager.state",
            "var/lib/cloud/scripts/per-boot/own",
        ] {
            assert_eq!(groups(path), <[&str; 0]>::default(), "{path}");
        }
        let all = Clean::all();
        assert!(!all.leaves_out(b"var/log/apt", true) && !all.leaves_out(b"var/lib/dhcpcd/x", true));
        assert!(all.leaves_out(b"tmp/left", true) && all.leaves_out(b"var/lib/cloud/seed/nocloud", true));
    }

    #[test]
    fn groups_are_chosen_by_name() {
        let some = Clean::of(["logs", "ssh-host-keys"]).unwrap();
        assert!(some.leaves_out(b"var/log/x", false) && !some.leaves_out(b"tmp/x", false));
        assert!(!Clean::nothing().leaves_out(b"tmp/x", false));
        assert_eq!(Clean::of(["logs", "log", "x"]), Err("log"));
        assert_eq!(Clean::of(CLEAN_GROUPS.iter().map(|group| group.name)), Ok(Clean::all()));
        assert!(CLEAN_GROUPS.iter().all(|group| group.rules().next().is_some()));
    }
}
