//! The login on the serial console: whether there is one, and whether it can work.

use nex_inspect::{View, exists};

use super::init::Init;
use super::inittab::is_missing;
use super::text::{lines, shown};
use super::{Findings, InitKind, openrc, systemd};
use crate::{Finding, rules};

/// Where distributions have the login program for serial ports.
const AGETTY: [&[u8]; 2] = [b"/sbin/agetty", b"/usr/sbin/agetty"];

/// systemd's unit for the first serial port, and the one for whatever the kernel's console is.
const SERIAL: &[u8] = b"serial-getty@ttyS0.service";
const CONSOLE: &[u8] = b"console-getty.service";

/// Reports on the login, and tells whether there is one.
pub(super) fn check(view: &dyn View, init: &Init, findings: &mut Findings) -> bool {
    let login = match init.kind {
        InitKind::Agent | InitKind::Shell | InitKind::Other => return false,
        InitKind::Systemd => systemd_login(view, findings),
        InitKind::OpenRc | InitKind::Inittab => inittab_login(view, init),
    };
    match login {
        Login::None(evidence) => {
            let remedy = "install a getty (agetty of util-linux, or BusyBox's) and make the image with nex rootfs";
            findings.report(&rules::GETTY_NONE, evidence, remedy);
            return false;
        }
        Login::Needs(program) => {
            let evidence = format!("the login on the serial console is done by {program}, which is not there");
            findings.report(&rules::GETTY_PROGRAM, evidence, "install the package that has it");
            return false;
        }
        Login::Works => {}
    }
    check_securetty(view, findings);
    true
}

/// Why nobody reads what is typed where there is no login, out of what was found about that. A shell reads it, and of programs
/// that are not known nothing is said.
pub(super) fn unread(kind: InitKind, found: &[Finding]) -> Option<String> {
    const NO_LOGIN: [&str; 2] = [rules::GETTY_NONE.id, rules::GETTY_PROGRAM.id];
    match kind {
        InitKind::Agent => Some("the init is the agent, and nex's own reads nothing there".into()),
        InitKind::Shell | InitKind::Other => None,
        InitKind::Systemd | InitKind::OpenRc | InitKind::Inittab => {
            found.iter().find(|finding| NO_LOGIN.contains(&finding.id)).map(|finding| finding.evidence.clone())
        }
    }
}

enum Login {
    Works,
    None(String),
    /// The program that is missing.
    Needs(String),
}

fn inittab_login(view: &dyn View, init: &Init) -> Login {
    let has_service = init.kind == InitKind::OpenRc && openrc::is_enabled(view, b"agetty.ttyS0");
    match init.inittab.as_ref() {
        _ if has_service && has_agetty(view) => Login::Works,
        // BusyBox's init without a table asks for a shell on its console.
        None if init.kind == InitKind::Inittab => Login::Works,
        None if has_service => Login::Needs(shown(AGETTY[0])),
        None => Login::None("no service of OpenRC opens the serial console".into()),
        Some(table) if has_service && table.login().is_none() => Login::Needs(shown(AGETTY[0])),
        Some(table) => match table.login() {
            None => Login::None("/etc/inittab has no entry for the serial console".into()),
            Some(program) if is_missing(view, program) => Login::Needs(shown(program)),
            Some(_) => Login::Works,
        },
    }
}

/// systemd starts the unit for serial ports by itself where the kernel's console is one (systemd-getty-generator). That unit
/// waits for the port's device, which only udev announces.
fn systemd_login(view: &dyn View, findings: &mut Findings) -> Login {
    let enabled = systemd::enabled(view);
    let is_enabled = |name: &[u8]| enabled.iter().any(|enabled| enabled == name) && systemd::has_unit(view, name);
    let has_console = is_enabled(CONSOLE);
    let is_generated = systemd::has_program(view, "system-generators/systemd-getty-generator");
    let has_serial =
        !systemd::is_masked(view, SERIAL) && systemd::has_unit(view, b"serial-getty@.service") && is_generated;
    if !has_console && !has_serial {
        return Login::None("systemd has no unit for the serial console".into());
    }
    if has_serial && !systemd::has_program(view, "systemd-udevd") {
        let evidence = format!("{} is started for the console, and there is no systemd-udevd", shown(SERIAL));
        let remedy = format!("install udev, or mask it: ln -s /dev/null /etc/systemd/system/{}", shown(SERIAL));
        findings.report(&rules::GETTY_WAITS, evidence, remedy);
    }
    if has_agetty(view) { Login::Works } else { Login::Needs(shown(AGETTY[0])) }
}

fn has_agetty(view: &dyn View) -> bool {
    AGETTY.into_iter().any(|path| exists(view, path))
}

/// Reports a list of terminals for root, see securetty(5), that leaves out the serial console.
fn check_securetty(view: &dyn View, findings: &mut Findings) {
    let path = b"/etc/securetty";
    if exists(view, path) && !lines(view, path).iter().any(|line| line == b"ttyS0" || line == b"console") {
        findings.report(
            &rules::SECURETTY,
            "/etc/securetty does not list ttyS0",
            "add the line ttyS0, or take the file out",
        );
    }
}
