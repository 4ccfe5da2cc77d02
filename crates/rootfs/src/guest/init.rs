//! Who starts the agent.

/// Where the kernel looks for an init, in its order. It ends with `/bin/sh`, but a shell is nobody's service manager.
pub(crate) const PLACES: [&[u8]; 3] = [b"/sbin/init", b"/etc/init", b"/bin/init"];

/// Who starts the agent in the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Init {
    /// OpenRC, under its own init or under an init that reads `/etc/inittab`.
    OpenRc,
    /// systemd.
    Systemd,
    /// System V's init or BusyBox's, without OpenRC.
    Inittab,
    /// Nobody: the image has no init that works, so the agent is also the init.
    Agent,
}
