//! `nex`: makes root filesystems for microVMs.
// Nothing is shown but through output.rs.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod args;
mod cli;
mod codes;
mod commands;
mod console;
mod diagnostic;
mod end;
mod environment;
mod guests;
mod interrupt;
mod json;
mod lines;
mod output;
mod own_agent;
mod own_images;
mod talking;
mod trace;
mod warnings;

use std::ffi::OsString;
use std::process::ExitCode;

use args::format::Format;
use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use cli::variables::Refusal;
use cli::variables::environ::Environ;
use cli::{Cli, Command, overview, refused, tips, variables};
use diagnostic::Diagnostic;
use end::End;
use interrupt::Process;
use nex_process::Role;

fn main() -> ExitCode {
    nex_process::heed_child_signal();
    match Role::of_this_process() {
        Some(Role::SandboxMonitor) => return nex_sandbox::run_monitor(),
        Some(Role::SandboxInit) => return nex_sandbox::run_init(),
        Some(Role::KvmProbe) => return nex_vmm::kvm::run_probe(),
        Some(Role::Supervisor) => return commands::run::supervisor::main(),
        None => {}
    }
    // Here, where all that was begun is dropped.
    let process = Process::default();
    match nex(&process) {
        End::Code(code) => ExitCode::from(code),
        End::Signal(signal) => interrupt::end_by(signal, &process),
    }
}

/// Does what the arguments ask for.
fn nex(process: &Process) -> End {
    let arguments: Vec<_> = std::env::args_os().collect();
    if arguments.len() <= 1 {
        return overview::show().unwrap_or_else(|diagnostic| failed(&diagnostic));
    }
    let environ = Environ::of_this_process();
    let cli = match variables::parse(&arguments, &environ) {
        Ok(asked) => {
            output::obey(&asked.cli.common);
            warn(&asked.warnings);
            asked.cli
        }
        Err(refusal) => return explain_usage(refusal, &arguments, &environ),
    };
    let begun = interrupt::survive_file_size_limits()
        .map_err(Diagnostic::system)
        .and_then(|()| keep_from_children(&cli))
        .and_then(|()| trace::begin(cli.common.verbose))
        .map_err(
            |diagnostic| {
                if ends_as_program(&arguments) { diagnostic.with_exit_code(nex_run::FAILED) } else { diagnostic }
            },
        );
    let result = begun.and_then(|()| commands::run(&cli, process));
    result.unwrap_or_else(|diagnostic| {
        report(&diagnostic, &cli);
        diagnostic.end()
    })
}

/// Keeps what the caller had open from all that is started, but for a guest's supervisor: its arguments may name what is open, and
/// nothing else is started then.
fn keep_from_children(cli: &Cli) -> Result<(), Diagnostic> {
    match &cli.command {
        Command::Run(args) if !args.guest.print_vm_config => Ok(()),
        _ => nex_process::keep_from_children().map_err(Diagnostic::system),
    }
}

/// Says what is wrong with the arguments, or what was asked about them.
fn explain_usage(mut refusal: Refusal, arguments: &[OsString], environ: &Environ) -> End {
    let error = &mut refusal.error;
    // Arguments may be names that somebody else has chosen. A tip that quotes such a one in its own words helps nobody.
    let quoted = error.context().filter_map(|(kind, value)| match value {
        ContextValue::String(text) if kind == ContextKind::InvalidValue && is_of_variable(error) => {
            Some((kind, ContextValue::String(nex_text::short_name(without_value(text)))))
        }
        ContextValue::String(text) => Some((kind, ContextValue::String(nex_text::short_name(text)))),
        ContextValue::StyledStrs(tips) if !tips.iter().all(|tip| is_plain(&tip.to_string())) => {
            Some((kind, ContextValue::None))
        }
        _ => None,
    });
    let tip = tips::tip(error, arguments);
    for (kind, value) in quoted.collect::<Vec<_>>() {
        error.insert(kind, value);
    }
    if let Some(tip) = tip {
        error.remove(ContextKind::SuggestedSubcommand);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    } else if tips::is_misleading(error, arguments) {
        error.remove(ContextKind::Suggested);
    }
    if error.use_stderr() {
        // What is missing may stand in one of them.
        warn(&refusal.outdated);
        warn(&variables::unread(environ));
    }
    let is_program = ends_as_program(arguments);
    let asks_version = error.kind() == ErrorKind::DisplayVersion;
    let answered = match refused::stream(arguments, environ).filter(|_| asks_version) {
        Some(_) => commands::version::print(Format::Json),
        None => output::answer_arguments(error),
    };
    if let Err(diagnostic) = answered {
        let is_failure = is_program && !diagnostic.is_silent();
        return failed(&if is_failure { diagnostic.with_exit_code(nex_run::FAILED) } else { diagnostic });
    }
    let exit_code = error.exit_code();
    if let Some(diagnostic) = refused::diagnostic(&refusal) {
        output::tell_program(&diagnostic, refused::stream(arguments, environ));
    }
    match exit_code {
        0 => End::DONE,
        _ if is_program => End::Code(nex_run::FAILED),
        code => End::Code(u8::try_from(code).unwrap_or(nex_run::FAILED)),
    }
}

/// Whether the flag that is refused gives a program a variable, which may be a secret.
fn is_of_variable(error: &clap::Error) -> bool {
    matches!(error.get(ContextKind::InvalidArg), Some(ContextValue::String(flag)) if flag.contains("NAME=VALUE"))
}

/// A variable with its value hidden.
fn without_value(variable: &str) -> String {
    variable.split_once('=').map_or_else(|| variable.to_owned(), |(name, _)| format!("{name}=***"))
}

/// Whether nex is to end as a program does: then every exit code but one may be the program's own.
fn ends_as_program(arguments: &[OsString]) -> bool {
    const COMMANDS: [&str; 4] = ["attach", "exec", "run", "shell"];
    let mut command = Cli::command();
    command.build();
    let is_first = arguments.get(1).is_some_and(|command| COMMANDS.iter().any(|known| command == known));
    is_first || matches!(*variables::called(&command, arguments).0, [word] if COMMANDS.contains(&word))
}

/// Warns of variables.
fn warn(warnings: &[String]) {
    warnings.iter().for_each(|warning| output::tell(format_args!("warning: {warning}")));
}

/// Whether a message can show a text as it stands.
fn is_plain(text: &str) -> bool {
    nex_text::short_name(text) == text
}

/// Says what failed before there was a command.
fn failed(diagnostic: &Diagnostic) -> End {
    if !diagnostic.is_silent() {
        output::tell_lines(&diagnostic.text());
    }
    diagnostic.end()
}

/// Says what failed: in words on standard error, and for programs where they look for the report.
fn report(diagnostic: &Diagnostic, cli: &Cli) {
    if diagnostic.is_silent() {
        return;
    }
    output::tell_lines(&diagnostic.text());
    output::tell_program(diagnostic, cli.json().filter(|_| !diagnostic.is_reported()));
}
