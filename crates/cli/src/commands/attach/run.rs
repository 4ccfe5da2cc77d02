//! `nex attach`: the streams of a guest's own program.

use nex_client::Detach;
use nex_contract::{Attach, Request, Stdin};

use super::args::AttachArgs;
use crate::diagnostic::Diagnostic;
use crate::end::End;
use crate::interrupt::Process;
use crate::talking::{self, Streams};
use crate::{guests, output};

/// Joins in, and ends as the program has ended.
///
/// # Errors
/// When the guest cannot be asked.
pub fn run(args: &AttachArgs, process: &Process) -> Result<End, Diagnostic> {
    let failed = |diagnostic: Diagnostic| diagnostic.with_exit_code(nex_run::FAILED);
    let mut guest = guests::look().and_then(|guests| Ok(guests.find(&args.guest.guest)?)).map_err(failed)?;
    let run = guest.inspection();
    let streams = match args.no_stdin {
        true => Streams::LookOn,
        // Its terminal takes a file's bytes for keys, as any does.
        false if run.stdin && !output::is_input_terminal() => Streams::InputAndOutput,
        false => Streams::of(run.stdin, run.terminal),
    };
    let stdin = if streams.has_input() { Stdin::Stream } else { Stdin::Null };
    let size = streams.has_terminal().then(talking::size);
    let connection = guest.channel().map_err(|error| failed(error.into()))?;
    talking::talk(connection, &Request::Attach(Attach { stdin, size }), streams, Detach::Keys, process)
}
