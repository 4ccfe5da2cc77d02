//! `nex kernel`: from arguments to kernels, and from there to the user.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nex_contract::Document;
use nex_kernel::store::{self, Added, Existing, Installed, Wanted};
use nex_kernel::{Architecture, InspectOptions, Inspection, Launcher, Verdict};
use serde_json::{Value, json};

use super::args::{KernelAction, KernelCommand};
use super::{build, render};
use crate::args::common::CommonArgs;
use crate::args::format::Format;
use crate::args::guest::VmmArg;
use crate::codes::{INTERRUPTED, OUTPUT};
use crate::diagnostic::Diagnostic;
use crate::end::End;
use crate::interrupt::{self, Process};
use crate::output;

/// No guest can have the kernel.
const UNFIT: u8 = 1;

/// The kernel's configuration is not known.
const UNKNOWN: u8 = 3;

/// Does what the arguments ask for, and reports it.
///
/// # Errors
/// When that fails.
pub fn run(args: &KernelCommand, common: &CommonArgs, process: &Process) -> Result<End, Diagnostic> {
    let view = args.action.view();
    let is_json = common.format == Format::Json;
    let most = view.max_kernel;
    let mut end = End::DONE;
    let text = match &args.action {
        KernelAction::Ls(_) => {
            let directory = store::default_directory()?;
            let kernels = store::list(&directory, most)?;
            if is_json { output::in_json(&listed(&directory, &kernels))? } else { render::installed(&kernels) }
        }
        KernelAction::Path { platform, vmm, .. } => {
            let wanted = Wanted { architecture: for_processor(*platform)?, vmm: launcher(*vmm), most };
            let directory = store::default_directory()?;
            let found = store::newest_installed(&directory, &wanted)?;
            let path = || render::path(&found.path).ok_or_else(|| unprintable(&found.path));
            if is_json { output::in_json(&found.kernel)? } else { path()? }
        }
        KernelAction::Build { platform, rebuild, .. } => {
            let directory = store::default_directory()?;
            let reuse = if *rebuild { build::Reuse::Never } else { build::Reuse::Cached };
            let files = match build::build(for_processor(*platform)?, reuse, process)? {
                build::Outcome::Built(files) => files,
                build::Outcome::Interrupted(signal) => {
                    let name = interrupt::name(signal);
                    return Err(Diagnostic::new(
                        INTERRUPTED,
                        format!("interrupted by {name}; no kernel was installed"),
                    )
                    .by_signal(signal));
                }
            };
            let options = InspectOptions { most, config: None };
            let add = |file| store::add(&directory, file, &options, Existing::Replace);
            let added: Vec<Added> = files.iter().map(|file| add(file)).collect::<Result<_, _>>()?;
            if is_json {
                output::in_json(&json!({ "schemaVersion": Document::Kernel.schema_version(), "kernels": added }))?
            } else {
                added.iter().map(render::added).collect()
            }
        }
        KernelAction::Check { file, kernel_config, .. } => {
            let options = InspectOptions { most, config: kernel_config.as_deref() };
            let kernel = Inspection::of_file(file, &options)?;
            end = match kernel.verdict {
                Verdict::Fit => End::DONE,
                Verdict::Unfit => End::Code(UNFIT),
                Verdict::Unknown => End::Code(UNKNOWN),
            };
            if is_json { output::in_json(&kernel)? } else { render::inspection(&kernel) }
        }
        KernelAction::Add { file, kernel_config, replace, .. } => {
            let directory = store::default_directory()?;
            let options = InspectOptions { most, config: kernel_config.as_deref() };
            let existing = if *replace { Existing::Replace } else { Existing::Keep };
            let added = store::add(&directory, file, &options, existing)?;
            if is_json {
                output::in_json(&json!({ "schemaVersion": Document::Kernel.schema_version(), "kernels": [added] }))?
            } else {
                render::added(&added)
            }
        }
    };
    output::print("the report", &text)?;
    Ok(end)
}

/// Who takes a path from standard output would open another file.
fn unprintable(path: &Path) -> Diagnostic {
    let name = nex_text::short_name(path.as_os_str().as_bytes());
    Diagnostic::new(OUTPUT, format!("the name of the kernel '{name}' has characters that cannot be printed"))
        .hinting("move the directory of the kernels, as by XDG_DATA_HOME")
}

/// The processor that was asked for, or this machine's.
fn for_processor(asked: Option<Architecture>) -> Result<Architecture, Diagnostic> {
    asked.or_else(Architecture::host).ok_or_else(|| {
        Diagnostic::usage("guests have kernels for amd64 and arm64, and this machine is neither")
            .hinting("name one with --platform")
    })
}

/// Who has to start a kernel.
pub fn launcher(vmm: VmmArg) -> Option<Launcher> {
    match vmm {
        VmmArg::Auto => None,
        VmmArg::Qemu => Some(Launcher::Qemu),
        VmmArg::Firecracker => Some(Launcher::Firecracker),
    }
}

fn listed(directory: &Path, kernels: &[Installed]) -> Value {
    let kernels: Vec<Value> = kernels
        .iter()
        .map(|installed| match &installed.kernel {
            Ok(kernel) => json!(kernel),
            Err(error) => json!({ "path": installed.path.display().to_string(), "error": nex_fault::whole(error) }),
        })
        .collect();
    json!({ "schemaVersion": Document::Kernel.schema_version(), "directory": directory.display().to_string(), "kernels": kernels })
}
