//! Sockets of the scripts that lead to the host's network. The keeper makes them, as it is in the host's network namespace,
//! and scripts are not.

use std::io;

use rustix::net::{AddressFamily, Protocol, SocketFlags, SocketType, socket_with};

use super::call::Call;

/// Where a script finds the socket that it has asked for, as socket(2) gives it.
///
/// The arguments are numbers in the registers of a process that waits: nobody changes them meanwhile.
///
/// # Errors
/// Those of socket(2), for the process that asks.
pub fn make(call: &Call) -> io::Result<i64> {
    let family = AddressFamily::from_raw(u16::try_from(call.word(0)).map_err(io::Error::other)?);
    let close_on_exec = SocketFlags::CLOEXEC.bits();
    let kind = SocketType::from_raw(call.word(1) & !close_on_exec);
    let protocol = std::num::NonZeroU32::new(call.word(2)).map(Protocol::from_raw);
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC, protocol)?;
    call.give(&socket, call.word(1) & close_on_exec != 0)
}
