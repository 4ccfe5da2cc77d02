//! Where host and guest look for what the other has put there, and by what names.

/// Where the agent stands in the root.
pub const AGENT: &str = "/usr/local/bin/agent";

/// The unit that starts the agent where systemd is the init.
pub const SYSTEMD_UNIT: &str = "agent.service";

/// The service that starts the agent where OpenRC is the init.
pub const OPENRC_SERVICE: &str = "agent";

/// Where the script stands in the root that gives an agent its variables and arguments, where they are not in a unit of systemd.
pub const RUN_AGENT: &str = "/etc/nex/run-agent";

/// Where the image's configuration stands in the root.
pub const IMAGE_FILE: &str = "/etc/nex/image.json";

/// Where the script stands in the root that runs at every boot.
pub const BOOT_SCRIPT: &str = "/etc/nex/boot-script";

/// Where the script stands in the root that gives the boot script its variables, where they are not in a unit of systemd.
pub const RUN_BOOT_SCRIPT: &str = "/etc/nex/run-boot-script";

/// Where our agent, as the init, writes the guest's name servers at every boot. `/etc/resolv.conf` is a link to it there.
pub const AGENT_RESOLV_CONF: &str = "/run/nex/resolv.conf";

/// Where the description stands on a workload drive.
pub const WORKLOAD_FILE: &str = "/workload.json";

/// Where the program stands on a workload drive, which everybody must be able to execute.
pub const BINARY_FILE: &str = "/binary";

/// The label of a workload drive.
pub const DRIVE_LABEL: &str = "nex-workload";

/// The longest of the JSON files, in bytes, that a reader should take.
pub const MAX_FILE: u64 = 4 << 20;
