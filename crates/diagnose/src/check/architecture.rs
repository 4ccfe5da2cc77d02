//! The kind of kernel that a root filesystem asks for.

use nex_inspect::RootFs;
use nex_kernel::Architecture;
use nex_program::Processor;

use super::AGENT;
use super::init::{InitRequest, InitSearch};
use super::program::inspect;

/// What a kernel has to be for that starts the programs of a root filesystem: its init, or else its agent. `None` where neither
/// tells, or microVMs have no such processor.
pub fn architecture(root: &RootFs) -> Option<Architecture> {
    let init = InitSearch::new(root, InitRequest::default()).init.and_then(|init| init.processor);
    let programs = init.or_else(|| inspect(root, AGENT, None).ok()?.processor)?;
    Architecture::ALL.into_iter().find(|architecture| {
        let kernel = Processor::for_architecture(architecture.oci_name());
        kernel.is_some_and(|kernel| programs == kernel || programs.is_compat_of(kernel))
    })
}
