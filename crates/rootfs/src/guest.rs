//! What is added to the image so that it boots and starts the agent.
//!
//! Nothing of the image runs: its files are looked at through a [`View`], and what is missing comes out as one more layer
//! of [`Change`]s.

mod agent_service;
mod agent_user;
mod boot_script;
mod change;
mod choose_user;
mod config;
mod config_directories;
mod console;
mod files;
mod find_init;
mod hostname;
mod init;
mod inittab;
#[cfg(test)]
pub(crate) mod memory;
mod openrc;
mod process_one;
mod resolver;
mod ssh_keygen;
mod ssh_keys;
mod systemd;
#[cfg(test)]
mod tests;
mod text;
mod users;

use std::io;

pub use agent_service::AgentService;
pub use agent_user::AgentUser;
pub use boot_script::BootScript;
pub use change::{Change, FileContent};
pub use hostname::{Hostname, HostnameError};
pub use init::Init;
pub use nex_contract::{ImageConfig, Pid1};
use nex_contract::{OPENRC_SERVICE, RUN_AGENT, SYSTEMD_UNIT};
pub use nex_program::name_servers;
pub use resolver::{ResolvConf, ResolvConfAction, ResolvConfSource};
pub use users::NoUser;

use change::Layer;
use find_init::Found;
use nex_fault::{Code, Fault, Note, Remedy, Setting};
use nex_inspect::View;
use nex_program::BadScript;

use crate::codes;

/// Where the agent stands in the guest.
pub(crate) const AGENT: &[u8] = nex_contract::AGENT.as_bytes();

/// What the caller decides about the guest.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The guest's name. Without one the image's stays; an image without a name gives `nex`.
    pub hostname: Option<Hostname>,
    /// What `/etc/resolv.conf` becomes.
    pub resolv_conf: ResolvConfSource,
    /// Whether the agent is nex's own: as the init, that one makes name servers and SSH host keys.
    pub agent_is_ours: bool,
    /// How the agent is started.
    pub agent_service: AgentService,
    /// The hash of root's password, as crypt(5) makes it. Without one root stays as the image has it, and is locked where
    /// anybody could log in without a password.
    pub root_password: Option<Vec<u8>>,
    /// What the image says about its workload.
    pub config: ImageConfig,
    /// Who is process 1 once the guest is up.
    pub pid1: Pid1,
    /// The directories that the image calls volumes.
    pub volumes: Vec<String>,
    /// What to run at every boot.
    pub boot_script: Option<BootScript>,
}

/// The guest's layer, and what there is to say about it.
#[derive(Clone, Debug)]
pub struct Wiring {
    /// Who starts the agent.
    pub init: Init,
    /// The same in words, for the report.
    pub started_by: String,
    /// Whom it runs as.
    pub user: AgentUser,
    /// What became of `/etc/resolv.conf`.
    pub resolv_conf: ResolvConf,
    /// The layer.
    pub changes: Vec<Change>,
    /// What the user may want to know: what of the image was kept or replaced against expectation.
    pub notes: Vec<Note>,
}

/// Why the guest's layer could not be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the image could not be read back.
    #[error("cannot read {path} of the image")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A text file of the image is too long to be one.
    #[error("{path} of the image is longer than {longest} bytes; it is not the text file that nex has to add to")]
    TooLong {
        /// The file.
        path: String,
        /// The limit, in bytes.
        longest: u64,
    },
    /// What was asked for as root's password is no hash. It may be a password, and is not said.
    #[error("root's password is no hash as crypt(5) has it ($6$...), and not ! or *")]
    PasswordHash,
    /// The boot script is none.
    #[error("the boot script {script} is {cause}")]
    BootScript {
        /// The script.
        script: String,
        /// What it is.
        cause: &'static str,
    },
    /// The first line of the boot script is not what was meant.
    #[error("the boot script {script} would not run")]
    BadBootScript {
        /// The script.
        script: String,
        /// What is wrong with its first line.
        #[source]
        cause: BadScript,
    },
    /// Nobody in the image could run the boot script.
    #[error("the boot script {script} needs what the image lacks: {interpreter}")]
    BootScriptInterpreter {
        /// The script.
        script: String,
        /// The program that runs it.
        interpreter: String,
    },
    /// The agent cannot run as whom it should.
    #[error("the agent cannot run as '{user}'")]
    AgentUser {
        /// Who was asked for.
        user: String,
        /// Why not.
        #[source]
        cause: NoUser,
    },
    /// The agent cannot be started by the name that it should have.
    #[error("the agent cannot be started as {path}: that is {what} of the image")]
    AgentPath {
        /// The name.
        path: String,
        /// What is there: `a directory`, `the shell`.
        what: &'static str,
    },
    /// Nobody could give the agent its arguments and variables.
    #[error("the image has no /bin/sh, which would give the agent its arguments and variables")]
    AgentLauncher,
    /// nex's own agent has no use for arguments and variables.
    #[error("nex's own agent takes no arguments and reads no variables")]
    OwnAgent,
    /// Nobody would hand process 1 over.
    #[error("only nex's own agent hands process 1 to the image's program, and another agent was given")]
    Pid1Agent,
    /// There is nobody to hand process 1 over to.
    #[error("there is no program to make process 1: the image names neither an entrypoint nor a command")]
    Pid1Program,
    /// The image's configuration could not be written down.
    #[error("cannot write down the image's configuration")]
    Config(#[from] serde_json::Error),
}

impl Error {
    fn read(path: &[u8], source: io::Error) -> Self {
        Self::Read { path: lossy(path), source }
    }
}

impl Fault for Error {
    fn code(&self) -> Code {
        match self {
            Self::Read { .. } => codes::READ_BACK,
            Self::TooLong { .. } => codes::TEXT_FILE,
            Self::PasswordHash => codes::PASSWORD_HASH,
            Self::BootScript { .. } | Self::BadBootScript { .. } | Self::BootScriptInterpreter { .. } => {
                codes::BOOT_SCRIPT
            }
            Self::AgentUser { cause, .. } => cause.code(),
            Self::AgentPath { .. } => codes::AGENT_PATH,
            Self::AgentLauncher | Self::OwnAgent => codes::AGENT_ARGUMENTS,
            Self::Pid1Agent | Self::Pid1Program => codes::PID1,
            Self::Config(_) => codes::CONFIG,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        let no_arguments = || Remedy::say("leave").omit(Setting::AgentArg).and("and").omit(Setting::AgentEnv);
        Some(match self {
            Self::PasswordHash => Remedy::say("make one with 'openssl passwd -6'"),
            Self::BootScript { .. } => Remedy::say("begin it with a line such as #!/bin/sh"),
            Self::BadBootScript { cause, .. } => return cause.remedy(),
            Self::BootScriptInterpreter { .. } => Remedy::say("write it for a shell that the image has"),
            Self::AgentUser { cause, .. } => return cause.remedy(),
            Self::AgentPath { .. } => Remedy::say("name another with").choose(Setting::AgentPath),
            Self::AgentLauncher => no_arguments().and("out, or take an image with a shell"),
            Self::OwnAgent => no_arguments().and("out. Those of what it runs are the image's, or given to nex run"),
            Self::Pid1Agent => Remedy::say("leave").omit(Setting::Agent).and("out, or").omit(Setting::Pid1),
            Self::Pid1Program => Remedy::say("leave").omit(Setting::Pid1).and("out, or take an image that names one"),
            Self::Read { .. } | Self::TooLong { .. } | Self::Config(_) => return None,
        })
    }
}

/// Makes the guest's layer for an image.
pub fn wire(view: &dyn View, options: &Options) -> Result<Wiring, Error> {
    let mut layer = Layer::default();
    let mut found = find_init::find(view)?;
    // Those that each guest has come later, with modes of their own.
    let working_dir = Some(&options.config.working_dir).filter(|path| !path.is_empty());
    config_directories::add(view, working_dir.into_iter().chain(&options.volumes), &mut layer);
    files::add_directories(view, &mut layer);
    files::add_network_names(view, options.hostname.as_ref(), &mut layer)?;
    let who = resolver::Who { init: found.init, agent_is_ours: options.agent_is_ours };
    let resolv_conf = resolver::wire(view, &options.resolv_conf, who, &mut layer)?;
    ssh_keys::wire(view, found.init, options.agent_is_ours, &mut layer);
    users::wire(view, options.root_password.as_deref(), &mut layer)?;
    process_one::wire(view, options, &mut layer)?;
    config::add(&ImageConfig { pid1: options.pid1, ..options.config.clone() }, &mut layer)?;
    let service = &options.agent_service;
    if options.agent_is_ours && !(service.args.is_empty() && service.env.is_empty()) {
        return Err(Error::OwnAgent);
    }
    let user = AgentUser::to_be(view, &found, service.user.as_deref())?;
    layer.owned_file(AGENT, user.mode(), user.owner(), FileContent::Agent);
    service.add_to(view, found.init, &mut layer)?;
    console::wire(view, &mut found, &mut layer)?;
    if let Some(script) = &options.boot_script {
        boot_script::wire(script, &options.config.env, view, &mut found, &mut layer)?;
    }
    let started_by = start_agent(view, service, &user, &mut found, &mut layer);
    if let Some(table) = found.inittab {
        table.save(&mut layer);
    }
    Ok(Wiring { init: found.init, started_by, user, resolv_conf, changes: layer.changes, notes: layer.notes })
}

/// Has the agent started by what the image has, and says how.
fn start_agent(
    view: &dyn View,
    service: &AgentService,
    user: &AgentUser,
    found: &mut Found,
    layer: &mut Layer,
) -> String {
    match (found.init, &mut found.inittab) {
        (Init::OpenRc, _) => {
            openrc::wire(view, found.runlevel, service, user, layer);
            format!("OpenRC (service {OPENRC_SERVICE} in the {} runlevel)", found.runlevel.name())
        }
        (Init::Systemd, _) => {
            systemd::wire(view, service, user, layer);
            format!("systemd ({SYSTEMD_UNIT})")
        }
        (Init::Inittab, Some(table)) => {
            table.add_agent(view, service, user);
            if *user == AgentUser::Root && service.user.is_none() {
                layer.note(
                    "the agent runs as root: an entry of /etc/inittab has no user, and the image no start-stop-daemon",
                );
            }
            "init (a respawn entry in /etc/inittab)".into()
        }
        (Init::Inittab | Init::Agent, _) => {
            if let Some(replaced) = &found.replaced {
                layer.note(format!("the agent takes the place of the image's init {replaced}"));
            }
            let command = service.command();
            layer.symlink(b"/sbin/init", if command == RUN_AGENT { command.as_bytes() } else { AGENT });
            "the kernel (the agent is the init)".into()
        }
    }
}

/// A path or name of the image as a message may show it: what could disturb a terminal is escaped.
fn lossy(bytes: &[u8]) -> String {
    nex_text::short_name(bytes)
}
