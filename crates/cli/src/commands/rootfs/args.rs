//! The arguments of `nex rootfs`.

pub mod agent;
pub mod file_system;
pub mod limits;
pub mod script;

use std::ffi::OsString;
use std::path::PathBuf;

use agent::AgentArgs;
use clap::Args;
use file_system::FileSystemArgs;
use limits::LimitArgs;
use nex_fault::Setting;
use nex_image::Platform;
use nex_rootfs::guest::{Hostname, HostnameError};
use script::ScriptArgs;

use super::page_image;
use crate::args::cache::CacheArgs;
use crate::args::common::CommonArgs;
use crate::args::format::{Format, Stream};
use crate::args::registry::RegistryArgs;
use crate::args::size;

/// The size that the documentation page of Nex promises: 150 MiB.
const DEFAULT_SIZE: &str = "157286400";

/// The flags of `nex rootfs`.
#[derive(Debug, Args)]
pub struct RootfsArgs {
    /// The image: NAME, nex:default, tar:FILE, scratch, ...
    #[arg(long, long_help = IMAGE_HELP, default_value = page_image::NAME, value_name = "REF")]
    pub image: OsString,

    /// The agent: a program for the guest [default: the agent that came with nex].
    #[arg(long, value_name = "PATH")]
    pub agent: Option<PathBuf>,

    /// The file system's size, such as 1G, or auto.
    ///
    /// A number of bytes, a size with a unit (150MiB, 1G), or auto (content, journal and room for work).
    #[arg(long, default_value = DEFAULT_SIZE, value_parser = size_arg)]
    pub size: SizeArg,

    /// The room for work with --size auto [default: 64 MiB, or a tenth of the content].
    ///
    /// The default is the larger of the two.
    #[arg(long, value_parser = size::parse, value_name = "SIZE")]
    pub free: Option<u64>,

    /// The output: a file (.gz and .zst compress), or - for standard output.
    ///
    /// nex refuses the names of other compressed forms.
    #[arg(short, long, default_value = "rootfs.ext4", value_name = "FILE")]
    pub output: OsString,

    /// Put the SHA-256 of the output into the report; nex then reads the whole output, holes too.
    #[arg(long)]
    pub sha256: bool,

    /// Append a hash tree of dm-verity, with which the guest's kernel checks what it reads.
    #[arg(long)]
    pub verity: bool,

    /// Write the hash tree of dm-verity to a file of its own instead.
    #[arg(long, conflicts_with = "verity", value_name = "FILE")]
    pub verity_file: Option<PathBuf>,

    /// The platform of the image, such as arm64 or linux/arm/v7 [default: this machine's].
    #[arg(long, value_name = "[OS/]ARCH")]
    pub platform: Option<Platform>,

    /// The guest's name [default: the image's, else nex].
    #[arg(long, value_name = "NAME", value_parser = hostname)]
    pub hostname: Option<Hostname>,

    /// The guest's /etc/resolv.conf: auto, keep, kernel, or a file of this machine.
    ///
    /// keep is the image's file. kernel is a file with the servers of the kernel's ip=. auto is the image's file if it can
    /// work, else the same as kernel.
    #[arg(long, value_name = "auto|keep|kernel|FILE", default_value = "auto")]
    pub resolv_conf: PathBuf,

    /// A file with the hash of root's password, as `openssl passwd -6` makes it [default: no password].
    #[arg(long, value_name = "FILE")]
    pub root_password_file: Option<PathBuf>,

    /// A script that the guest runs at every boot, as root, before the agent.
    ///
    /// The script needs a #! line.
    #[arg(long, value_name = "FILE")]
    pub boot_script: Option<PathBuf>,

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

impl RootfsArgs {
    /// Where the report of a build goes as JSON; `None` when it is text.
    pub fn report(&self, common: &CommonArgs) -> Option<Stream> {
        // The image itself goes to standard output.
        let stream = if self.output == "-" { Stream::Error } else { Stream::Output };
        (common.format == Format::Json).then_some(stream)
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

fn hostname(text: &str) -> Result<Hostname, String> {
    text.parse().map_err(|error: HostnameError| nex_fault::advised(&error, Setting::flag))
}

fn size_arg(text: &str) -> Result<SizeArg, String> {
    if text == "auto" { Ok(SizeArg::Auto) } else { size::parse(text).map(SizeArg::Bytes) }
}

const IMAGE_HELP: &str = "\
The image: docker://NAME or NAME (a registry), oci:DIR[:TAG], oci-archive:FILE[:TAG], docker-archive:FILE[:NAME], \
tar:FILE (- is standard input), rootfs:DIR, nex:NAME (an image that is installed here; nex:default comes with nex), scratch (only \
the agent). The default is the image of Nex's documentation page, which a third party keeps in the registry Docker Hub";

/// What `--help` says behind the flags.
pub const HELP: &str = "\
Examples:
  nex rootfs --image nex:default
  nex rootfs --image scratch -o agent.ext4
  nex rootfs --image alpine:3.20 --agent ./nex-agent --size auto
  nex rootfs --image docker-archive:app.tar --size 1G -o app.ext4.zst
  nex rootfs --image scratch --verity -o sealed.ext4
  nex rootfs --image alpine:3.20 --script setup.sh
  docker export app | nex rootfs --image tar:- -o app.ext4

Environment:
  SOURCE_DATE_EPOCH  the time of everything that does not come from the image
  NEX_ROOTFS_*       the value of a flag that is not given, such as NEX_ROOTFS_IMAGE";
