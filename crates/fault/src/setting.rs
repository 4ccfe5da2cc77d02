//! What a user of the libraries can set, as far as an error's remedy speaks of it.

macro_rules! settings {
    ($($(#[$comment:meta])+ $name:ident = $text:literal;)+) => {
        /// Something that can be set: a flag of the command line, a key of a daemon's configuration.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Setting {
            $($(#[$comment])+ $name,)+
        }

        impl Setting {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// Its name: words in lower case, joined by hyphens.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }

            /// The flag of the command line that sets it.
            pub fn flag(self) -> String {
                format!("--{}", self.name())
            }
        }
    };
}

settings! {
    /// How a guest runs: by KVM, or emulated.
    Accel = "accel";
    /// The agent's file.
    Agent = "agent";
    /// Arguments of the agent.
    AgentArg = "agent-arg";
    /// Variables of the agent.
    AgentEnv = "agent-env";
    /// Where the agent stands in the guest.
    AgentPath = "agent-path";
    /// More words for the kernel's command line.
    Append = "append";
    /// The setup script.
    BootScript = "boot-script";
    /// How long a guest may take until it is up.
    BootTimeout = "boot-timeout";
    /// The cache's directory.
    CacheDir = "cache-dir";
    /// The most bytes that the cache keeps.
    CacheLimit = "cache-limit";
    /// Credentials for the registry.
    Creds = "creds";
    /// The container image.
    Image = "image";
    /// The number of inodes.
    Inodes = "inodes";
    /// An initramfs of the user's own.
    Initrd = "initrd";
    /// The user in Firecracker's jail.
    JailUser = "jail-user";
    /// Firecracker's jailer.
    Jailer = "jailer";
    /// The journal's size.
    JournalSize = "journal-size";
    /// Where the tree of a setup script that fails is kept.
    KeepFailed = "keep-failed";
    /// The guest's kernel.
    Kernel = "kernel";
    /// The kernel's configuration file.
    KernelConfig = "kernel-config";
    /// The most entries of an image.
    MaxEntries = "max-entries";
    /// The most bytes of the headers of one entry of a layer.
    MaxHeaders = "max-headers";
    /// The most bytes of a kernel.
    MaxKernel = "max-kernel";
    /// The most bytes of names, link targets and attributes of an image.
    MaxMetadata = "max-metadata";
    /// The most that a layer may unpack to, by its own size.
    MaxRatio = "max-ratio";
    /// The size to which the file system can grow.
    MaxSize = "max-size";
    /// The most bytes that an image may unpack to.
    MaxUnpacked = "max-unpacked";
    /// The guest's memory.
    Memory = "memory";
    /// The least bytes per second of a download.
    MinThroughput = "min-throughput";
    /// The directory of a kernel's modules.
    Modules = "modules";
    /// A file or directory that setup scripts are shown.
    Mount = "mount";
    /// No cache.
    NoCache = "no-cache";
    /// No check before the guest runs.
    NoCheck = "no-check";
    /// No registry.
    Offline = "offline";
    /// The output's file.
    Output = "output";
    /// An overlay in memory over a root that stays as it is.
    Overlay = "overlay";
    /// An overlay on a drive.
    OverlayDrive = "overlay-drive";
    /// What process 1 of the guest is.
    Pid1 = "pid1";
    /// HTTP without TLS.
    PlainHttp = "plain-http";
    /// The platform of the image.
    Platform = "platform";
    /// What a guest's console shows when it is ready.
    Ready = "ready";
    /// When a guest is taken for ready.
    ReadyAfter = "ready-after";
    /// How long a registry may be silent.
    RegistryTimeout = "registry-timeout";
    /// Whether another kernel of the same name gives way.
    Replace = "replace";
    /// The part of the blocks that is root's alone.
    Reserved = "reserved";
    /// The guest's name servers.
    ResolvConf = "resolv-conf";
    /// Whether a program is started again.
    Restart = "restart";
    /// That the program gets standard input.
    Interactive = "interactive";
    /// That the program gets a terminal.
    Tty = "tty";
    /// The file with the hash of root's password.
    RootPasswordFile = "root-password-file";
    /// The most memory that a setup script may take.
    ScriptMemory = "script-memory";
    /// The network of the setup script.
    ScriptNetwork = "script-network";
    /// How long a setup script may take.
    ScriptTimeout = "script-timeout";
    /// The size of the root filesystem.
    Size = "size";
    /// What of the setup script's work is taken.
    Snapshot = "snapshot";
    /// How long a guest may take.
    Timeout = "timeout";
    /// The user of a program.
    User = "user";
    /// dm-verity.
    Verity = "verity";
    /// The file of dm-verity's hash tree.
    VerityFile = "verity-file";
    /// The VMM.
    Vmm = "vmm";
    /// Where the trees of setup scripts are laid out.
    WorkDir = "work-dir";
    /// The working directory of a program.
    Workdir = "workdir";
}
