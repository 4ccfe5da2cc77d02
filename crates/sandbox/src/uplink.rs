//! How scripts get at the host's network without getting at its processes.
//!
//! Whoever is in a network namespace can connect to all abstract Unix sockets of it, whatever rights their owners have on
//! files, and a connection passes open files on, in both directions. So scripts are in a network namespace of their own, and
//! the monitor makes their sockets for the internet in the host's. Only those: what leads to processes stays in theirs.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::options::Network;
use crate::stage::{can_listen, scopes};

/// What connects scripts to the host's network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Uplink {
    /// Nothing: they are in a network namespace of their own.
    None,
    /// They are in a network namespace of their own, and the monitor makes their sockets for the internet in the host's.
    Sockets,
    /// They are in the host's network namespace, with all that it holds.
    Namespace,
}

impl Uplink {
    /// The one that gives the least away.
    pub fn choose(network: Network) -> Self {
        match network {
            Network::None => Self::None,
            Network::Host if has_namespaces() && can_listen() => Self::Sockets,
            Network::Host => Self::Namespace,
        }
    }
}

/// Whether there are network namespaces to be had.
fn has_namespaces() -> bool {
    let most = std::fs::read_to_string("/proc/sys/user/max_net_namespaces").unwrap_or_default();
    Path::new("/proc/self/ns/net").exists() && most.trim() != "0"
}

/// What abstract Unix sockets let through between scripts and processes of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AbstractSockets {
    /// Nothing.
    Apart,
    /// Processes of the host can connect to sockets of scripts; scripts cannot connect to theirs, as Landlock forbids it.
    Inward,
    /// Both can connect to each other.
    Open,
}

/// What abstract Unix sockets let through on this machine when scripts have this network.
///
/// Something passes where another program supervises the system calls of this process, which no second one can do then, or
/// where no network namespace is to be had; and out of a script only where the kernel's Landlock has no scopes (before Linux
/// 6.12).
pub fn abstract_sockets(network: Network) -> AbstractSockets {
    match Uplink::choose(network) {
        Uplink::None | Uplink::Sockets => AbstractSockets::Apart,
        Uplink::Namespace if scopes::are_there() => AbstractSockets::Inward,
        Uplink::Namespace => AbstractSockets::Open,
    }
}
