//! The host keys of SSH servers: who has one of an image can pass for all guests of it.

use nex_inspect::View;
use nex_program::SshServer;

use super::Findings;
use super::text::shown;
use crate::rules;

pub(super) fn check(view: &dyn View, findings: &mut Findings) {
    let keys: Vec<_> = SshServer::ALL.into_iter().flat_map(|server| server.host_keys(view)).collect();
    let Some(first) = keys.first() else { return };
    let more = match keys.len() {
        1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    let remedy = "remove them in a setup script: rm -f /etc/ssh/ssh_host_*_key* /etc/dropbear/dropbear_*_host_key*; nex rootfs has each \
                  guest make its own";
    findings.report(&rules::SSH_KEYS_SHARED, format!("{} is in the image{more}", shown(first)), remedy);
}
