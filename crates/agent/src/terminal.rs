//! Terminals for programs.

use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::fchown;

use nex_contract::{NOT_STARTED, TerminalSize, Unstarted, User};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{LocalModes, SpecialCodeIndex, Winsize, tcgetattr, tcsetwinsize};

/// The type of a terminal (`TERM`) that nobody names, as in docker.
pub const TYPE: &str = "xterm";

/// Opens a terminal of this size: its end for the agent, and the one for the program, which belongs to the program's user.
///
/// # Errors
/// When the kernel gives none: it has none (`CONFIG_UNIX98_PTYS`), or `/dev/pts` is not mounted, or too many are open.
pub fn open(size: TerminalSize, user: Option<&User>) -> Result<(OwnedFd, OwnedFd), Unstarted> {
    let opened = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).and_then(|agents| {
        unlockpt(&agents)?;
        // By the descriptor, as others may have mounted something over the path.
        let programs = ioctl_tiocgptpeer(&agents, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        Ok((agents, programs))
    });
    let ready = opened.map_err(std::io::Error::from).and_then(|(agents, programs)| {
        if let Some(user) = user {
            fchown(&programs, Some(user.uid), None)?;
        }
        resize(&agents, size);
        Ok((agents, programs))
    });
    ready.map_err(|error| Unstarted::new(NOT_STARTED, format!("it gets no terminal: {error}")))
}

/// Gives a terminal another size, of which the kernel tells the programs in its foreground.
pub fn resize(terminal: impl AsFd, size: TerminalSize) {
    let size = Winsize { ws_row: size.rows, ws_col: size.columns, ws_xpixel: 0, ws_ypixel: 0 };
    // A terminal that has hung up has no size.
    let _ = tcsetwinsize(terminal, size);
}

/// What a user types to end the input (Ctrl-D), where the program reads whole lines; `None` where it reads each key.
pub fn end_of_input(terminal: impl AsFd) -> Option<u8> {
    let modes = tcgetattr(terminal).ok()?;
    let key = modes.special_codes[SpecialCodeIndex::VEOF];
    (modes.local_modes.contains(LocalModes::ICANON) && key != 0).then_some(key)
}
