//! `nex exec`: from arguments to a program in a guest, and from its end to that of nex.

use nex_contract::{Exec, Request, Stdin, Terminal};

use super::args::ExecArgs;
use crate::args::program::ProgramArgs;
use crate::codes::NO_TERMINAL;
use crate::diagnostic::Diagnostic;
use crate::end::End;
use crate::interrupt::Process;
use crate::talking::{self, Streams, bytes};
use crate::{guests, output};

/// Runs the program, and ends as it has ended.
///
/// # Errors
/// When it cannot be run.
pub fn run(args: &ExecArgs, process: &Process) -> Result<End, Diagnostic> {
    let streams = Streams::of(args.interactive, args.tty);
    if streams == Streams::Terminal && !output::is_input_terminal() {
        let refused =
            Diagnostic::new(NO_TERMINAL, "standard input is no terminal, so that no keys can go to the program");
        return Err(refused.hinting("leave out --tty").with_exit_code(nex_run::FAILED));
    }
    let argv = args.command.iter().map(bytes).collect::<Result<_, _>>()?;
    start(&args.guest.guest, Exec { argv, ..program(&args.program)? }, streams, process)
}

/// What flags say of a program.
///
/// # Errors
/// When the system could not pass them on.
pub fn program(args: &ProgramArgs) -> Result<Exec, Diagnostic> {
    Ok(Exec {
        env: args.env.iter().map(bytes).collect::<Result<_, _>>()?,
        user: args.user.clone().unwrap_or_default(),
        working_dir: args.workdir.as_ref().map(bytes).transpose()?.unwrap_or_default(),
        ..Exec::default()
    })
}

/// Runs a program in a guest, with these streams.
///
/// # Errors
/// When it cannot be run.
pub fn start(guest: &str, exec: Exec, streams: Streams, process: &Process) -> Result<End, Diagnostic> {
    let failed = |diagnostic: Diagnostic| diagnostic.with_exit_code(nex_run::FAILED);
    let mut guest = guests::look().and_then(|guests| Ok(guests.find(guest)?)).map_err(failed)?;
    let terminal = streams.has_terminal().then(|| Terminal { size: talking::size(), term: talking::term() });
    let stdin = if streams.has_input() { Stdin::Stream } else { Stdin::Null };
    let request = Request::Exec(Exec { stdin, terminal, ..exec });
    let connection = guest.channel().map_err(|error| failed(error.into()))?;
    talking::talk(connection, &request, streams, nex_client::Detach::Never, process)
}
