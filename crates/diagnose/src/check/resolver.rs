//! `/etc/resolv.conf`: who writes it in the guest, and whom it names; see resolv.conf(5).

use nex_contract::AGENT_RESOLV_CONF;
use nex_fault::{Remedy, Setting};
use nex_inspect::View;
use nex_program::{ResolvConf, Speech, has_resolved, is_dead_server};

use super::text::shown;
use super::{AGENT, Findings, InitKind};
use crate::rules;

fn remedy() -> Remedy {
    Remedy::say("make the image with nex rootfs")
        .set(Setting::ResolvConf, "kernel")
        .and(", which leads to what the kernel's ip= says, or with")
        .choose(Setting::ResolvConf)
        .and("FILE")
}

/// Reports on the name servers, and tells whether it is the kernel that gives them.
pub(super) fn check(view: &dyn View, init: Option<InitKind>, findings: &mut Findings) -> bool {
    let resolved = init == Some(InitKind::Systemd) && has_resolved(view);
    match ResolvConf::of(view) {
        ResolvConf::Kernel => return true,
        ResolvConf::MadeLater(path) if path == AGENT_RESOLV_CONF.as_bytes() => {
            if init != Some(InitKind::Agent) || !writes_it(view) {
                let evidence = format!(
                    "/etc/resolv.conf leads to {}, which only nex's own agent makes, as the init",
                    shown(&path)
                );
                findings.report(&rules::RESOLVER_DEAD, evidence, remedy());
            }
        }
        ResolvConf::MadeLater(_) => {}
        ResolvConf::Resolved(_) if resolved => {}
        ResolvConf::Resolved(path) | ResolvConf::Dangling(path) => {
            let evidence = format!("/etc/resolv.conf leads to {}, which nobody makes", shown(&path));
            findings.report(&rules::RESOLVER_DEAD, evidence, remedy());
        }
        ResolvConf::Missing | ResolvConf::NoFile => report_none(findings),
        ResolvConf::File { servers } => match servers.iter().find(|server| is_dead_server(server, resolved)) {
            Some(server) => {
                let evidence = format!("/etc/resolv.conf names {}, where nobody answers in the guest", shown(server));
                findings.report(&rules::RESOLVER_DEAD, evidence, remedy());
            }
            None if servers.is_empty() => report_none(findings),
            None => {}
        },
    }
    false
}

fn report_none(findings: &mut Findings) {
    findings.report(&rules::RESOLVER_NONE, "/etc/resolv.conf is missing or names none", remedy());
}

/// Whether the agent is one that writes the file.
fn writes_it(view: &dyn View) -> bool {
    Speech::of(view, AGENT).is_some_and(|speech| speech.unfit().is_none())
}
