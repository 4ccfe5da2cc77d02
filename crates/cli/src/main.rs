//! `nex`: makes root filesystems for microVMs.

mod args;
mod diagnostic;
mod interrupt;
mod progress;
mod render;
mod rootfs;
mod size;

use std::io::Write;
use std::process::ExitCode;

use args::{Cli, Command, Format};
use clap::{CommandFactory, Parser};
use clap_complete::Shell;
use diagnostic::Diagnostic;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match &cli.command {
        Command::Rootfs(args) => interruptible(|| rootfs::run(args)),
        Command::Completion { shell } => completion(*shell),
        Command::Manual { command } => manual(command.as_deref()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(diagnostic) => {
            report(&diagnostic, &cli.command);
            ExitCode::from(diagnostic.exit_code())
        }
    }
}

/// Says what failed: in words on standard error, and for programs where they look for the report.
fn report(diagnostic: &Diagnostic, command: &Command) {
    eprintln!("{}", diagnostic.text());
    match command {
        Command::Rootfs(args) if args.format == Format::Json && args.output == "-" => {
            eprintln!("{}", diagnostic.json())
        }
        Command::Rootfs(args) if args.format == Format::Json => println!("{}", diagnostic.json()),
        _ => {}
    }
}

fn interruptible(run: impl FnOnce() -> Result<(), Diagnostic>) -> Result<(), Diagnostic> {
    interrupt::clean_up_when_interrupted()?;
    run()
}

/// Prints the completion script of a shell.
fn completion(shell: Shell) -> Result<(), Diagnostic> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "nex", &mut script);
    Ok(std::io::stdout().write_all(&script)?)
}

/// Prints a manual page in roff.
fn manual(command: Option<&str>) -> Result<(), Diagnostic> {
    let mut nex = Cli::command();
    nex.build();
    let page = match command {
        None => nex,
        Some(name) => match nex.find_subcommand(name) {
            Some(command) => command.clone(),
            None => {
                return Err(Diagnostic::usage(format!(
                    "there is no command '{}'; see nex --help",
                    name.escape_debug()
                )));
            }
        },
    };
    let mut roff = Vec::new();
    clap_mangen::Man::new(page).render(&mut roff)?;
    Ok(std::io::stdout().write_all(&roff)?)
}
