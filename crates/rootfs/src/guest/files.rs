//! The directories and files that a system expects and container images lack.

use nex_inspect::{View, exists};

use super::change::Layer;
use super::text::{Attributes, Text};
use super::{Error, Hostname, lossy};

const DIRECTORIES: [(&[u8], u16); 6] =
    [(b"/dev", 0o755), (b"/proc", 0o755), (b"/run", 0o755), (b"/sys", 0o755), (b"/tmp", 0o1777), (b"/var", 0o755)];

/// Makes the directories that are missing.
pub(crate) fn add_directories(view: &dyn View, layer: &mut Layer) {
    for (path, mode) in DIRECTORIES.into_iter().filter(|(path, _)| !exists(view, path)) {
        layer.directory(path, mode, (0, 0));
    }
}

/// Lets the guest find itself: `hosts` and `hostname`. `docker export` leaves them empty.
pub(crate) fn add_network_names(view: &dyn View, hostname: Option<&Hostname>, layer: &mut Layer) -> Result<(), Error> {
    let found = Text::load(view, b"/etc/hostname", Attributes::PUBLIC)?;
    // hostname(5): what begins with # is a comment.
    let mut names = found.lines().map(<[u8]>::trim_ascii).filter(|line| !line.is_empty() && !line.starts_with(b"#"));
    let in_image = names.next().map(lossy);
    let name = hostname.map(Hostname::as_str).or(in_image.as_deref()).unwrap_or("nex");
    if hostname.is_some() || in_image.is_none() {
        layer.file(b"/etc/hostname", 0o644, format!("{name}\n"));
    }
    add_hosts(view, name, layer)
}

/// Adds what is missing in `hosts`: the guest's own name, and everything where there is no entry.
fn add_hosts(view: &dyn View, name: &str, layer: &mut Layer) -> Result<(), Error> {
    let mut hosts = Text::load(view, b"/etc/hosts", Attributes::PUBLIC)?;
    let entries: Vec<_> = hosts.lines().map(host_names).filter(|names| !names.is_empty()).collect();
    let is_known = entries.iter().flatten().any(|known| known.eq_ignore_ascii_case(name.as_bytes()));
    let is_empty = entries.is_empty();
    if is_empty {
        hosts.append(b"127.0.0.1\tlocalhost");
    }
    // A name with a space or an escape in it would be another one there.
    if !is_known && name.parse::<Hostname>().is_ok() {
        hosts.append(format!("127.0.1.1\t{name}").as_bytes());
    }
    if is_empty {
        hosts.append(b"::1\tlocalhost ip6-localhost ip6-loopback");
    }
    hosts.save(layer);
    Ok(())
}

/// The names in a line of `hosts`, after the address and before a comment.
fn host_names(line: &[u8]) -> Vec<Vec<u8>> {
    let entry = line.split(|&byte| byte == b'#').next().unwrap_or_default();
    let words = entry.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    words.skip(1).map(<[u8]>::to_vec).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::memory::Image;

    fn named(image: Image, hostname: Option<&str>) -> Image {
        let mut layer = Layer::default();
        let hostname = hostname.map(|name| name.parse().unwrap());
        add_network_names(&image, hostname.as_ref(), &mut layer).unwrap();
        image.apply(&layer.changes)
    }

    #[test]
    fn a_comment_is_no_name() {
        let guest = named(Image::default().file("/etc/hostname", 0o644, "# the machine's name\n\n  \nbox\n"), None);
        assert_eq!(guest.text("/etc/hostname"), "# the machine's name\n\n  \nbox\n");
        assert!(guest.text("/etc/hosts").contains("127.0.1.1\tbox\n"));
        let guest = named(Image::default().file("/etc/hostname", 0o644, "# no name\n"), None);
        assert_eq!(guest.text("/etc/hostname"), "nex\n");
    }

    #[test]
    fn hosts_get_the_own_name_where_they_lack_it() {
        let after = |hosts: &str, name: &str| {
            named(Image::default().file("/etc/hosts", 0o640, hosts), Some(name)).text("/etc/hosts")
        };
        let own = "127.0.0.1\tlocalhost\n10.0.0.1 Box.example box # nex\n";
        assert_eq!(after(own, "box"), own);
        assert_eq!(after(own, "BOX.EXAMPLE"), own);
        assert_eq!(after(own, "localhost"), own);
        assert_eq!(after(own, "nex"), format!("{own}127.0.1.1\tnex\n"), "a comment is no entry");
        assert_eq!(after("127.0.0.1 localhost", "nex"), "127.0.0.1 localhost\n127.0.1.1\tnex\n");
        let new = "127.0.0.1\tlocalhost\n127.0.1.1\tnex\n::1\tlocalhost ip6-localhost ip6-loopback\n";
        assert_eq!(after("", "nex"), new);
        assert_eq!(after("# nothing\n", "nex"), format!("# nothing\n{new}"));
        let stat = named(Image::default().file("/etc/hosts", 0o640, own), Some("nex")).stat(b"/etc/hosts").unwrap();
        assert_eq!(stat.mode, 0o640);
    }
}
