//! `/etc/resolv.conf`: which name servers it gives, or who writes it in the guest; see resolv.conf(5).

use nex_inspect::{Kind, View, absolute, end_of_links, exists};

/// Where programs look for their name servers.
pub const RESOLV_CONF: &[u8] = b"/etc/resolv.conf";

/// What the kernel writes for its `ip=` parameter, in the form of resolv.conf(5), if it has `CONFIG_IP_PNP`.
pub const KERNEL_RESOLV_CONF: &[u8] = b"/proc/net/pnp";

/// Where files are made when the guest runs.
const MADE_LATER: [&[u8]; 4] = [b"/proc/", b"/run/", b"/var/run/", b"/sys/"];

/// Where systemd-resolved writes.
const RESOLVED_S: [&[u8]; 2] = [b"/run/systemd/resolve/", b"/var/run/systemd/resolve/"];

/// Docker's own server, which containers alone have, and systemd-resolved's.
const DOCKER: &[u8] = b"127.0.0.11";
const RESOLVED: &[u8] = b"127.0.0.53";

/// More than any such file has, in bytes.
const LONGEST: u64 = 1 << 20;

/// What `/etc/resolv.conf` of a root filesystem is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResolvConf {
    /// Nothing.
    Missing,
    /// A file of the root filesystem, there itself or at the end of a link, with these servers.
    File {
        /// The servers' addresses.
        servers: Vec<Vec<u8>>,
    },
    /// A link to [`KERNEL_RESOLV_CONF`].
    Kernel,
    /// A link to a file that systemd-resolved makes.
    Resolved(Vec<u8>),
    /// A link to a file that somebody else makes when the guest runs.
    MadeLater(Vec<u8>),
    /// A link to nothing.
    Dangling(Vec<u8>),
    /// A directory or a device.
    NoFile,
}

impl ResolvConf {
    /// Looks.
    pub fn of(view: &dyn View) -> Self {
        let end = absolute(&end_of_links(view, RESOLV_CONF));
        let is_below = |directory: &&[u8]| end.starts_with(directory);
        match view.stat(RESOLV_CONF).map(|stat| stat.kind) {
            _ if end == KERNEL_RESOLV_CONF => Self::Kernel,
            _ if RESOLVED_S.iter().any(is_below) => Self::Resolved(end),
            _ if MADE_LATER.iter().any(is_below) => Self::MadeLater(end),
            None if view.lstat(RESOLV_CONF).is_none() => Self::Missing,
            // A link is what is seen of links that go round.
            None | Some(Kind::Symlink) => Self::Dangling(end),
            Some(Kind::File) => {
                let text = view.read(RESOLV_CONF, LONGEST).ok().flatten().unwrap_or_default();
                Self::File { servers: name_servers(&text).map(<[u8]>::to_vec).collect() }
            }
            Some(_) => Self::NoFile,
        }
    }
}

/// The addresses of the name servers in a text.
pub fn name_servers(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split(|&byte| byte == b'\n').filter_map(|line| {
        // The keyword begins its line: what is indented is none.
        let rest = line.strip_prefix(b"nameserver").filter(|rest| rest.first().is_some_and(u8::is_ascii_whitespace))?;
        rest.split(u8::is_ascii_whitespace).find(|word| !word.is_empty())
    })
}

/// Whether nobody answers at a server's address in a guest; `resolved` tells whether systemd-resolved runs there.
pub fn is_dead_server(server: &[u8], resolved: bool) -> bool {
    server == DOCKER || (server == RESOLVED && !resolved)
}

/// Whether systemd-resolved is there.
pub fn has_resolved(view: &dyn View) -> bool {
    [b"/usr/lib/systemd/systemd-resolved".as_slice(), b"/lib/systemd/systemd-resolved"]
        .into_iter()
        .any(|path| exists(view, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_what_the_c_library_takes_for_one() {
        let text = b"# nameserver 192.0.2.9\nnameserver 192.0.2.1\nnameserver\t2001:db8::1 # own\nnameserver\n;nameserver x\n \
                     nameserver 192.0.2.8\nnameservers 192.0.2.7\nsearch nameserver\nnameserver 192.0.2.2";
        let servers: Vec<_> = name_servers(text).collect();
        assert_eq!(servers, [&b"192.0.2.1"[..], b"2001:db8::1", b"192.0.2.2"]);
    }
}
