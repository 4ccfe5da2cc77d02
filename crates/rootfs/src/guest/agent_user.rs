//! Whom the agent runs as, and so whom its file belongs to: whoever may write a program that root runs is root.

use nex_program::{View, end_of_links, is_executable};

use super::init::{Found, Init, PLACES};
use super::inittab::Inittab;
use super::{AGENT, Error, users};

/// Whom the agent runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgentUser {
    /// Root: as the init, or as a service where nothing can change the user.
    Root,
    /// A user of its own, `nex`, as a service.
    Nex,
}

impl AgentUser {
    /// In an image that is about to get its agent.
    pub(crate) fn to_be(view: &dyn View, found: &Found) -> Self {
        match found.init {
            Init::Agent => Self::Root,
            Init::Inittab if Inittab::launcher(view).is_none() => Self::Root,
            Init::Inittab | Init::OpenRc | Init::Systemd => Self::Nex,
        }
    }

    /// In a root filesystem that has one.
    ///
    /// # Errors
    /// When its table of what init starts cannot be read.
    pub fn of(view: &dyn View) -> Result<Self, Error> {
        let init = PLACES.into_iter().find(|place| is_executable(view, place));
        if init.is_some_and(|init| end_of_links(view, init) == AGENT) {
            return Ok(Self::Root);
        }
        let table = Inittab::load(view, false)?;
        Ok(if table.is_some_and(|table| table.runs_agent_as_root()) { Self::Root } else { Self::Nex })
    }

    /// The owner and the group of the agent's file.
    pub fn owner(self) -> (u32, u32) {
        match self {
            Self::Root => (0, 0),
            Self::Nex => (users::NUMBER, users::NUMBER),
        }
    }

    /// The mode of the agent's file.
    pub fn mode(self) -> u16 {
        match self {
            Self::Root => 0o755,
            Self::Nex => 0o775,
        }
    }
}
