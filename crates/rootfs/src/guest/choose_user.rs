//! Whom the agent runs as in an image, by what starts it there.

use nex_contract::RUN_AGENT;
use nex_inspect::{View, end_of_links, is_executable};

use super::find_init::Found;
use super::init::{Init, PLACES};
use super::inittab::Inittab;
use super::users::NoUser;
use super::{AGENT, AgentUser, Error};

impl AgentUser {
    /// In an image that is about to get its agent, and for which somebody may be asked for.
    pub(crate) fn to_be(view: &dyn View, found: &Found, asked: Option<&str>) -> Result<Self, Error> {
        let usual = match found.init {
            Init::Agent => Self::Root,
            Init::Inittab if Inittab::launcher(view).is_none() => Self::Root,
            Init::Inittab | Init::OpenRc | Init::Systemd => Self::Nex,
        };
        let Some(asked) = asked else { return Ok(usual) };
        let refused = |cause| Error::AgentUser { user: nex_text::short_name(asked), cause };
        let unfit = |why: &str| refused(NoUser::Unfit(why.into()));
        let user = Self::asked(view, asked).map_err(refused)?;
        match (found.init, &usual) {
            _ if user == Self::Root => Ok(user),
            (Init::Agent, _) => Err(unfit("the agent is the init, which the kernel starts as root")),
            (_, Self::Root) => {
                Err(unfit("an entry of /etc/inittab has no user, and the image no start-stop-daemon to become one"))
            }
            _ => Ok(user),
        }
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
}
