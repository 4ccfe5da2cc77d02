//! A run that its caller leaves as soon as it has begun.

use std::process::Stdio;

use nex_supervise::Id;
use nex_supervise::api::Notice;

use super::args::RunArgs;
use super::connection::{Connection, lost, refused};
use super::sweep;
use crate::args::format::Format;
use crate::diagnostic::Diagnostic;
use crate::end::End;
use crate::interrupt::Interrupt;
use crate::output::{self, tell, tell_lines};

/// Starts the guest, and prints its id once a VMM runs it.
///
/// # Errors
/// When there is no supervisor, or it is killed.
pub fn run(args: &RunArgs, mut interrupt: Interrupt) -> Result<End, Diagnostic> {
    let mut connection = Connection::start(Stdio::null(), Stdio::null())?;
    sweep::run();
    let mut created: Option<Id> = None;
    let is_json = args.format == Format::Json;
    while let Some(notices) = connection.wait(&mut interrupt) {
        for notice in notices {
            match notice {
                Notice::Note { text } => tell_lines(&text),
                Notice::Created { id, .. } => created = Some(id),
                Notice::Started { .. } => {
                    if let Some(id) = &created {
                        output::print("the guest's id", &format!("{id}\n"))?;
                        return Ok(End::DONE);
                    }
                }
                Notice::Refused { error, exit_code, text } => {
                    return Ok(refused(&error, exit_code, &text, is_json, interrupt.came()));
                }
                // It was faster than this process.
                Notice::Ended(ended) => {
                    ended.text.iter().for_each(tell);
                    return Ok(End::Code(ended.exit_code));
                }
                Notice::Up {} | Notice::Restarted { .. } | Notice::Console { .. } => {}
            }
        }
    }
    Err(lost())
}
