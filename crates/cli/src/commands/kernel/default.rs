//! The kernel of a guest for which the user has named none.

use std::path::{Path, PathBuf};

use nex_guest::Root;
use nex_kernel::Architecture;
use nex_kernel::store::{self, BOOT, Origin, Wanted};

use super::run::launcher;
use crate::args::guest::{MachineArgs, VmmArg};
use crate::diagnostic::Diagnostic;
use crate::output;

/// The kernel that was named; else the newest one that fits this root filesystem, which a message names.
///
/// # Errors
/// When none was named and none fits.
pub fn kernel(args: &MachineArgs, vmm: VmmArg, root: &Root, command: &str) -> Result<PathBuf, Diagnostic> {
    if let Some(kernel) = &args.kernel {
        return Ok(kernel.clone());
    }
    let neither = || {
        Diagnostic::usage("guests are for amd64 and arm64, and this machine is neither")
            .hinting("name a kernel with --kernel")
    };
    let architecture = architecture(root).or_else(Architecture::host).ok_or_else(neither)?;
    let wanted = Wanted { architecture, vmm: launcher(vmm), most: args.max_kernel };
    // Without a home there are no installed kernels, and there may be those of the distribution.
    let directory = store::default_directory().ok();
    let found = store::newest(directory.as_deref(), Path::new(BOOT), &wanted)?;
    if let Some(why) = &found.left_out {
        output::tell(format_args!("warning: {why}"));
    }
    let origin = match found.origin {
        Origin::Installed => "the newest installed one that fits",
        Origin::Distribution => "the distribution's; 'nex kernel build' makes one that starts sooner",
    };
    output::progress(format_args!("{command}: kernel {} ({origin})", found.path.display()));
    Ok(found.path)
}

/// What the kernel has to be for. What keeps the root filesystem from being looked at is said when it is booted.
fn architecture(root: &Root) -> Option<Architecture> {
    nex_diagnose::architecture(&root.read().ok()?)
}
