//! The keys by which an SSH server shows who it is.

use nex_inspect::{View, exists};

/// Where OpenSSH and Dropbear keep them: the directory, and how names begin and end.
const PLACES: [(&[u8], &[u8], &[u8]); 2] =
    [(b"/etc/ssh", b"ssh_host_", b"_key"), (b"/etc/dropbear", b"dropbear_", b"_host_key")];

/// An SSH server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SshServer {
    /// OpenSSH's `sshd`.
    OpenSsh,
    /// Dropbear.
    Dropbear,
}

impl SshServer {
    /// Both.
    pub const ALL: [Self; 2] = [Self::OpenSsh, Self::Dropbear];

    /// The server's program and the one that makes its keys; `None` unless both are there.
    pub fn programs(self, view: &dyn View) -> Option<(Vec<u8>, Vec<u8>)> {
        const DIRECTORIES: [&str; 4] = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"];
        let find = |name: &str| {
            let paths = DIRECTORIES.map(|directory| format!("{directory}/{name}").into_bytes());
            paths.into_iter().find(|path| exists(view, path))
        };
        match self {
            Self::OpenSsh => Some((find("sshd")?, find("ssh-keygen")?)),
            Self::Dropbear => Some((find("dropbear")?, find("dropbearkey")?)),
        }
    }

    /// The paths of its private keys, in their order.
    pub fn host_keys(self, view: &dyn View) -> Vec<Vec<u8>> {
        let (directory, start, end) = PLACES[self as usize];
        let is_key =
            |name: &[u8]| name.starts_with(start) && name.ends_with(end) && name.len() > start.len() + end.len();
        let names = view.list_matching(directory, &is_key).unwrap_or_default();
        let mut keys: Vec<_> = names.iter().map(|name| [directory, b"/", name.as_slice()].concat()).collect();
        keys.sort();
        keys
    }
}
