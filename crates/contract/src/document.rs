//! What nex and the programs that read its JSON agree on.

/// A kind of JSON document that nex writes for programs. Each has a `schemaVersion`, which is told by its kind alone.
///
/// A version changes when a key of its documents goes, or changes its meaning. A key that comes changes none: who reads a document
/// leaves out what it does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// What a build did: `nex rootfs`.
    RootFs,
    /// What became of an agent: `nex rootfs set-agent`.
    SetAgent,
    /// What grew: `nex rootfs grow`.
    Grow,
    /// What is in the cache, or went from it: all of `nex cache`.
    Cache,
    /// What a check found: `nex rootfs check`.
    Check,
    /// What a console tells: `nex rootfs explain`.
    Explain,
    /// How a boot went: `nex rootfs boot`.
    Boot,
    /// How a program went: `nex run`.
    Run,
    /// By what another program starts a guest, where that is a command line: `nex rootfs config`.
    Config,
    /// Which guests there are: `nex ps`.
    Guests,
    /// What is known of a guest: `nex inspect`, `wait`, `stop`, `kill` and `rm`.
    Guest,
    /// What kernels there are, and what they are fit for: all of `nex kernel`.
    Kernel,
    /// What the program is: `nex version`.
    Version,
    /// A completion script, or where it was written: `nex completion`.
    Completion,
    /// A manual page, or where pages were written: `nex manual`.
    Manual,
    /// A line of a guest's journal.
    Journal,
    /// A line between a guest's supervisor and its clients.
    Supervisor,
    /// Why something failed, from each command.
    Error,
}

impl Document {
    /// The version of its form.
    pub const fn schema_version(self) -> u32 {
        match self {
            Self::RootFs => 1,
            Self::SetAgent => 1,
            Self::Grow => 1,
            Self::Cache => 1,
            Self::Check => 1,
            Self::Explain => 1,
            Self::Boot => 1,
            Self::Run => 1,
            Self::Config => 1,
            Self::Guests => 1,
            Self::Guest => 1,
            Self::Kernel => 1,
            Self::Version => 1,
            Self::Completion => 1,
            Self::Manual => 1,
            Self::Journal => 1,
            Self::Supervisor => 1,
            Self::Error => 1,
        }
    }
}
