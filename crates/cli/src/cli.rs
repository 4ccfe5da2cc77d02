//! The command line: the tree of commands.

pub mod documentation;
mod exit_codes;
mod given;
mod groups;
#[cfg(test)]
mod libraries;
pub mod overview;
pub mod refused;
pub mod tips;
#[cfg(test)]
mod uniform;
mod unused;
pub mod variables;

use clap::{Args, Parser, Subcommand};

use crate::args::common::CommonArgs;
use crate::args::format::{Format, Stream};
use crate::commands::attach::args::{self as attach, AttachArgs};
use crate::commands::boot::args::{self as boot, BootArgs};
use crate::commands::cache::args::{self as cache, CacheCommand};
use crate::commands::check::args::{self as check, CheckArgs};
use crate::commands::completion::args::{self as completion, CompletionArgs};
use crate::commands::config::args::{self as config, ConfigArgs};
use crate::commands::cp::args::{self as cp, CpArgs};
use crate::commands::exec::args::{self as exec, ExecArgs};
use crate::commands::explain::args::{self as explain, ExplainArgs};
use crate::commands::grow::args::{self as grow, GrowArgs};
use crate::commands::inspect::args::{self as inspect, InspectArgs};
use crate::commands::kernel::args::{self as kernel, KernelAction, KernelCommand};
use crate::commands::kill::args::{self as kill, KillArgs};
use crate::commands::logs::args::{self as logs, LogsArgs};
use crate::commands::manual::args::{self as manual, ManualArgs};
use crate::commands::ps::args::{self as ps, PsArgs};
use crate::commands::rm::args::{self as rm, RmArgs};
use crate::commands::rootfs::args::{self as rootfs, RootfsArgs};
use crate::commands::run::args::{self as run, RunArgs};
use crate::commands::set_agent::args::{self as set_agent, SetAgentArgs};
use crate::commands::shell::args::{self as shell, ShellArgs};
use crate::commands::stop::args::{self as stop, StopArgs};
use crate::commands::version::args::{self as version, VersionArgs};
use crate::commands::wait::args::{self as wait, WaitArgs};

/// Makes root filesystems for microVMs: no Docker, no root, no mount, no mkfs.
#[derive(Debug, Parser)]
#[command(name = "nex", bin_name = "nex", version, propagate_version = true, after_help = HELP)]
#[command(subcommand_required = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// What holds for all of them, wherever it stands.
    #[command(flatten)]
    pub common: CommonArgs,
}

/// What `--help` says behind the commands.
const HELP: &str = "\
Every flag has an environment variable, which the help of its command names.

Examples:
  nex rootfs --image alpine:3.20 -o rootfs.ext4
  nex kernel build
  nex rootfs boot rootfs.ext4
  nex run --rootfs rootfs.ext4 ./hello -- --name world";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a root filesystem from a container image and an agent, or check, change or boot one.
    #[command(visible_alias = "fs", after_help = rootfs::HELP, args_conflicts_with_subcommands = true)]
    Rootfs(Box<RootfsCommand>),
    /// See, check and shrink the cache.
    #[command(after_help = cache::HELP)]
    Cache(CacheCommand),
    /// List, find, build, check and install kernels for guests.
    #[command(after_help = kernel::HELP)]
    Kernel(KernelCommand),
    /// Run a program in a virtual machine, and pass on its output and exit code.
    #[command(after_help = run::HELP)]
    Run(Box<RunArgs>),
    /// Run a program in a running guest.
    #[command(after_help = exec::HELP)]
    Exec(ExecArgs),
    /// Open a shell in a guest.
    #[command(after_help = shell::HELP)]
    Shell(ShellArgs),
    /// Copy files and directories into a guest, or out of it.
    #[command(after_help = cp::HELP)]
    Cp(CpArgs),
    /// Connect to the program of a guest: show its output from now on, and pass input to it.
    #[command(after_help = attach::HELP)]
    Attach(AttachArgs),
    /// List guests.
    #[command(after_help = ps::HELP)]
    Ps(PsArgs),
    /// Show the output of a guest's program.
    #[command(after_help = logs::HELP)]
    Logs(LogsArgs),
    /// Wait until guests end, and print their exit codes.
    #[command(after_help = wait::HELP)]
    Wait(WaitArgs),
    /// End guests, and wait until only their records remain.
    #[command(after_help = stop::HELP)]
    Stop(StopArgs),
    /// Send a signal to the programs of guests.
    #[command(after_help = kill::HELP)]
    Kill(KillArgs),
    /// Remove the records of guests that have ended.
    #[command(after_help = rm::HELP)]
    Rm(RmArgs),
    /// Show the details of guests.
    #[command(after_help = inspect::HELP)]
    Inspect(InspectArgs),
    /// Print nex's version, its commit, and the platform that it was built for.
    #[command(after_help = version::HELP)]
    Version(VersionArgs),
    /// Print or install the completion script for a shell.
    #[command(after_help = completion::HELP)]
    Completion(CompletionArgs),
    /// Print the manual page of a command, in roff, or write all pages.
    #[command(after_help = manual::HELP)]
    Manual(ManualArgs),
}

/// `nex rootfs`: what is done with a root filesystem that exists, or the making of one.
#[derive(Debug, Args)]
pub struct RootfsCommand {
    /// What to do with one that exists.
    #[command(subcommand)]
    pub action: Option<Action>,

    #[command(flatten)]
    pub build: RootfsArgs,
}

/// What is done with a root filesystem that exists.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Put another agent into a root filesystem, in place.
    #[command(after_help = set_agent::help())]
    SetAgent(SetAgentArgs),
    /// Find what would keep a root filesystem from booting, without a boot.
    #[command(after_help = check::HELP)]
    Check(CheckArgs),
    /// Make a root filesystem larger, in place.
    #[command(after_help = grow::HELP)]
    Grow(GrowArgs),
    /// Explain why a boot failed, from the guest's console output.
    #[command(after_help = explain::HELP)]
    Explain(ExplainArgs),
    /// Boot a root filesystem in a virtual machine, and see whether the guest becomes ready.
    #[command(after_help = boot::HELP)]
    Boot(Box<BootArgs>),
    /// Print what Firecracker or QEMU needs to start a root filesystem, and start nothing.
    #[command(after_help = config::HELP)]
    Config(Box<ConfigArgs>),
}

impl Command {
    /// Whether it catches the signals that end nex, because it has something to clean up then.
    pub fn cleans_up(&self) -> bool {
        match self {
            Self::Rootfs(rootfs) => matches!(rootfs.action, None | Some(Action::Boot(_))),
            Self::Kernel(kernel) => matches!(kernel.action, KernelAction::Build { .. }),
            Self::Run(_) | Self::Exec(_) | Self::Shell(_) | Self::Attach(_) => true,
            _ => false,
        }
    }
}

impl Cli {
    /// Where the report goes as JSON; `None` when it is text.
    pub fn json(&self) -> Option<Stream> {
        let stream = match &self.command {
            Command::Rootfs(rootfs) if rootfs.action.is_none() => return rootfs.build.report(&self.common),
            // Standard output is the program's own.
            Command::Run(_) | Command::Exec(_) | Command::Shell(_) | Command::Attach(_) | Command::Logs(_) => {
                Stream::Error
            }
            _ => Stream::Output,
        };
        (self.common.format == Format::Json).then_some(stream)
    }
}
