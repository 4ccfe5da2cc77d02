//! The commands: each has its arguments, what it does, and how its report looks, in a directory of its own.

pub mod attach;
pub mod boot;
pub mod cache;
pub mod check;
pub mod completion;
pub mod config;
pub mod cp;
pub mod exec;
pub mod explain;
pub mod grow;
pub mod inspect;
pub mod kernel;
pub mod kill;
pub mod logs;
pub mod manual;
pub mod ps;
pub mod rm;
pub mod rootfs;
pub mod run;
pub mod set_agent;
pub mod shell;
pub mod stop;
pub mod version;
pub mod wait;

use crate::cli::{Action, Cli, Command};
use crate::diagnostic::Diagnostic;
use crate::end::End;
use crate::interrupt::{self, Process};

/// Does what a command asks for.
///
/// # Errors
/// When that fails.
pub fn run(cli: &Cli, process: &Process) -> Result<End, Diagnostic> {
    let (command, common) = (&cli.command, &cli.common);
    // Stopped at any moment, the others leave nothing to clean up.
    if !command.cleans_up() {
        interrupt::end_at_once(process).map_err(Diagnostic::system)?;
    }
    match command {
        Command::Rootfs(rootfs) => match &rootfs.action {
            Some(Action::Check(args)) => return check::run(args, common),
            Some(Action::SetAgent(args)) => set_agent::run(args, common)?,
            Some(Action::Grow(args)) => grow::run(args, common)?,
            Some(Action::Explain(args)) => explain::run(args, common)?,
            Some(Action::Config(args)) => config::run(args, cli.common.format)?,
            Some(Action::Boot(args)) => return boot::run(args, process),
            None => rootfs::run(&rootfs.build, common, process)?,
        },
        Command::Cache(args) => return cache::run(args, common, process),
        Command::Kernel(args) => return kernel::run(args, common, process),
        Command::Run(args) => return run::run(args, process),
        Command::Exec(args) => return exec::run(args, process),
        Command::Cp(args) => cp::run(args)?,
        Command::Shell(args) => return shell::run(args, process),
        Command::Attach(args) => return attach::run(args, process),
        Command::Ps(args) => ps::run(args, common)?,
        Command::Logs(args) => logs::run(args)?,
        Command::Wait(args) => return wait::run(args, common),
        Command::Stop(args) => return stop::run(args, common),
        Command::Kill(args) => return kill::run(args, common),
        Command::Rm(args) => return rm::run(args, common),
        Command::Inspect(args) => return inspect::run(args, common),
        Command::Version(args) => version::run(args, common)?,
        Command::Completion(args) => completion::run(args, common)?,
        Command::Manual(args) => manual::run(args, common)?,
    }
    Ok(End::DONE)
}
