//! The init: where the kernel looks for it (`kernel_init`), and what kind it is.

use nex_contract::RUN_AGENT;
use nex_inspect::{RootFs, View, exists, name};
use nex_program::Processor;

use super::inittab::Inittab;
use super::program::{Flaw, Program, Rules, inspect, runs};
use super::text::{read, shown};
use super::{AGENT, Findings};
use crate::finding::Finding;
use crate::rules;

/// Where the kernel looks, in its order, when nobody tells it.
const PLACES: [&[u8]; 4] = [b"/sbin/init", b"/etc/init", b"/bin/init", SHELL];

/// What it takes when there is no init.
const SHELL: &[u8] = b"/bin/sh";

const RULES: Rules = Rules {
    missing: &rules::INIT_MISSING,
    not_executable: &rules::INIT_NOT_EXECUTABLE,
    no_program: &rules::INIT_NO_PROGRAM,
    processor: &rules::INIT_MACHINE,
    interpreter: &rules::INIT_INTERPRETER,
    libraries: &rules::INIT_LIBRARIES,
};

/// What the kernel makes of the places where an init can be.
#[derive(Clone, Debug)]
pub struct InitSearch {
    /// Those that it passed over, and why.
    pub passed: Vec<(Vec<u8>, Flaw)>,
    /// What it starts.
    pub init: Option<Program>,
}

/// What the kernel is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct InitRequest<'a> {
    /// `init=` of its command line: nothing else is tried then.
    pub command_line: Option<&'a [u8]>,
    /// `CONFIG_DEFAULT_INIT`: tried first.
    pub default: Option<&'a [u8]>,
    /// What the kernel is for.
    pub processor: Option<Processor>,
}

impl InitSearch {
    /// Looks where the kernel would.
    pub fn new(view: &dyn View, request: InitRequest<'_>) -> Self {
        let places: Vec<&[u8]> = match request.command_line {
            Some(only) => vec![only],
            None => request.default.into_iter().chain(PLACES).collect(),
        };
        let mut passed = Vec::new();
        for place in places {
            match inspect(view, place, request.processor) {
                Ok(init) => return Self { passed, init: Some(init) },
                Err(flaw) => passed.push((place.to_vec(), flaw)),
            }
        }
        Self { passed, init: None }
    }
}

/// The kinds of init that differ in what they start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitKind {
    /// The agent itself.
    Agent,
    /// systemd.
    Systemd,
    /// OpenRC, under an init of any kind.
    OpenRc,
    /// BusyBox's or System V's, without OpenRC.
    Inittab,
    /// A shell, because there is no init, or because it was asked for.
    Shell,
    /// Something else.
    Other,
}

/// The init that is started, and what it reads.
pub(super) struct Init {
    pub(super) program: Program,
    pub(super) kind: InitKind,
    pub(super) inittab: Option<Inittab>,
}

/// Reports what is wrong with the init, and tells what the kernel starts.
pub(super) fn check(view: &RootFs, request: InitRequest<'_>, findings: &mut Findings) -> Option<Init> {
    let search = InitSearch::new(view, request);
    let next = match &search.init {
        Some(init) => format!("; the kernel goes on to {}", shown(&init.path)),
        None => String::new(),
    };
    let unfit: Vec<_> = search.passed.iter().filter(|(_, flaw)| !matches!(flaw, Flaw::Missing(_))).collect();
    for (path, flaw) in &unfit {
        let finding = RULES.finding(flaw, "an init", path);
        findings.add(Finding { evidence: finding.evidence + &next, ..finding });
    }
    let missing = || search.passed.iter().map(|(_, flaw)| flaw.text()).collect::<Vec<_>>().join(", ");
    let Some(program) = search.init else {
        if unfit.is_empty() {
            let remedy = "put an init at /sbin/init; nex rootfs makes the agent the init where an image has none";
            findings.report(&rules::INIT_MISSING, missing(), remedy);
        }
        return None;
    };
    if let Some(flaw) = &program.flaw {
        findings.add(RULES.finding(flaw, "an init", &program.path));
    }
    check_processor(view, &program, findings);
    let is_shell = program.path == SHELL && request.command_line.is_none();
    if is_shell && unfit.is_empty() {
        let remedy = "put an init at /sbin/init, or make the image with nex rootfs, which adds one";
        findings.report(&rules::INIT_SHELL, missing(), remedy);
    }
    let (kind, inittab) = if is_shell { (InitKind::Shell, None) } else { kind(view, &program.path) };
    Some(Init { program, kind, inittab })
}

/// Reports a kernel that runs none of the image's inits, though they would run elsewhere, and tells whether it is one.
pub(super) fn check_kernel(view: &dyn View, request: InitRequest<'_>, findings: &mut Findings) -> bool {
    let Some(kernel) = request.processor else { return false };
    if InitSearch::new(view, request).init.is_some() {
        return false;
    }
    let elsewhere = InitSearch::new(view, InitRequest { processor: None, ..request }).init;
    let Some((init, processor)) = elsewhere.and_then(|init| Some((init.path, init.processor?))) else { return false };
    if runs(kernel, processor) {
        return false;
    }
    let evidence = format!("the kernel is for {kernel}, and {} for {processor}", shown(&init));
    findings.report(
        &rules::KERNEL_MACHINE,
        evidence,
        format!("take a kernel for {processor}, or an image for {kernel}"),
    );
    true
}

/// Without a kernel to compare with: an init among programs for another processor.
fn check_processor(view: &dyn View, init: &Program, findings: &mut Findings) {
    let shell = inspect(view, SHELL, None).ok().and_then(|shell| shell.processor);
    let (Some(own), Some(shell)) = (init.processor, shell) else { return };
    if !runs(shell, own) && !runs(own, shell) {
        let evidence = format!("{} is for {own}, and {} for {shell}", shown(&init.path), shown(SHELL));
        findings.report(&rules::INIT_MACHINE, evidence, "use programs for one kind of processor");
    }
}

fn kind(view: &RootFs, place: &[u8]) -> (InitKind, Option<Inittab>) {
    /// BusyBox is what it is called by, whatever else it is.
    const SHELLS: [&[u8]; 4] = [b"sh", b"ash", b"bash", b"dash"];
    if SHELLS.contains(&name(place)) {
        return (InitKind::Shell, None);
    }
    let program = view.canonical(place).unwrap_or_default();
    let agents = [AGENT, RUN_AGENT.as_bytes()].map(|path| view.canonical(path));
    if agents.contains(&Some(program.clone())) {
        return (InitKind::Agent, None);
    }
    match name(&program) {
        b"systemd" => (InitKind::Systemd, None),
        b"openrc-init" => (InitKind::OpenRc, None),
        _ if reads_inittab(view, place) => {
            let inittab = Inittab::load(view, name(&program) == b"busybox");
            let is_openrc = inittab.as_ref().is_some_and(|table| table.starts_openrc(view)) && has_openrc(view);
            (if is_openrc { InitKind::OpenRc } else { InitKind::Inittab }, inittab)
        }
        _ => (InitKind::Other, None),
    }
}

fn has_openrc(view: &dyn View) -> bool {
    [b"/sbin/openrc".as_slice(), b"/usr/sbin/openrc"].into_iter().any(|path| exists(view, path))
}

/// BusyBox's init and System V's know the table by name; they are called by many names.
fn reads_inittab(view: &dyn View, program: &[u8]) -> bool {
    /// BusyBox with everything built in has 2 MiB.
    const LONGEST: u64 = 8 << 20;
    memchr::memmem::find(&read(view, program, LONGEST), b"/etc/inittab").is_some()
}
