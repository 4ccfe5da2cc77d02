//! Which init the kernel would start, and whether it would work.

use nex_inspect::{View, end_of_links, exists, is_executable, name};
use nex_text::short_name;

use super::Error;
use super::init::{Init, PLACES};
use super::inittab::Inittab;
use super::openrc::Runlevel;

/// What the image has.
pub(crate) struct Found {
    pub(crate) init: Init,
    /// The table, where the image's init reads one.
    pub(crate) inittab: Option<Inittab>,
    /// Where OpenRC looks for services, for [`Init::OpenRc`].
    pub(crate) runlevel: Runlevel,
    /// The image's init that the agent takes the place of, and why it has to.
    pub(crate) replaced: Option<String>,
}

impl Found {
    fn new(init: Init) -> Self {
        Self { init, inittab: None, runlevel: Runlevel::Boot, replaced: None }
    }
}

/// Looks at what the kernel would start.
pub(crate) fn find(view: &dyn View) -> Result<Found, Error> {
    let Some(place) = PLACES.into_iter().find(|place| is_executable(view, place)) else {
        return Ok(Found::new(Init::Agent));
    };
    let program = end_of_links(view, place);
    let unusable = |why: String| {
        let replaced = format!("{} ({}): {why}", short_name(place), short_name(&program));
        Ok(Found { replaced: Some(replaced), ..Found::new(Init::Agent) })
    };
    match name(&program) {
        b"systemd" => return Ok(Found::new(Init::Systemd)),
        b"openrc-init" if has_openrc(view) => return Ok(Found::new(Init::OpenRc)),
        _ if !reads_inittab(view, place)? => return unusable("not an init that nex can add a service to".into()),
        _ => {}
    }
    let Some(table) = Inittab::load(view, name(&program) == b"busybox")? else {
        return unusable("it needs /etc/inittab, which the image lacks".into());
    };
    if let Some(missing) = table.missing_program(view) {
        return unusable(format!("/etc/inittab starts {}, which the image lacks", short_name(missing)));
    }
    let found = match table.openrc_runlevel(view)?.filter(|_| has_openrc(view)) {
        Some(runlevel) => Found { runlevel, ..Found::new(Init::OpenRc) },
        None => Found::new(Init::Inittab),
    };
    Ok(Found { inittab: Some(table), ..found })
}

fn has_openrc(view: &dyn View) -> bool {
    [b"/sbin/openrc".as_slice(), b"/usr/sbin/openrc"].into_iter().any(|path| exists(view, path))
}

/// Whether the program knows the table by name. BusyBox's init and System V's do; they are called by many names.
fn reads_inittab(view: &dyn View, program: &[u8]) -> Result<bool, Error> {
    /// BusyBox with everything built in has 2 MiB.
    const LONGEST: u64 = 8 << 20;
    const TABLE: &[u8] = b"/etc/inittab";
    let bytes = view.read(program, LONGEST).map_err(|source| Error::read(program, source))?.unwrap_or_default();
    Ok(bytes.windows(TABLE.len()).any(|window| window == TABLE))
}
