//! Whom the agent runs as, and so whom its file belongs to: whoever may write a program that root runs is root.

use nex_contract::RUN_AGENT;
use nex_program::{View, end_of_links, is_executable};

use super::init::{Found, Init, PLACES};
use super::inittab::Inittab;
use super::{AGENT, Error, users};

/// Whom the agent runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AgentUser {
    /// Root: as the init, or as a service where nothing can change the user.
    Root,
    /// A user of its own, `nex`, as a service.
    Nex,
    /// Another user of the image, as a service.
    Other(OtherUser),
}

/// A user of the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherUser {
    name: String,
    /// Another group than the user's own.
    group: Option<String>,
    uid: u32,
    gid: u32,
}

impl AgentUser {
    /// In an image that is about to get its agent, and for which somebody may be asked for.
    pub(crate) fn to_be(view: &dyn View, found: &Found, asked: Option<&str>) -> Result<Self, Error> {
        let usual = match found.init {
            Init::Agent => Self::Root,
            Init::Inittab if Inittab::launcher(view).is_none() => Self::Root,
            Init::Inittab | Init::OpenRc | Init::Systemd => Self::Nex,
        };
        let Some(asked) = asked else { return Ok(usual) };
        let refused = |why: &str| Error::AgentUser { user: nex_text::short_name(asked), why: why.into() };
        let user = Self::asked(view, asked).map_err(|why| refused(&why))?;
        match (found.init, &usual) {
            _ if user == Self::Root => Ok(user),
            (Init::Agent, _) => Err(refused("the agent is the init, which the kernel starts as root")),
            (_, Self::Root) => {
                Err(refused("an entry of /etc/inittab has no user, and the image no start-stop-daemon to become one"))
            }
            _ => Ok(user),
        }
    }

    /// `USER` or `USER:GROUP`, which the image has to have: not every service manager takes numbers that it does not.
    fn asked(view: &dyn View, text: &str) -> Result<Self, String> {
        let (name, group) = match text.split_once(':') {
            Some((name, group)) => (name, Some(group)),
            None => (text, None),
        };
        if matches!((name, group), ("nex", None | Some("nex"))) {
            // It comes with the agent.
            return Ok(Self::Nex);
        }
        let (name, uid, own_gid) = match name {
            "root" | "0" => ("root".into(), 0, 0),
            name => users::find_user(view, name)?,
        };
        let (group, gid) = match group {
            Some(group) => users::find_group(view, group).map(|(name, gid)| (Some(name), gid))?,
            None => (None, own_gid),
        };
        Ok(if uid == 0 && gid == 0 { Self::Root } else { Self::Other(OtherUser { name, group, uid, gid }) })
    }

    /// In a root filesystem that has one.
    ///
    /// # Errors
    /// When its table of what init starts cannot be read.
    pub fn of(view: &dyn View) -> Result<Self, Error> {
        let init = PLACES.into_iter().find(|place| is_executable(view, place));
        let started = init.map(|init| end_of_links(view, init));
        if started.is_some_and(|started| started == AGENT || started == RUN_AGENT.as_bytes()) {
            return Ok(Self::Root);
        }
        let table = Inittab::load(view, false)?;
        Ok(if table.is_some_and(|table| table.runs_agent_as_root(view)) { Self::Root } else { Self::Nex })
    }

    /// The names of the user, and of the group if that is not the user's own.
    pub(crate) fn names(&self) -> (&str, Option<&str>) {
        match self {
            Self::Root => ("root", None),
            Self::Nex => ("nex", Some("nex")),
            Self::Other(other) => (&other.name, other.group.as_deref()),
        }
    }

    /// The same in one word, `USER` or `USER:GROUP`.
    pub fn word(&self) -> String {
        match self.names() {
            (user, Some(group)) => format!("{user}:{group}"),
            (user, None) => user.to_owned(),
        }
    }

    /// The owner and the group of the agent's file.
    pub fn owner(&self) -> (u32, u32) {
        match self {
            Self::Root => (0, 0),
            Self::Nex => (users::NUMBER, users::NUMBER),
            Self::Other(other) => (other.uid, other.gid),
        }
    }

    /// The mode of the agent's file.
    pub fn mode(&self) -> u16 {
        match self.owner() {
            (0, _) => 0o755,
            _ => 0o775,
        }
    }
}
