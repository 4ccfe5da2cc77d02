//! The flags for bounds against images that are made to exhaust the machine.

use clap::Args;

use crate::args::size;

/// Bounds against images that are made to exhaust the machine.
#[derive(Debug, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitArgs {
    /// The most entries in all layers together, and in the changes of setup scripts.
    #[arg(long, value_name = "NUMBER", default_value_t = nex_rootfs::Limits::default().entries)]
    pub max_entries: u64,

    /// The most bytes of extension headers (long names, PAX records) of one entry.
    #[arg(long, value_name = "BYTES", default_value_t = nex_rootfs::Limits::default().headers)]
    pub max_headers: u32,

    /// The most bytes of names, link targets and extended attributes; nex keeps them in memory.
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
