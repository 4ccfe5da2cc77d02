//! Whom the agent runs as, and so whom its file belongs to: whoever may write a program that root runs is root.

use nex_inspect::View;

use super::users::{self, NoUser};

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
    /// `USER` or `USER:GROUP`, which the image has to have: not every service manager takes numbers that it does not.
    pub(crate) fn asked(view: &dyn View, text: &str) -> Result<Self, NoUser> {
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
