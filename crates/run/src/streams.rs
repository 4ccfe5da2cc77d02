//! Where a guest's output goes.

use std::io::{self, Write};

/// Where what a guest writes goes.
pub struct Streams<'a> {
    /// The workload's standard output.
    pub out: &'a mut dyn Write,
    /// The workload's standard error.
    pub err: &'a mut dyn Write,
    /// What others write to the console, the kernel first of all.
    pub console: Option<&'a mut dyn Write>,
}

impl Streams<'_> {
    /// Hands on what is still in memory.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.out.flush()?;
        self.err.flush()
    }
}
