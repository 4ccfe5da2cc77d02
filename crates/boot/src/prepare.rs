//! What a boot makes ready before its guest starts.

use nex_contract::{PowerOff, Word};
use nex_diagnose::{Refused, check_mount};
use nex_guest::Setup;
use nex_vmm::Architecture;

use crate::agent;
use crate::error::Error;
use crate::options::Options;

/// Makes everything ready for the guest.
pub(crate) fn prepare(options: &Options) -> Result<Setup, Error> {
    if options.check {
        let findings = check_mount(options.root.path(), options.root.file())?;
        Refused::for_any(findings, options.root.path(), &options.machine.kernel.kernel)?;
    }
    agent::check(options)?;
    let mut setup = Setup::new(&options.root, &options.machine, &options.vmm)?;
    setup.keep_init();
    if setup.kernel.architecture == Architecture::Aarch64 && !options.interactive {
        // There is no keyboard to ask it by, so our agent ends it when it has reported.
        setup.machine.add_words(&Word::PowerOff(PowerOff::WithWorkload).to_string());
    }
    Ok(setup)
}
