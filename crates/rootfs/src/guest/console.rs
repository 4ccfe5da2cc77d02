//! A login on the serial console, where the image has the programs for it.

use nex_inspect::{View, exists};

use super::Error;
use super::change::Layer;
use super::find_init::Found;
use super::init::Init;
use super::text::{Attributes, Text};
use super::{openrc, systemd};

/// Enables it in the way of the image's init.
pub(crate) fn wire(view: &dyn View, found: &mut Found, layer: &mut Layer) -> Result<(), Error> {
    let enabled = match (found.init, &mut found.inittab) {
        // Nobody would start it.
        (Init::Agent, _) => return Ok(()),
        (Init::Systemd, _) => systemd::add_getty(view, layer),
        (_, Some(table)) if table.has_getty() => true,
        (Init::OpenRc, _) if openrc::has_agetty(view) => {
            openrc::add_agetty(layer);
            true
        }
        (_, Some(table)) if exists(view, b"/sbin/getty") => {
            table.add_getty();
            true
        }
        _ => false,
    };
    if enabled {
        return allow_root(view, layer);
    }
    layer.note("no login on the console: the image has no getty");
    Ok(())
}

/// Lists the port in securetty(5), where the image restricts root to such a list.
fn allow_root(view: &dyn View, layer: &mut Layer) -> Result<(), Error> {
    let mut terminals = Text::load(view, b"/etc/securetty", Attributes::PUBLIC)?;
    if terminals.is_found() && !terminals.lines().any(|line| line == b"ttyS0") {
        terminals.append(b"ttyS0");
    }
    terminals.save(layer);
    Ok(())
}
