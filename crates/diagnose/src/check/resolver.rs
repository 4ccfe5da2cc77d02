//! `/etc/resolv.conf`: who writes it in the guest, and whom it names; see resolv.conf(5).

use nex_program::{View, end_of_links, exists};

use super::text::{lines, shown};
use super::{Findings, systemd};
use crate::rules;

const FILE: &[u8] = b"/etc/resolv.conf";

/// What the kernel writes for its `ip=` parameter.
const KERNEL: &[u8] = b"/proc/net/pnp";

/// Where files are made when the guest runs.
const MADE_LATER: [&[u8]; 4] = [b"/proc/", b"/run/", b"/var/run/", b"/sys/"];

/// Docker's own server, which containers alone have, and systemd-resolved's.
const DOCKER: &[u8] = b"127.0.0.11";
const RESOLVED: &[u8] = b"127.0.0.53";

/// Reports on the name servers, and tells whether it is the kernel that gives them.
pub(super) fn check(view: &dyn View, findings: &mut Findings) -> bool {
    let remedy = "make the image with nex rootfs, which links it to /proc/net/pnp, where the kernel has what ip= says";
    let has_resolved = || systemd::has_program(view, "systemd-resolved");
    let end = without_parents(&end_of_links(view, FILE));
    if end == KERNEL {
        return true;
    }
    if end != FILE {
        let comes_later = MADE_LATER.iter().any(|directory| end.starts_with(directory));
        let is_resolved_s = end.starts_with(b"/run/systemd/resolve/");
        if (is_resolved_s && !has_resolved()) || (!comes_later && !exists(view, FILE)) {
            let evidence = format!("/etc/resolv.conf leads to {}, which nobody makes", shown(&end));
            findings.report(&rules::RESOLVER_DEAD, evidence, remedy);
        }
        return false;
    }
    let servers = servers(view);
    let dead = servers.iter().find(|server| *server == DOCKER || (*server == RESOLVED && !has_resolved()));
    if let Some(server) = dead {
        let evidence = format!("/etc/resolv.conf names {}, where nobody answers in the guest", shown(server));
        findings.report(&rules::RESOLVER_DEAD, evidence, remedy);
    } else if servers.is_empty() {
        findings.report(&rules::RESOLVER_NONE, "/etc/resolv.conf is missing or names none", remedy);
    }
    false
}

/// A path without `..`, as it is where no directory in it is a symlink.
fn without_parents(path: &[u8]) -> Vec<u8> {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|&byte| byte == b'/').filter(|part| !part.is_empty() && *part != b".") {
        if part == b".." {
            parts.pop();
        } else {
            parts.push(part);
        }
    }
    [b"/".as_slice(), &parts.join(&b'/')].concat()
}

fn servers(view: &dyn View) -> Vec<Vec<u8>> {
    let words = |line: Vec<u8>| {
        let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        (words.next() == Some(b"nameserver")).then(|| words.next().map(<[u8]>::to_vec))?
    };
    lines(view, FILE).into_iter().filter_map(words).collect()
}
