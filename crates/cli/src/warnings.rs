//! What makes a VMM less safe than it could be, on standard error.

use nex_guest::VmmReport;

use crate::output::tell;

/// Warnings that were given.
#[derive(Debug, Default)]
pub struct Warnings(Vec<String>);

impl Warnings {
    /// Gives those that were not given yet.
    pub fn give(&mut self, vmm: &VmmReport) {
        for warning in &vmm.warnings {
            if !self.0.contains(warning) {
                tell(format_args!("warning: {warning}"));
                self.0.push(warning.clone());
            }
        }
    }
}
