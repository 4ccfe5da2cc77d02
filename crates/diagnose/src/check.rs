//! The contract between an image, its agent and a kernel, checked before anything boots.
//!
//! The order is that of a boot: the file system, the init, what the init starts, and then the kernel against all of it.

mod agent;
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
mod ssh_keys;
mod systemd;
mod text;
mod users;

use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use nex_program::Processor;

pub use init::{InitKind, InitRequest, InitSearch};
pub use program::{Flaw, Program, inspect, runs};
pub use report::{Report, Unchecked, Verdict};

use files::KernelFiles;

use crate::finding::{Finding, Rule};
use crate::image::{Image, ImageError, Superblock};
use crate::rules;

/// Where the agent stands in an image.
const AGENT: &[u8] = nex_contract::AGENT.as_bytes();

/// The version of [`Report`]'s JSON form; changes when a key changes its meaning or goes.
pub const SCHEMA_VERSION: u32 = 1;

/// How long an image may take: a large one with a kernel takes less than a second.
const PATIENCE: Duration = Duration::from_secs(30);

/// What to check.
#[derive(Clone, Debug)]
pub struct CheckOptions {
    /// The root filesystem.
    pub image: PathBuf,
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
        let (image, kernel, max_kernel) = (PathBuf::new(), None, nex_kernel::MAX_KERNEL);
        Self { image, kernel, max_kernel, kernel_config: None, init: None, overlay: false }
    }
}

/// Why nothing could be checked.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// A file cannot be read.
    #[error("cannot read '{}': {cause}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's word for it.
        cause: io::Error,
    },
    /// The configuration is none.
    #[error("'{}' has no CONFIG_ line; give the .config that the kernel was built with", .0.display())]
    NoConfig(PathBuf),
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

    fn report(&mut self, rule: &Rule, evidence: impl Into<String>, remedy: impl Into<String>) {
        self.add(Finding::new(rule, evidence, remedy));
    }

    fn leave_out(&mut self, what: &str, why: impl Into<String>) {
        self.unchecked.push(Unchecked { what: what.into(), why: why.into() });
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

/// Checks an image, and the kernel if there is one.
///
/// An image can be made so that its reader goes round in it without end. A thread that has not come back after half a minute
/// is left alone then, and ends with the process.
///
/// # Errors
/// When a file cannot be read. What is wrong in the files is in the report.
pub fn check(options: &CheckOptions) -> Result<Report, CheckError> {
    let (at_work, ended) = mpsc::channel::<()>();
    let own = options.clone();
    let work = move || {
        let _at_work = at_work;
        look(&own)
    };
    let spawned = thread::Builder::new().name("check".into()).spawn(work);
    let thread = spawned.map_err(|cause| CheckError::Read { path: options.image.clone(), cause })?;
    if ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout) {
        let mut findings = Findings::default();
        let why = format!("looking at it takes more than {} seconds", PATIENCE.as_secs());
        findings.leave_out("the file system and what is in it", why);
        return Ok(Report::new(options.image.display().to_string(), 0).with(findings));
    }
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn look(options: &CheckOptions) -> Result<Report, CheckError> {
    let failed = |cause| CheckError::Read { path: options.image.clone(), cause };
    let file = nex_file::open_disk(&options.image).map_err(failed)?;
    let mut report = Report::new(options.image.display().to_string(), nex_file::length(&file).map_err(failed)?);
    let kernel = options
        .kernel
        .as_deref()
        .map(|path| KernelFiles::read(path, options.max_kernel, options.kernel_config.as_deref()));
    let kernel = kernel.transpose()?;
    report.kernel = kernel.as_ref().and_then(report::kernel);
    let mut findings = Findings::default();
    let superblock = match Superblock::open(file.try_clone().map_err(failed)?) {
        Ok(superblock) => superblock,
        Err(error) => {
            report_unread(error, options, &mut findings)?;
            check_kernel_form(kernel.as_ref(), &mut findings);
            return Ok(report.with(findings));
        }
    };
    ext4::check(&superblock, &nex_text::shell_word(&options.image), &mut findings);
    let mut contract = Contract::new(&superblock);
    match Image::open(file) {
        Ok(image) => check_image(&image, options, kernel.as_ref(), &mut contract, &mut report, &mut findings),
        Err(error) => report_unread(error, options, &mut findings)?,
    }
    if let Some(files) = check_kernel_form(kernel.as_ref(), &mut findings) {
        kernel::check(files, &contract, &mut findings);
    }
    Ok(report.with(findings))
}

/// The kernel, if it is one.
fn check_kernel_form<'a>(files: Option<&'a KernelFiles>, findings: &mut Findings) -> Option<&'a KernelFiles> {
    let files = files?;
    let Err(cause) = &files.kernel else { return Some(files) };
    let evidence = format!("{}: {cause}", files.path.display());
    findings.report(&rules::NO_KERNEL, evidence, "give a vmlinux, a bzImage, or the Image of arm64");
    None
}

fn check_image(
    image: &Image,
    options: &CheckOptions,
    files: Option<&KernelFiles>,
    contract: &mut Contract<'_>,
    report: &mut Report,
    findings: &mut Findings,
) {
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
    match image.take_trouble() {
        None => findings.found.append(&mut content.found),
        // What is missing may be there, behind what cannot be read: say that alone.
        Some(ImageError::Unsupported(why)) => findings.leave_out("what is in the image", why),
        Some(error) => report_damage(&error.to_string(), options, findings),
    }
}

/// What the files in the image say.
fn check_content(
    image: &Image,
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
    image_config::check(image, processor, findings);
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
    contract.has_console_device = image.file_type(b"/dev/console").is_some_and(|kind| kind.is_char_dev());
}

/// Says why an image cannot be looked into.
fn report_unread(error: ImageError, options: &CheckOptions, findings: &mut Findings) -> Result<(), CheckError> {
    match error {
        ImageError::Host(cause) => return Err(CheckError::Read { path: options.image.clone(), cause }),
        ImageError::NotExt4(evidence) => {
            findings.report(&rules::NOT_EXT4, evidence, "give the ext4 file that nex rootfs or mke2fs makes");
        }
        ImageError::CutOff { .. } => {
            findings.report(&rules::EXT4_CUT_OFF, error.to_string(), "copy or make the file again");
        }
        ImageError::Damaged(evidence) => report_damage(&evidence, options, findings),
        ImageError::Unsupported(why) => findings.leave_out("the file system and what is in it", why),
    }
    Ok(())
}

fn report_damage(evidence: &str, options: &CheckOptions, findings: &mut Findings) {
    let file = nex_text::shell_word(&options.image);
    findings.report(&rules::EXT4_DAMAGED, evidence, format!("see what e2fsck -fn {file} says; make the file again"));
}
