//! What a build did, for people and for programs.

use nex_fault::Note;
use nex_sandbox::MemoryBound;
use serde::Serialize;

use crate::guest::{AgentService, AgentUser, Pid1, ResolvConf};

/// What a build did. Sizes are in bytes unless the name says otherwise.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// That of [`Document::RootFs`](nex_contract::Document::RootFs).
    pub schema_version: u32,
    /// The output's name; `-` for standard output.
    pub output: String,
    /// The SHA-256 of the output, in hex, if it was wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// The output's length: smaller than `size` when it is compressed, larger when a hash tree is appended.
    pub output_bytes: u64,
    /// The file system's size.
    pub size: u64,
    /// What is used of it.
    pub used: Usage,
    /// What is free.
    pub free: Usage,
    /// The file system's UUID.
    pub uuid: String,
    /// The hash tree of dm-verity, if one was wanted.
    pub verity: Option<VerityReport>,
    /// Where the content came from.
    pub image: ImageReport,
    /// What the setup scripts did, if there were any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub script: Option<ScriptReport>,
    /// The script that the guest runs at every boot, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot_script: Option<String>,
    /// The agent in the image.
    pub agent: AgentReport,
    /// How the agent will be started, in words.
    pub started_by: String,
    /// Who is process 1 once the guest is up, where the agent was it before.
    pub pid1: Pid1,
    /// By what name, with what, and as whom.
    pub agent_service: AgentServiceReport,
    /// What became of `/etc/resolv.conf`.
    pub resolv_conf: ResolvConf,
    /// What the user may want to know.
    pub notes: Vec<Note>,
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

/// A hash tree of dm-verity, and how to use it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerityReport {
    /// The hash of the tree's root, in hex: who knows it can trust the rest.
    pub root_hash: String,
    /// The salt, in hex.
    pub salt: String,
    /// The tree's UUID.
    pub uuid: String,
    /// Blocks of 4,096 bytes that the tree covers: the file system's.
    pub data_blocks: u64,
    /// Where the tree's superblock begins, in the file that holds the tree.
    pub hash_offset: u64,
    /// The length of superblock and tree.
    pub hash_bytes: u64,
    /// The file that holds the tree, when it is not the image.
    pub hash_file: Option<String>,
    /// What a kernel has to be told to have the checked file system as its root, for a guest whose first drive is the
    /// image, and whose second drive is the file with the tree, if there is one.
    pub kernel_arguments: String,
    /// The command that checks the whole image. A compressed image must be unpacked first.
    pub verify: String,
    /// The command that maps a device on which every read is checked; root's.
    pub open: String,
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
    /// Whether it came from the cache, and was not read.
    pub cached: bool,
    /// The command that made it, when the image says so.
    pub created_by: Option<String>,
}

/// What setup scripts did.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScriptReport {
    /// What held their memory below its limit, if they ran.
    pub memory: Option<MemoryBound>,
    /// Their names, in the order in which they ran.
    pub scripts: Vec<String>,
    /// Whether what they change came from the cache, and they did not run.
    pub cached: bool,
    /// How many names they made.
    pub created: u64,
    /// How many they changed: content, owner, mode, attributes or time.
    pub changed: u64,
    /// How many they deleted, what was below them not counted.
    pub deleted: u64,
    /// Bytes of the new and changed files.
    pub bytes: u64,
    /// The directory that became the root, if it was not the whole tree.
    pub snapshot: Option<String>,
    /// Bytes of new and changed files in each directory and below, two levels deep; past a thousand directories, in the root.
    pub directories: Vec<DirectoryReport>,
    /// Logs, caches and the like that they left, and that are not in the image: the first 100,000, as far as their names and
    /// those of the changes have 16 MiB.
    pub left_out: Vec<String>,
    /// How many more of those there are.
    pub unlisted_left_out: u64,
    /// Changes, in the order of their paths, deletions last: the first 100,000, in the same 16 MiB.
    pub changes: Vec<ChangeReport>,
    /// How many more changes there are.
    pub unlisted_changes: u64,
    /// What the user may want to know.
    #[serde(skip)]
    pub notes: Vec<Note>,
}

/// What a directory gained.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DirectoryReport {
    /// Its path, escaped.
    pub path: String,
    /// In bytes.
    pub bytes: u64,
}

/// A change by a setup script.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeReport {
    /// The path, escaped.
    pub path: String,
    /// What happened to it.
    pub change: ChangeKind,
}

/// What happens to a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ChangeKind {
    /// It was not there before.
    Created,
    /// It stands for something else, or something that was changed.
    Changed,
    /// It is gone.
    Deleted,
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
    /// The version of an agent of nex's own.
    pub version: Option<String>,
    /// The version of the protocol that such an agent speaks; no other agent is known to speak any.
    pub protocol: Option<u32>,
}

/// How the agent is started.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentServiceReport {
    /// The name by which it is started.
    pub path: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Its variables, each `NAME=value`.
    pub env: Vec<String>,
    /// The user, with a group behind a colon where it is not the user's own.
    pub user: String,
}

impl AgentServiceReport {
    /// Of a service that runs as this user.
    pub fn new(service: &AgentService, user: &AgentUser) -> Self {
        let env = service.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Self { path: service.path().to_owned(), args: service.args.clone(), env, user: user.word() }
    }
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
