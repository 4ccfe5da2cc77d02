//! The kind of processor that the programs of a root filesystem are for, when no image says so.

use std::io;

use nex_inspect::View;
use nex_program::{Elf, LONGEST_LINE, Processor, Script};

use crate::guest::AGENT;

/// Programs that tell it: the agent that is there, and those that nearly every image has.
const WITNESSES: [&[u8]; 3] = [AGENT, b"/sbin/init", b"/bin/sh"];

/// What the first program that tells it is for; `None` when none does.
pub(crate) fn processor(view: &dyn View) -> io::Result<Option<Processor>> {
    for path in WITNESSES {
        let start = view.read(path, LONGEST_LINE as u64)?.unwrap_or_default();
        let start = match Script::parse(&start).ok().flatten() {
            Some(script) => view.read(&script.interpreter, LONGEST_LINE as u64)?.unwrap_or_default(),
            None => start,
        };
        if let Some(processor) = Elf::processor(&start) {
            return Ok(Some(processor));
        }
    }
    Ok(None)
}
