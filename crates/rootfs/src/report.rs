//! What a build did, for people and for programs.

use serde::Serialize;

/// The version of [`Report`]'s JSON form; changes when a key changes its meaning or goes.
pub const SCHEMA_VERSION: u32 = 1;

/// What a build did. Sizes are in bytes unless the name says otherwise.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The output's name; `-` for standard output.
    pub output: String,
    /// The SHA-256 of the output, in hex, unless it was not wanted.
    pub sha256: Option<String>,
    /// The output's length; smaller than `size` when it is compressed.
    pub output_bytes: u64,
    /// The file system's size.
    pub size: u64,
    /// What is used of it.
    pub used: Usage,
    /// What is free.
    pub free: Usage,
    /// The file system's UUID.
    pub uuid: String,
    /// Where the content came from.
    pub image: ImageReport,
    /// The agent in the image.
    pub agent: AgentReport,
    /// How the agent will be started, in words.
    pub started_by: String,
    /// What the user may want to know.
    pub notes: Vec<String>,
    /// How long each phase took, in order.
    pub phases: Vec<PhaseReport>,
}

/// An amount of the file system.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// In bytes.
    pub bytes: u64,
    /// In blocks of 4,096 bytes.
    pub blocks: u64,
    /// In inodes.
    pub inodes: u64,
}

impl Usage {
    /// So many blocks and inodes.
    pub fn new(blocks: u64, inodes: u32) -> Self {
        Self { bytes: blocks * nex_ext4::BLOCK_SIZE, blocks, inodes: inodes.into() }
    }
}

/// The image that was built in.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageReport {
    /// Its full name.
    pub reference: String,
    /// The digest of its manifest, when it has one.
    pub digest: Option<String>,
    /// The platform, as `os/architecture[/variant]`.
    pub platform: String,
    /// Its layers, the lowest first.
    pub layers: Vec<LayerReport>,
}

/// A layer of the image.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LayerReport {
    /// The digest of the blob as it was read.
    pub digest: String,
    /// The digest of its tar.
    pub diff_id: String,
    /// The blob's length.
    pub bytes: u64,
    /// The tar's length.
    pub tar_bytes: u64,
    /// Entries in the tar.
    pub entries: u64,
    /// The command that made it, when the image says so.
    pub created_by: Option<String>,
}

/// The agent.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentReport {
    /// The file on the host.
    pub path: String,
    /// Its SHA-256, in hex.
    pub sha256: String,
    /// Its length.
    pub bytes: u64,
    /// How it gets the code that it does not bring along: `static`, or what loads it.
    pub linkage: String,
}

/// A phase of the build.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PhaseReport {
    /// Its name.
    pub name: &'static str,
    /// How long it took.
    pub seconds: f64,
}
