//! The agent as a service of OpenRC.

use nex_contract::OPENRC_SERVICE;
use nex_inspect::{View, exists};

use super::change::Layer;
use super::{AgentService, AgentUser};

/// The service. Its output goes to the files that Nex has always used, in a directory of the agent's user: every release of
/// supervise-daemon, from the first one (OpenRC 0.21) on, becomes `command_user` before it opens them, so that a link there leads root
/// nowhere. The console belongs to root, and the agent runs as another: the right to write there lets it tell the host that it is
/// ready.
fn script(command: &str, user: &str, logs: &str, group: &str) -> String {
    format!(
        r#"#!/sbin/openrc-run

name="agent"
description="Nex agent"
supervisor=supervise-daemon
command="{command}"
command_user="{user}"
pidfile="/run/agent.pid"
output_log="{logs}/nex.log"
error_log="{logs}/err.log"
respawn_delay=1
respawn_max=0

depend() {{
	after root localmount bootmisc net.eth0
}}

start_pre() {{
	if [ -c /dev/console ]; then
		chgrp {group} /dev/console && chmod g+w /dev/console || ewarn "the agent cannot write to the console"
	fi
	return 0
}}
"#
    )
}

/// Where the logs are of an agent that is not `nex`'s. The directory belongs to whom it runs as.
const OTHER_LOGS: &str = "/var/log/agent";

/// The service that runs the boot script. What it says goes to the console, where OpenRC runs its services.
const BOOT_SCRIPT: &str = r#"#!/sbin/openrc-run

name="nex-boot-script"
description="Boot script of Nex"

depend() {
	after root localmount bootmisc net.eth0
	before agent
}

start() {
	ebegin "Running /etc/nex/boot-script"
	/etc/nex/run-boot-script </dev/null
	eend $? "/etc/nex/boot-script failed"
}
"#;

/// What must be mounted before the agent starts, where the image has a script for it.
const MOUNT_SERVICES: [&str; 3] = ["devfs", "procfs", "sysfs"];

/// The runlevels that a boot may end in. OpenRC enters `default` only after `boot`, where the image's init has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runlevel {
    Boot,
    Default,
}

impl Runlevel {
    /// The directory of the runlevel in `/etc/runlevels`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Boot => "boot",
            Self::Default => "default",
        }
    }
}

/// Adds the service and enables it in a runlevel, after the mounts.
pub(crate) fn wire(view: &dyn View, runlevel: Runlevel, service: &AgentService, user: &AgentUser, layer: &mut Layer) {
    for service in MOUNT_SERVICES {
        let early = format!("/etc/runlevels/sysinit/{service}");
        if exists(view, format!("/etc/init.d/{service}").as_bytes()) && view.lstat(early.as_bytes()).is_none() {
            enable(service, runlevel, layer);
        }
    }
    let owner = user.owner();
    let (logs, group) = match user {
        AgentUser::Nex => ("/home/nex", "nex".to_owned()),
        AgentUser::Root | AgentUser::Other(_) => {
            layer.directory(OTHER_LOGS.as_bytes(), 0o755, owner);
            (OTHER_LOGS, owner.1.to_string())
        }
    };
    let path = format!("/etc/init.d/{OPENRC_SERVICE}");
    layer.file(path.as_bytes(), 0o755, script(service.command(), &user.word(), logs, &group));
    enable(OPENRC_SERVICE, runlevel, layer);
}

/// Adds the service of the boot script, and enables it beside the agent's.
pub(crate) fn add_boot_script(runlevel: Runlevel, layer: &mut Layer) {
    layer.file(b"/etc/init.d/nex-boot-script", 0o755, BOOT_SCRIPT);
    enable("nex-boot-script", runlevel, layer);
}

/// Whether the image can run a login by OpenRC's own service.
pub(crate) fn has_agetty(view: &dyn View) -> bool {
    exists(view, b"/etc/init.d/agetty") && exists(view, b"/sbin/agetty")
}

/// Enables a login on the serial console. The script takes its port from the name it is called by.
pub(crate) fn add_agetty(layer: &mut Layer) {
    layer.symlink(b"/etc/init.d/agetty.ttyS0", b"agetty");
    enable("agetty.ttyS0", Runlevel::Default, layer);
}

/// Does what `rc-update add SERVICE RUNLEVEL` does.
fn enable(service: &str, runlevel: Runlevel, layer: &mut Layer) {
    let link = format!("/etc/runlevels/{}/{service}", runlevel.name());
    layer.symlink(link.as_bytes(), format!("/etc/init.d/{service}").as_bytes());
}
