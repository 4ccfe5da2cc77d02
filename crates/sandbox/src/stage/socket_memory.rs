//! Adds up what waits in the pipes and sockets of the scripts, wherever these are.
//!
//! The kernel tells what waits in the sockets of a network namespace, of each one that has an address or a peer, and how many sockets
//! there are. The rest are open in a process, where they are looked at, or nowhere: closed with something that another one
//! has not read yet, or on their way through others and without a peer. Nothing tells more of those, so each counts as the
//! most that it may hold.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::sock_diag::{SockDiag, SocketInfo};
use super::sockets::Lent;
use super::tasks::Process;
use super::uncounted::most_in_a_pipe;
use super::waiting::{IN_A_SOCKET, Open};
use super::worker::Pulse;
use crate::uplink::Uplink;

/// What a message takes in a socket at least, in bytes, and how many files it passes on at most (the kernel's `SCM_MAX_FD`).
const MESSAGE: u64 = 768;
const FILES: u64 = 253;

/// What is known of the sockets.
pub struct SocketMemory {
    /// Those that were lent, in the host's network namespace.
    lent: Arc<Mutex<Lent>>,
    /// What tells of that one.
    host: Option<SockDiag>,
    /// Inodes of accepted connections there.
    accepted: BTreeSet<u64>,
    /// Ports of those, and of lent ones, as long as there is anything at them: what a socket that nobody has any more still sends.
    ports: BTreeSet<u16>,
    /// Whether this thread is in the network namespace that the scripts have for themselves.
    is_apart: bool,
    /// What tells of that one.
    own: Option<SockDiag>,
    /// Whether it has sockets for the internet.
    has_internet: bool,
    /// How much a socket may hold that is nowhere; of those that were lent, too.
    most: u64,
    most_lent: u64,
    /// What such sockets could hold at the look before: many are so for a moment.
    unseen: u64,
}

impl SocketMemory {
    /// Enters the network namespace of a process with the calling thread, if scripts with this uplink have one.
    pub fn enter(pid: u32, uplink: Uplink, lent: Arc<Mutex<Lent>>) -> Self {
        let default = setting("core/rmem_default").max(setting("core/wmem_default"));
        let most = IN_A_SOCKET.max(default.saturating_mul(4));
        let most_lent = most.max(setting("ipv4/tcp_rmem").saturating_add(setting("ipv4/tcp_wmem")));
        let host = (uplink == Uplink::Sockets).then(|| SockDiag::open().ok()).flatten();
        let is_apart = uplink != Uplink::Namespace && enter(pid).is_ok();
        let own = is_apart.then(|| SockDiag::open().ok()).flatten();
        let has_internet = uplink == Uplink::None;
        Self {
            lent,
            host,
            accepted: BTreeSet::new(),
            ports: BTreeSet::new(),
            is_apart,
            own,
            has_internet,
            most,
            most_lent,
            unseen: 0,
        }
    }

    /// What may wait at most in the sockets of processes that have so many files open, in bytes.
    pub fn most(&self, files: u64) -> u64 {
        let Some(number) = self.number() else { return files.saturating_mul(IN_A_SOCKET) };
        let lent = self.lent();
        if lent.listens || !self.ports.is_empty() {
            return u64::MAX;
        }
        let lent = if lent.may_be_any() { lent.living().len() as u64 } else { 0 };
        number.saturating_mul(self.most).saturating_add(lent.saturating_mul(self.most_lent))
    }

    /// Whether files may be on their way through a socket.
    pub fn may_pass_files(&self) -> bool {
        self.number().is_some_and(|number| number > 0)
    }

    /// What waits in the pipes and sockets of these processes, in bytes; up to where it is past a limit.
    pub fn add_up(&mut self, processes: &[Process], limit: u64, pulse: &Pulse) -> u64 {
        let own = self.own();
        let (lent, host) = self.of_host();
        let known = own.iter().chain(&host).map(|info| info.inode).filter(|inode| *inode != 0).collect();
        let before = self.number();
        let open = Open::by(processes, &known, limit, pulse);
        let is_seen = |inode: &u64| known.contains(inode) || open.sockets.contains_key(inode);
        // What the sockets of processes have sent that nobody may look at may be files.
        let sent =
            own.iter().filter(|info| open.is_partial && info.inode != 0 && !open.sockets.contains_key(&info.inode));
        let files: u64 = sent.map(|info| info.bytes.div_ceil(MESSAGE).saturating_mul(FILES)).sum();
        let mut unseen = lent.iter().filter(|inode| !is_seen(inode)).count() as u64 * self.most_lent;
        if let (Some(before), Some(after)) = (before, self.number()) {
            let counted: u64 = own.iter().map(|info| 1 + info.unaccepted).sum();
            let others = open.sockets.keys().filter(|inode| self.has_internet && !known.contains(inode)).count() as u64;
            let number = before.min(after).saturating_sub(counted + others);
            unseen = unseen.saturating_add(number.saturating_mul(self.most));
            unseen = unseen.saturating_add(files.saturating_mul(most_in_a_pipe()));
        }
        let lasting = std::mem::replace(&mut self.unseen, unseen).min(unseen);
        let sockets = own.iter().chain(&host).map(|info| info.bytes).chain(open.sockets.values().copied());
        let others = [open.pipes, open.files.saturating_mul(most_in_a_pipe()), lasting];
        sockets.chain(others).fold(0, u64::saturating_add)
    }

    /// How many sockets there are in the scripts' own namespace; `None` where they have none, or nobody tells.
    fn number(&self) -> Option<u64> {
        let text = self.is_apart.then(|| std::fs::read_to_string("/proc/thread-self/net/sockstat").ok()).flatten()?;
        let number: u64 = text.lines().find_map(|line| line.strip_prefix("sockets: used ")?.trim().parse().ok())?;
        Some(number.saturating_sub(self.own.is_some().into()))
    }

    /// The sockets in the scripts' own namespace that the kernel tells of.
    fn own(&mut self) -> Vec<SocketInfo> {
        let has_internet = self.has_internet;
        let info = self.own.as_mut().map(|diag| {
            let mut all = diag.of_unix()?;
            if has_internet {
                all.append(&mut diag.of_internet()?);
            }
            std::io::Result::Ok(all)
        });
        info.and_then(Result::ok).unwrap_or_default()
    }

    /// The sockets that were lent, and what the kernel tells of them and of the connections that they have taken.
    fn of_host(&mut self) -> (BTreeSet<u64>, Vec<SocketInfo>) {
        let (lent, listens) = {
            let lent = self.lent();
            (lent.living(), lent.listens)
        };
        if lent.is_empty() && !listens && self.ports.is_empty() {
            return Default::default();
        }
        let mut info = self.host.as_mut().and_then(|diag| diag.of_internet().ok()).unwrap_or_default();
        let lents = || info.iter().filter(|info| lent.contains(&info.inode));
        let listening: BTreeSet<u16> = lents().filter(|info| info.listens).map(|info| info.port).collect();
        self.ports.extend(lents().map(|info| info.port).filter(|port| *port > 0));
        info.retain(|info| {
            let is_nobodys = info.inode == 0 && (self.ports.contains(&info.port) || self.ports.contains(&info.peer));
            is_nobodys
                || lent.contains(&info.inode)
                || self.accepted.contains(&info.inode)
                || listening.contains(&info.port)
        });
        self.ports.retain(|port| info.iter().any(|info| info.port == *port || info.peer == *port));
        let accepted = info.iter().map(|info| info.inode).filter(|inode| *inode != 0 && !lent.contains(inode));
        self.accepted = accepted.collect();
        (lent, info)
    }

    fn lent(&self) -> MutexGuard<'_, Lent> {
        self.lent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The largest number of a setting of this thread's network namespace.
fn setting(name: &str) -> u64 {
    let value = std::fs::read_to_string(format!("/proc/sys/net/{name}")).unwrap_or_default();
    value.split_ascii_whitespace().filter_map(|number| number.parse().ok()).max().unwrap_or(0)
}

fn enter(pid: u32) -> std::io::Result<()> {
    let namespace = File::open(format!("/proc/{pid}/ns/net"))?;
    Ok(move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?)
}
