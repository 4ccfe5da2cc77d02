//! The directories and files that a system expects and container images lack.

use nex_program::{View, exists};

use super::change::Layer;
use super::text::{Attributes, Text};
use super::{Error, lossy};

/// Where the kernel writes the name servers of its `ip=` parameter, in the format of resolv.conf(5).
const KERNEL_RESOLVER: &[u8] = b"/proc/net/pnp";

const DIRECTORIES: [(&[u8], u16); 6] =
    [(b"/dev", 0o755), (b"/proc", 0o755), (b"/run", 0o755), (b"/sys", 0o755), (b"/tmp", 0o1777), (b"/var", 0o755)];

/// Makes the directories that are missing.
pub(crate) fn add_directories(view: &dyn View, layer: &mut Layer) {
    for (path, mode) in DIRECTORIES.into_iter().filter(|(path, _)| !exists(view, path)) {
        layer.directory(path, mode, (0, 0));
    }
}

/// Lets the guest find names and itself: the resolver, `hosts` and `hostname`. `docker export` leaves the last two empty.
pub(crate) fn add_network_names(view: &dyn View, hostname: Option<&str>, layer: &mut Layer) -> Result<(), Error> {
    if let Some(name) = hostname.filter(|name| !is_hostname(name)) {
        return Err(Error::Hostname { name: lossy(name.as_bytes()) });
    }
    layer.symlink(b"/etc/resolv.conf", KERNEL_RESOLVER);
    let found = Text::load(view, b"/etc/hostname", Attributes::PUBLIC)?;
    let in_image = found.lines().next().map(|line| lossy(line.trim_ascii()));
    let name = hostname.or(in_image.as_deref()).unwrap_or("nex");
    if hostname.is_some() || in_image.is_none() {
        layer.file(b"/etc/hostname", 0o644, format!("{name}\n"));
    }
    if Text::load(view, b"/etc/hosts", Attributes::PUBLIC)?.lines().next().is_none() {
        let hosts = format!("127.0.0.1\tlocalhost\n127.0.1.1\t{name}\n::1\tlocalhost ip6-localhost ip6-loopback\n");
        layer.file(b"/etc/hosts", 0o644, hosts);
    }
    Ok(())
}

/// Whether hostname(7) allows a name: 1 to 64 bytes, labels of letters, digits and inner hyphens.
fn is_hostname(name: &str) -> bool {
    const LONGEST: usize = 64;
    let is_label = |label: &str| {
        let letters = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        letters && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    name.len() <= LONGEST && name.split('.').all(is_label)
}
