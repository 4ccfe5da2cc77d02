//! `nex rootfs explain`: from a console to the reason why a boot failed.

use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nex_contract::Document;
use nex_diagnose::console::{Explanation, Known, explain};
use nex_fault::Fault;
use nex_file::kind::{self, FileKind, Format as Kind};
use nex_inspect::{RootFs, RootFsError};
use serde::Serialize;

use super::args::ExplainArgs;
use super::render;
use crate::args::common::CommonArgs;
use crate::args::format::Format;
use crate::codes::INPUT;
use crate::diagnostic::Diagnostic;
use crate::output;

/// The longest log that is read, in bytes; a boot writes less than a megabyte.
const LONGEST: u64 = 256 << 20;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    schema_version: u32,
    #[serde(flatten)]
    explanation: Explanation,
    /// Why the image could not be looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    unread_image: Option<String>,
}

/// Reads the log, and says why the boot failed.
///
/// # Errors
/// When the log or the image cannot be read, or what was named as the log is plainly something else.
pub fn run(args: &ExplainArgs, common: &CommonArgs) -> Result<(), Diagnostic> {
    let console = read(args)?;
    let (image, unread_image) = match args.rootfs.as_deref().map(open).transpose()? {
        Some(Ok(image)) => (Some(image), None),
        // The log may be that of this very damage.
        Some(Err(damage)) => (None, Some(nex_fault::whole(&damage))),
        None => (None, None),
    };
    let command_line = args.command_line.as_ref().map(|words| words.as_bytes());
    let explanation = explain(&console, &Known { image: image.as_ref(), command_line, end: None });
    let text = match common.format {
        Format::Text => render::explanation(&explanation, unread_image.as_deref()),
        Format::Json => {
            output::in_json(&Report { schema_version: Document::Explain.schema_version(), explanation, unread_image })?
        }
    };
    output::print("the report", &text)
}

fn read(args: &ExplainArgs) -> Result<Vec<u8>, Diagnostic> {
    let name = if args.log == "-" { "standard input".into() } else { args.log.display().to_string() };
    let unreadable = |error| Diagnostic::new(INPUT, format!("cannot read the log {name}")).caused(&error);
    let mut console = Vec::new();
    let whole = if args.log == "-" {
        io::stdin().take(LONGEST + 1).read_to_end(&mut console).map_err(unreadable)?;
        console.len() as u64 <= LONGEST
    } else if let Some(content) = nex_file::read_given_within(Path::new(&args.log), LONGEST).map_err(unreadable)? {
        console = content;
        true
    } else {
        let log = nex_file::open_regular(Path::new(&args.log)).map_err(unreadable)?;
        log.take(kind::START as u64).read_to_end(&mut console).map_err(unreadable)?;
        false
    };
    if let Some(kind) = kind::of(&console).filter(|kind| !kind.is_text()) {
        return Err(something_else(&name, kind));
    }
    if whole {
        return Ok(console);
    }
    Err(Diagnostic::new(INPUT, format!("{name} is longer than 256 MiB"))
        .hinting("give its end alone: tail -c 100M LOG | nex rootfs explain -"))
}

/// The refusal of what no guest has written on its console.
fn something_else(name: &str, kind: &FileKind) -> Diagnostic {
    let message = format!("{name} is no log of a console: it is {}", kind.what);
    let hint = match kind.unpack {
        Some(unpack) => format!("hand over what is in it: {unpack} LOG | nex rootfs explain -"),
        None if kind.format == Kind::Ext4 => {
            "name the log of its guest's console, and the image behind --rootfs: nex rootfs explain LOG --rootfs FILE"
                .into()
        }
        None => "name the file with what the guest has written on its console".into(),
    };
    Diagnostic::new(INPUT, message).hinting(hint)
}

/// The root filesystem, or why it cannot be read.
fn open(path: &Path) -> Result<Result<RootFs, RootFsError>, Diagnostic> {
    match RootFs::open(path) {
        Err(error @ RootFsError::Host(_)) => {
            Err(Diagnostic::new(error.code(), format!("cannot read the root filesystem {}", path.display()))
                .caused(&error))
        }
        image => Ok(image),
    }
}
