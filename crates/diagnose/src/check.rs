//! The contract between an image, its agent and a kernel, checked before anything boots.
//!
//! The order is that of a boot: the file system, the init, what the init starts, and then the kernel against all of it.

mod agent;
mod architecture;
mod boot_script;
mod console;
mod directories;
mod ext4;
mod files;
mod fstab;
mod image_config;
mod init;
mod inittab;
mod kernel;
mod machine_id;
mod openrc;
mod program;
mod report;
mod resolver;
mod service;
mod ssh_keys;
mod systemd;
mod text;
mod users;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use nex_ext4::FileType;
use nex_ext4::reader::{Recovery, Superblock};
use nex_fault::{Code, Fault, Note, Remedy, whole};
use nex_inspect::{RootFs, RootFsError, read_superblock};
use nex_program::Processor;

pub use architecture::architecture;
pub use init::{InitKind, InitRequest, InitSearch};
pub use program::{Flaw, Program, inspect, runs};
pub use report::{Report, Unchecked, Verdict};

use files::KernelFiles;

use crate::finding::{Finding, Rule, Severity, remedy_of};
use crate::{codes, rules};

/// Where the agent stands in an image.
const AGENT: &[u8] = nex_contract::AGENT.as_bytes();

/// What to check a root filesystem against.
#[derive(Clone, Debug)]
pub struct CheckOptions {
    /// The kernel that shall boot it.
    pub kernel: Option<PathBuf>,
    /// Bytes that its file may have, and that it may unpack to.
    pub max_kernel: u64,
    /// Its configuration, for a kernel that does not carry its own.
    pub kernel_config: Option<PathBuf>,
    /// `init=` of the kernel's command line.
    pub init: Option<Vec<u8>>,
    /// Whether the root will be an overlay over the image.
    pub overlay: bool,
}

impl Default for CheckOptions {
    fn default() -> Self {
        Self { kernel: None, max_kernel: nex_kernel::MAX_KERNEL, kernel_config: None, init: None, overlay: false }
    }
}

/// Why nothing could be checked.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// A file cannot be read.
    #[error("cannot read '{}'", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's word for it.
        #[source]
        cause: io::Error,
    },
    /// The configuration is none.
    #[error("'{}' is no kernel's configuration: it has no CONFIG_ line", .0.display())]
    NoConfig(PathBuf),
}

impl Fault for CheckError {
    fn code(&self) -> Code {
        match self {
            Self::Read { .. } => codes::UNREADABLE,
            Self::NoConfig(_) => codes::NO_CONFIG,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Read { .. } => None,
            Self::NoConfig(_) => Some(Remedy::say("give the .config that the kernel was built with")),
        }
    }
}

/// What has been found out so far.
#[derive(Default)]
struct Findings {
    found: Vec<Finding>,
    unchecked: Vec<Unchecked>,
}

impl Findings {
    fn add(&mut self, finding: Finding) {
        self.found.push(finding);
    }

    fn report(&mut self, rule: &Rule, evidence: impl Into<String>, remedy: impl Into<Remedy>) {
        self.add(Finding::new(rule, evidence, remedy));
    }

    fn leave_out(&mut self, what: &str, why: impl Into<Note>) {
        let why = why.into();
        self.unchecked.push(Unchecked { what: what.into(), why: why.fact().into(), hint: why.remedy().cloned() });
    }
}

/// What is known of the image when the kernel's turn comes.
struct Contract<'a> {
    superblock: &'a Superblock,
    has_verity: bool,
    wants_overlay: bool,
    /// What the init and the agent are for.
    processors: Vec<Processor>,
    init: Option<InitKind>,
    has_scripts: bool,
    has_console_device: bool,
    resolver_is_the_kernel_s: bool,
}

impl<'a> Contract<'a> {
    /// What is known when nothing in the image could be looked at.
    fn new(superblock: &'a Superblock) -> Self {
        Self {
            superblock,
            has_verity: false,
            wants_overlay: false,
            processors: Vec::new(),
            init: None,
            has_scripts: false,
            has_console_device: false,
            resolver_is_the_kernel_s: false,
        }
    }
}

/// Checks a root filesystem, and the kernel if there is one. How much of the file is read is bounded, whatever is in it
/// ([`RootFs`]).
///
/// # Errors
/// When a file cannot be read. What is wrong in the files is in the report.
pub fn check(root: &RootFs, options: &CheckOptions) -> Result<Report, CheckError> {
    let kernel = read_kernel(options)?;
    let mut report = report_on(root.path(), root.file_length(), kernel.as_ref());
    let mut findings = Findings::default();
    ext4::check(root.superblock(), &nex_text::shell_word(root.path()), &mut findings);
    let mut contract = Contract::new(root.superblock());
    check_image(root, options, kernel.as_ref(), &mut contract, &mut report, &mut findings);
    if let Some(files) = check_kernel_form(kernel.as_ref(), &mut findings) {
        kernel::check(files, &contract, &mut findings);
    }
    Ok(report.with(findings))
}

/// Opens a root filesystem and [checks](check) it; says what the file is where it cannot be opened as one.
///
/// # Errors
/// When a file cannot be read. What is wrong in the files is in the report.
pub fn check_file(path: &Path, options: &CheckOptions) -> Result<Report, CheckError> {
    let file = nex_file::open_disk(path).map_err(|cause| CheckError::Read { path: path.into(), cause })?;
    check_open_file(path, &file, options)
}

/// The same for a file that is open; `path` is what the report and messages call it.
///
/// # Errors
/// As [`check_file`].
pub fn check_open_file(path: &Path, file: &File, options: &CheckOptions) -> Result<Report, CheckError> {
    let failed = |cause| CheckError::Read { path: path.into(), cause };
    let length = nex_file::length(file).map_err(failed)?;
    let unread = match RootFs::from_file(path, file.try_clone().map_err(failed)?) {
        Ok(root) => return check(&root, options),
        Err(error) => error,
    };
    let kernel = read_kernel(options)?;
    let report = report_on(path, length, kernel.as_ref());
    let mut findings = Findings::default();
    let superblock = read_superblock(file.try_clone().map_err(failed)?).ok();
    if let Some(superblock) = &superblock {
        ext4::check(superblock, &nex_text::shell_word(path), &mut findings);
    }
    report_unread(unread, path, &mut findings)?;
    let files = check_kernel_form(kernel.as_ref(), &mut findings);
    if let (Some(files), Some(superblock)) = (files, &superblock) {
        kernel::check(files, &Contract::new(superblock), &mut findings);
    }
    Ok(report.with(findings))
}

/// What keeps every kernel from mounting the root filesystem in an open file: errors alone, and nothing of what is in it. `path` is
/// what they call the file.
///
/// # Errors
/// When the file cannot be read.
pub fn check_mount(path: &Path, file: &File) -> Result<Vec<Finding>, CheckError> {
    let failed = |cause| CheckError::Read { path: path.into(), cause };
    let mut findings = Findings::default();
    if let Ok(superblock) = read_superblock(file.try_clone().map_err(failed)?) {
        ext4::check(&superblock, &nex_text::shell_word(path), &mut findings);
    }
    let root = RootFs::from_file(path, file.try_clone().map_err(failed)?);
    if let Err(error) = root.and_then(|root| root.check_mount()) {
        report_unread(error, path, &mut findings)?;
    }
    findings.found.retain(|finding| finding.severity == Severity::Error);
    Ok(findings.found)
}

fn read_kernel(options: &CheckOptions) -> Result<Option<KernelFiles>, CheckError> {
    let kernel = options.kernel.as_deref();
    kernel.map(|path| KernelFiles::read(path, options.max_kernel, options.kernel_config.as_deref())).transpose()
}

/// The report before anything was found.
fn report_on(path: &Path, length: u64, kernel: Option<&KernelFiles>) -> Report {
    let mut report = Report::new(path.display().to_string(), length);
    report.kernel = kernel.and_then(report::kernel);
    report
}

/// The kernel, if it is one.
fn check_kernel_form<'a>(files: Option<&'a KernelFiles>, findings: &mut Findings) -> Option<&'a KernelFiles> {
    let files = files?;
    let Err(cause) = &files.kernel else { return Some(files) };
    let evidence = format!("{}: {}", files.path.display(), whole(cause));
    let remedy = remedy_of(cause, "give a vmlinux, a bzImage, or the Image of arm64");
    findings.report(&rules::NO_KERNEL, evidence, remedy);
    None
}

fn check_image(
    image: &RootFs,
    options: &CheckOptions,
    files: Option<&KernelFiles>,
    contract: &mut Contract<'_>,
    report: &mut Report,
    findings: &mut Findings,
) {
    // First, as what the budget still has is enough for it.
    let mount = image.check_mount();
    let config = files.and_then(|files| files.config.as_ref());
    let mut request = InitRequest {
        command_line: options.init.as_deref(),
        default: config.and_then(|config| config.text("DEFAULT_INIT")).map(str::as_bytes),
        processor: files.and_then(|files| files.kernel.as_ref().ok()).and_then(|kernel| kernel.processor),
    };
    let mut content = Findings::default();
    if init::check_kernel(image, request, &mut content) {
        // All that is wrong with the machines is said.
        request.processor = None;
    }
    check_content(image, request, contract, report, &mut content);
    contract.has_verity = image.has_verity();
    contract.wants_overlay = options.overlay;
    let unread = unread_journal(image.recovery());
    let trouble = image.take_trouble();
    match mount {
        Ok(()) => {}
        Err(RootFsError::Unsupported(why)) => findings.leave_out("whether the kernel mounts it", why),
        // Nothing in it is ever looked at.
        Err(error) => return report_damage(&whole(&error), image.path(), findings),
    }
    match trouble {
        None => {
            findings.found.append(&mut content.found);
            if let Some(why) = unread {
                findings.leave_out("what its journal holds", why);
            }
        }
        // What is missing may be there, behind what cannot be read: say that alone.
        Some(RootFsError::Unsupported(why)) => findings.leave_out(CONTENT, why),
        // What looks like damage may be what the journal would put right.
        Some(error) if unread.is_some() => {
            findings.leave_out(CONTENT, format!("its journal waits for its replay, and before that {}", whole(&error)));
        }
        Some(error) => report_damage(&whole(&error), image.path(), findings),
    }
}

/// Why something that waits in the journal is not read, if anything is not.
fn unread_journal(recovery: &Recovery) -> Option<String> {
    match recovery {
        Recovery::NotDone | Recovery::Done => None,
        Recovery::WithoutFastCommits => {
            Some("the kernel replays its fast commits (fast_commit), and nex does not".into())
        }
        Recovery::Failed(error) => Some(format!("it cannot be replayed: {}", whole(error))),
    }
}

/// The files in an image, as something that cannot be looked at.
const CONTENT: &str = "what is in the image";

/// What the files in the image say.
fn check_content(
    image: &RootFs,
    request: InitRequest<'_>,
    contract: &mut Contract<'_>,
    report: &mut Report,
    findings: &mut Findings,
) {
    let init = init::check(image, request, findings);
    let kind = init.as_ref().map(|init| init.kind);
    directories::check(image, kind, findings);
    if let Some(table) = init.as_ref().and_then(|init| init.inittab.as_ref()) {
        table.check(image, findings);
    }
    let agent = agent::check(image, init.as_ref(), request.processor, findings);
    let processor = request.processor.or_else(|| agent.as_ref()?.processor);
    boot_script::check(image, processor, findings);
    report.pid1 = image_config::check(image, processor, findings);
    let has_login = init.as_ref().is_some_and(|init| console::check(image, init, findings));
    report.unread_console =
        init.as_ref().filter(|_| !has_login).and_then(|init| console::unread(init.kind, &findings.found));
    users::check(image, has_login, findings);
    contract.resolver_is_the_kernel_s = resolver::check(image, kind, findings);
    if kind == Some(InitKind::Systemd) {
        systemd::check_target(image, findings);
        machine_id::check(image, findings);
    }
    ssh_keys::check(image, findings);
    if !matches!(kind, None | Some(InitKind::Agent | InitKind::Shell)) {
        fstab::check(image, image.superblock(), findings);
    }
    report.describe(image, init.as_ref(), agent.as_ref());
    let programs = init.as_ref().map(|init| &init.program).into_iter().chain(&agent);
    contract.init = kind;
    contract.processors = programs.clone().filter_map(|program| program.processor).collect();
    contract.has_scripts = matches!(kind, Some(InitKind::OpenRc | InitKind::Inittab));
    contract.has_scripts |= programs.clone().any(|program| program.is_script);
    contract.has_console_device = image.file_type(b"/dev/console") == Some(FileType::CharacterDevice);
}

/// Says why an image cannot be looked into.
fn report_unread(error: RootFsError, path: &Path, findings: &mut Findings) -> Result<(), CheckError> {
    match error {
        RootFsError::Host(cause) => return Err(CheckError::Read { path: path.into(), cause }),
        RootFsError::NotExt4 { .. } => {
            let remedy = remedy_of(&error, "give the ext4 file that nex rootfs or mke2fs makes");
            findings.report(&rules::NOT_EXT4, whole(&error), remedy);
        }
        RootFsError::CutOff { .. } => {
            findings.report(&rules::EXT4_CUT_OFF, whole(&error), "copy or make the file again");
        }
        RootFsError::Damaged(evidence) => report_damage(&evidence, path, findings),
        RootFsError::Unsupported(why) => findings.leave_out("the file system and what is in it", why),
    }
    Ok(())
}

fn report_damage(evidence: &str, path: &Path, findings: &mut Findings) {
    let file = nex_text::shell_word(path);
    findings.report(&rules::EXT4_DAMAGED, evidence, format!("see what e2fsck -fn {file} says; make the file again"));
}
