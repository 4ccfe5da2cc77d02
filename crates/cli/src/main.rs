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
use diagnostic::Diagnostic;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let (result, format) = match &cli.command {
        Command::Rootfs(args) => (interruptible(|| rootfs::run(args)), args.format),
        Command::Completion { shell } => {
            clap_complete::generate(*shell, &mut Cli::command(), "nex", &mut std::io::stdout());
            (Ok(()), Format::Text)
        }
        Command::Manual { command } => (manual(command.as_deref()), Format::Text),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(diagnostic) => {
            eprintln!("{}", diagnostic.text());
            if format == Format::Json {
                println!("{}", diagnostic.json());
            }
            ExitCode::from(diagnostic.exit_code())
        }
    }
}

fn interruptible(run: impl FnOnce() -> Result<(), Diagnostic>) -> Result<(), Diagnostic> {
    interrupt::clean_up_when_interrupted()?;
    run()
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
