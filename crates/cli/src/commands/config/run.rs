//! `nex rootfs config`: from arguments to a configuration.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nex_cancel::Workspace;
use nex_contract::Document;
use nex_file::whole;
use nex_guest::{Beside, Description, DescriptionForm, Error, Overlay, Root, Setup, VmmKind, VmmOptions};

use super::args::{ConfigArgs, StarterArg};
use super::render;
use serde::Serialize;

use crate::args::format::Format;
use crate::args::guest::VmmArg;
use crate::codes::OUTPUT;
use crate::commands::kernel;
use crate::diagnostic::Diagnostic;
use crate::output::{self, tell};

/// Prints the configuration, and writes what goes with it.
///
/// # Errors
/// When there is no such guest, or something cannot be written.
pub fn run(args: &ConfigArgs, format: Format) -> Result<(), Diagnostic> {
    if let Some(Overlay::Scratch(_)) = args.overlay_drive.overlay_drive {
        return Err(Diagnostic::usage(
            "a drive without a file cannot be in a configuration, and --overlay-drive names a size",
        )
        .hinting("name a file, or take --overlay"));
    }
    if let Some(directory) = args.write_to.as_deref().filter(|directory| directory.to_str().is_none()) {
        let name = nex_text::short_name(directory.as_os_str().as_bytes());
        let message =
            format!("the name of the directory '{name}' is not UTF-8, and a configuration has no other names");
        return Err(Diagnostic::usage(message).hinting("choose another with --write-to"));
    }
    let (kind, starter) = match args.starter {
        StarterArg::Firecracker => (VmmKind::Firecracker, VmmArg::Firecracker),
        StarterArg::Qemu => (VmmKind::Qemu, VmmArg::Qemu),
    };
    let vmm = VmmOptions {
        kind,
        jail: None,
        accelerator: args.accel.accelerator(),
        cache: nex_cache::default_directory(),
        workspace: Workspace::default(),
    };
    let root = Root::open(&args.file).map_err(Error::from)?;
    let kernel = kernel::default::kernel(&args.machine, starter, &root, "config")?;
    let overlay = args.overlay_drive.overlay_drive.clone().or(args.overlay.then_some(Overlay::Memory));
    let mut setup = Setup::new(&root, &args.machine.options(kernel, overlay, args.verity.hash_tree()), &vmm)?;
    setup.keep_init();
    let beside = args.write_to.as_deref().map_or(Beside::Nothing, Beside::Directory);
    let description = match args.starter {
        StarterArg::Firecracker => setup.for_firecracker(beside)?,
        StarterArg::Qemu => setup.for_qemu(&vmm, beside)?,
    };
    if let Some(directory) = args.write_to.as_deref().filter(|_| !description.files.is_empty()) {
        write(directory, &description.files)?;
    }
    print(&description, format)
}

/// By what a shell starts a guest, for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CommandLine<'a> {
    schema_version: u32,
    command_line: &'a str,
}

/// Prints a guest in the words of its VMM, and what there is to know about it. A configuration is JSON in any form of reports.
///
/// # Errors
/// When standard output is full, or nobody reads it any more.
pub fn print(description: &Description, format: Format) -> Result<(), Diagnostic> {
    description.warnings.iter().for_each(|warning| tell(render::warning(warning)));
    let text = match (format, description.form) {
        (Format::Json, DescriptionForm::CommandLine) => output::in_json(&CommandLine {
            schema_version: Document::Config.schema_version(),
            command_line: description.text.trim_end(),
        })?,
        _ => description.text.clone(),
    };
    output::print("the configuration", &text)
}

fn write(directory: &Path, files: &[(&'static str, Vec<u8>)]) -> Result<(), Diagnostic> {
    let failed = |cause| {
        Diagnostic::new(OUTPUT, format!("cannot write into the directory '{}'", directory.display())).caused(&cause)
    };
    whole::write_all(directory, files).map_err(failed)?;
    let names: Vec<_> = files.iter().map(|(name, _)| *name).collect();
    output::progress(render::written(directory, &names));
    Ok(())
}
