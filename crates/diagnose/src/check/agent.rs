//! The agent: whether it would run, and whether the image's init starts it.

use nex_contract::RUN_AGENT;
use nex_fault::{Remedy, Setting};
use nex_inspect::{View, end_of_links, exists};
use nex_program::{Processor, Speech};

use super::init::Init;
use super::program::{Program, Rules, inspect, runs};
use super::service::Service;
use super::text::{LONGEST, contains, read, shown};
use super::{AGENT, Findings, InitKind, openrc, systemd, users};
use crate::rules;

const RULES: Rules = Rules {
    missing: &rules::AGENT_MISSING,
    not_executable: &rules::AGENT_NOT_EXECUTABLE,
    no_program: &rules::AGENT_NO_PROGRAM,
    processor: &rules::AGENT_MACHINE,
    interpreter: &rules::AGENT_INTERPRETER,
    libraries: &rules::AGENT_LIBRARIES,
};

/// Who starts the agent.
enum Start {
    By(Service),
    /// Nobody, though all places are known where it could be said; and where it is said without effect.
    Nobody(String),
    /// The init is one that nex does not know.
    Unknown,
}

/// Reports what is wrong with the agent, and gives it back if it starts.
pub(super) fn check(
    view: &dyn View,
    init: Option<&Init>,
    kernel: Option<Processor>,
    findings: &mut Findings,
) -> Option<Program> {
    let is_launched = |init: &Init| end_of_links(view, &init.program.path) == RUN_AGENT.as_bytes();
    if let Some(init) = init.filter(|init| init.kind == InitKind::Agent && !is_launched(init)) {
        check_speech(view, findings);
        // Already looked at as the init.
        return Some(Program { path: AGENT.to_vec(), ..init.program.clone() });
    }
    let start = init.map_or(Start::Unknown, |init| start(view, init));
    if !exists(view, AGENT) {
        check_missing(view, &start, findings);
        return None;
    }
    let agent = match inspect(view, AGENT, kernel) {
        Ok(agent) => agent,
        Err(flaw) => {
            findings.add(RULES.finding(&flaw, "the agent", AGENT));
            return None;
        }
    };
    match &agent.flaw {
        Some(flaw) => findings.add(RULES.finding(flaw, "the agent", AGENT)),
        None => check_speech(view, findings),
    }
    check_processor(&agent, init, findings);
    match start {
        Start::By(service) => users::check_service(view, &service, findings),
        Start::Nobody(evidence) => {
            let remedy = "make the image with nex rootfs, which enables the agent in the way of the image's init";
            findings.report(&rules::AGENT_NOT_STARTED, evidence, remedy);
        }
        Start::Unknown => {}
    }
    Some(agent)
}

fn check_missing(view: &dyn View, start: &Start, findings: &mut Findings) {
    let path = shown(AGENT);
    if let Start::By(service) = start {
        let evidence = format!("{} starts {path}, which is not there", shown(&service.file));
        findings.report(
            &rules::AGENT_MISSING,
            evidence,
            format!("put the agent at {path}, or make the image with nex rootfs"),
        );
    } else if view.lstat(AGENT).is_some() {
        let evidence = format!("{path} is a symlink that leads nowhere");
        findings.report(&rules::AGENT_MISSING, evidence, format!("put the agent at {path}"));
    } else {
        let remedy = "none is needed to boot; nex rootfs adds one, which nex rootfs boot waits for";
        findings.report(&rules::AGENT_NONE, format!("{path} is not there"), remedy);
    }
}

/// Whether the agent and this nex understand each other.
fn check_speech(view: &dyn View, findings: &mut Findings) {
    let Some(speech) = Speech::of(view, AGENT) else { return };
    let Some(why) = speech.unfit() else { return };
    let (rule, remedy) = match speech {
        Speech::Own(_) => (
            &rules::AGENT_PROTOCOL,
            "give it an agent of this version, nex rootfs set-agent FILE AGENT, or take the nex of its version".into(),
        ),
        Speech::Lines => (
            &rules::AGENT_FOREIGN,
            "it knows the lines of the protocol, so nex rootfs boot waits for its report".into(),
        ),
        Speech::None => (
            &rules::AGENT_FOREIGN,
            Remedy::say("say to nex rootfs boot what shows that the guest is ready:")
                .choose(Setting::Ready)
                .and("REGEX or")
                .choose(Setting::ReadyAfter)
                .and("TIME"),
        ),
    };
    findings.report(rule, format!("{} {why}", shown(AGENT)), remedy);
}

fn check_processor(agent: &Program, init: Option<&Init>, findings: &mut Findings) {
    let (Some(own), Some(other)) = (agent.processor, init.and_then(|init| init.program.processor)) else { return };
    if !runs(own, other) && !runs(other, own) {
        let evidence = format!("the agent is for {own}, and the init for {other}");
        findings.report(
            &rules::AGENT_MACHINE,
            evidence,
            format!("build the agent for {other}: nex rootfs set-agent FILE AGENT"),
        );
    }
}

fn start(view: &dyn View, init: &Init) -> Start {
    let nobody = |what: &str| Start::Nobody(format!("{what} starts {}", shown(AGENT)));
    match init.kind {
        InitKind::Systemd => systemd::agent(view).map_or_else(Start::Nobody, Start::By),
        InitKind::OpenRc => openrc::agent(view).map_or_else(Start::Nobody, Start::By),
        InitKind::Shell => nobody("the shell that the kernel starts has no service that"),
        InitKind::Inittab if init.inittab.as_ref().is_some_and(|table| table.starts_agent(view)) => {
            Start::By(Service { file: b"/etc/inittab".to_vec(), user: None, group: None })
        }
        InitKind::Inittab if !has_script(view) => nobody("neither /etc/inittab nor a script in /etc/init.d"),
        InitKind::Agent => Start::By(Service { file: RUN_AGENT.into(), user: None, group: None }),
        InitKind::Inittab | InitKind::Other => Start::Unknown,
    }
}

/// Whether a script of the boot names the agent. Who calls it, and when, is not followed.
fn has_script(view: &dyn View) -> bool {
    let directory = b"/etc/init.d";
    let names = view.list(directory).unwrap_or_default();
    let names = names.iter().take_while(|_| !view.is_spent());
    let paths = names.map(|name| [directory, b"/".as_slice(), name].concat()).chain([b"/etc/rc.local".to_vec()]);
    paths.into_iter().any(|path| contains(&read(view, &path, LONGEST), AGENT))
}
