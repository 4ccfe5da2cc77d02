//! The command line.

mod agent;
mod cache;
mod script;

mod boot;
mod check;
mod completion;
mod exit_codes;
mod explain;
mod file_system;
mod grow;
mod guest;
mod manual;
mod overlay;
mod registry;
mod run;
mod set_agent;
pub mod variables;
mod verity;

use std::ffi::OsString;
use std::path::PathBuf;

pub use agent::AgentArgs;
pub use boot::BootArgs;
pub use cache::{CacheAction, CacheArgs, CacheCommand, CachePlace};
pub use check::CheckArgs;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
pub use completion::CompletionArgs;
pub use explain::ExplainArgs;
pub use file_system::FileSystemArgs;
pub use grow::GrowArgs;
pub use guest::GuestArgs;
pub use manual::ManualArgs;
use nex_image::Platform;
pub use overlay::OverlayDriveArg;
pub use registry::RegistryArgs;
pub use run::RunArgs;
pub use set_agent::SetAgentArgs;

use crate::size;

pub use verity::VerityArg;

pub use script::{CleanArg, NetworkArg, ScriptArgs, SecretArg};

/// The size that the documentation page of Nex promises: 150 MiB.
const DEFAULT_SIZE: &str = "157286400";

/// Makes root filesystems for microVMs: no Docker, no root, no mount, no mkfs.
#[derive(Debug, Parser)]
#[command(name = "nex", bin_name = "nex", version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make a root filesystem from a container image and an agent, or check, change or boot one.
    #[command(visible_alias = "fs", after_help = ROOTFS_HELP, args_conflicts_with_subcommands = true)]
    Rootfs(Box<RootfsCommand>),
    /// See, check and shrink the cache.
    #[command(after_help = cache::HELP)]
    Cache(CacheCommand),
    /// Run a program in a virtual machine: its output and its exit code come out here.
    #[command(after_help = run::HELP)]
    Run(Box<RunArgs>),
    /// Print the version, the commit that it was built from, and what it was built for.
    Version {
        /// The form of the report.
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
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
    pub change: Option<Change>,

    #[command(flatten)]
    pub build: RootfsArgs,
}

/// What is done with a root filesystem that exists.
#[derive(Debug, Subcommand)]
pub enum Change {
    /// Put another agent into a root filesystem, in place.
    #[command(after_help = set_agent::HELP)]
    SetAgent(SetAgentArgs),
    /// Tell what would keep a root filesystem from booting, without booting it.
    #[command(after_help = check::HELP)]
    Check(CheckArgs),
    /// Make a root filesystem larger, in place.
    #[command(after_help = grow::HELP)]
    Grow(GrowArgs),
    /// Say why a boot failed, by what the guest has written on its console.
    #[command(after_help = explain::HELP)]
    Explain(ExplainArgs),
    /// Boot a root filesystem in a virtual machine, and see whether its agent reports.
    #[command(after_help = boot::HELP)]
    Boot(Box<BootArgs>),
}

/// The flags of `nex rootfs`.
#[derive(Debug, Args)]
pub struct RootfsArgs {
    /// The image.
    #[arg(long, help = IMAGE_HELP, default_value = "synadia/nex-rootfs:alpine", value_name = "REF")]
    pub image: OsString,

    /// The agent: a program for the guest [default: nex-agent beside nex].
    #[arg(long, value_name = "PATH")]
    pub agent: Option<PathBuf>,

    /// The file system's size: bytes, with a unit (150MiB, 1G), or auto (content, journal and room for work).
    #[arg(long, default_value = DEFAULT_SIZE, value_parser = size_arg)]
    pub size: SizeArg,

    /// The room for work with --size auto [default: 64 MiB or a tenth of the content, whichever is more].
    #[arg(long, value_parser = size::parse, value_name = "SIZE")]
    pub free: Option<u64>,

    /// The output: a file (.gz and .zst compress, names of other forms are refused), or - for standard output.
    #[arg(short, long, default_value = "rootfs.ext4", value_name = "FILE")]
    pub output: OsString,

    /// Put the SHA-256 of the output into the report: all of a large image has to be read for it, holes too.
    #[arg(long)]
    pub sha256: bool,

    /// Append a hash tree of dm-verity, by which the guest's kernel checks what it reads.
    #[arg(long)]
    pub verity: bool,

    /// Write the hash tree of dm-verity to a file of its own instead.
    #[arg(long, conflicts_with = "verity", value_name = "FILE")]
    pub verity_file: Option<PathBuf>,

    /// The platform of the image, such as arm64 or linux/arm/v7 [default: this machine's].
    #[arg(long, value_name = "[OS/]ARCH")]
    pub platform: Option<Platform>,

    /// The guest's name [default: the image's, else nex].
    #[arg(long, value_name = "NAME")]
    pub hostname: Option<String>,

    /// The guest's /etc/resolv.conf: auto (the image's where it can work, else the kernel's), keep (the image's), kernel (what the
    /// kernel's ip= says), or a file of this machine.
    #[arg(long, value_name = "auto|keep|kernel|FILE", default_value = "auto")]
    pub resolv_conf: PathBuf,

    /// A file with the hash of root's password, as `openssl passwd -6` makes it [default: no password].
    #[arg(long, value_name = "FILE")]
    pub root_password_file: Option<PathBuf>,

    /// A script that the guest runs at every boot, as root, before the agent. It has a #! line.
    #[arg(long, value_name = "FILE")]
    pub boot_script: Option<PathBuf>,

    /// The form of the report.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,

    /// Show no progress.
    #[arg(short, long)]
    pub quiet: bool,

    /// Use no network.
    #[arg(long)]
    pub offline: bool,

    #[command(flatten)]
    pub agent_service: AgentArgs,

    #[command(flatten)]
    pub registry: RegistryArgs,

    #[command(flatten)]
    pub file_system: FileSystemArgs,

    #[command(flatten)]
    pub cache: CacheArgs,

    #[command(flatten)]
    pub script: ScriptArgs,

    #[command(flatten)]
    pub limits: LimitArgs,
}

/// Bounds against images that are made to exhaust the machine.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// The most entries in all layers together, and in what setup scripts leave.
    #[arg(long, value_name = "NUMBER", default_value_t = nex_rootfs::Limits::default().entries)]
    pub max_entries: u64,

    /// The most bytes of extension headers (long names, PAX records) of one entry.
    #[arg(long, value_name = "BYTES", default_value_t = nex_rootfs::Limits::default().headers)]
    pub max_headers: u32,

    /// The most bytes of names, link targets and extended attributes; they are kept in memory.
    #[arg(long, value_name = "SIZE", value_parser = size::parse, default_value = "1GiB")]
    pub max_metadata: u64,

    /// The most bytes that all layers together may unpack to, and that setup scripts may write into files.
    #[arg(long, value_name = "SIZE", value_parser = size::parse, default_value = "64GiB")]
    pub max_unpacked: u64,

    /// The most bytes that a layer over 1 GiB may unpack to for each byte of its blob.
    #[arg(long, value_name = "NUMBER", default_value_t = nex_image::Limits::default().ratio)]
    pub max_ratio: u64,

    /// The most layers.
    #[arg(long, value_name = "NUMBER", default_value_t = nex_image::Limits::default().layers)]
    pub max_layers: usize,

    /// The most bytes of an index, a manifest or a config.
    #[arg(long, value_name = "SIZE", value_parser = size::parse, default_value = "4MiB")]
    pub max_manifest: u64,
}

/// Where a program that asked for JSON looks for the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Output,
    /// Standard error, because the image or a program's output goes to standard output.
    Error,
}

/// The command line with all that there is to know about it, for who reads about it: variables and exit codes.
pub fn documented() -> clap::Command {
    exit_codes::told(variables::named(Cli::command(), &[]), &[])
}

impl Command {
    /// Whether it catches the signals that end nex, because it has something to clean up then.
    pub fn cleans_up(&self) -> bool {
        match self {
            Self::Rootfs(rootfs) => matches!(rootfs.change, None | Some(Change::Boot(_))),
            Self::Run(_) => true,
            _ => false,
        }
    }

    /// Where the report goes as JSON; `None` when it is text.
    pub fn json(&self) -> Option<Stream> {
        let rootfs = match self {
            Self::Rootfs(rootfs) => rootfs,
            Self::Cache(cache) => return (cache.action.view().format == Format::Json).then_some(Stream::Output),
            // Standard output is the program's own.
            Self::Run(run) => return (run.format == Format::Json).then_some(Stream::Error),
            Self::Version { format } => return (*format == Format::Json).then_some(Stream::Output),
            Self::Completion(_) | Self::Manual(_) => return None,
        };
        let (format, stream) = match &rootfs.change {
            Some(Change::SetAgent(args)) => (args.format, Stream::Output),
            Some(Change::Check(args)) => (args.format, Stream::Output),
            Some(Change::Grow(args)) => (args.format, Stream::Output),
            Some(Change::Explain(args)) => (args.format, Stream::Output),
            Some(Change::Boot(args)) => (args.format, Stream::Output),
            None if rootfs.build.output == "-" => (rootfs.build.format, Stream::Error),
            None => (rootfs.build.format, Stream::Output),
        };
        (format == Format::Json).then_some(stream)
    }
}

/// The value of `--size`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SizeArg {
    /// As small as the content allows, with room for work.
    Auto,
    /// This many bytes.
    Bytes(u64),
}

/// The value of `--format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object.
    Json,
}

fn size_arg(text: &str) -> Result<SizeArg, String> {
    if text == "auto" { Ok(SizeArg::Auto) } else { size::parse(text).map(SizeArg::Bytes) }
}

const IMAGE_HELP: &str = "\
The image: docker://NAME or NAME (a registry), oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:NAME], \
tar:FILE (- is standard input), rootfs:DIR, scratch (nothing but the agent)";

const ROOTFS_HELP: &str = "\
Examples:
  nex rootfs --image scratch -o agent.ext4
  nex rootfs --image alpine:3.20 --agent ./nex-agent --size auto
  nex rootfs --image docker-archive:app.tar --size 1G -o app.ext4.zst
  nex rootfs --image scratch --verity -o sealed.ext4
  nex rootfs --image alpine:3.20 --script setup.sh
  docker export app | nex rootfs --image tar:- -o app.ext4

Environment:
  SOURCE_DATE_EPOCH  the time of everything that the image does not bring
  NEX_ROOTFS_*       every flag, such as NEX_ROOTFS_IMAGE, unless it is given";
