//! How far inside the network a line's connections may lead.
//!
//! The addresses of a name are looked at when it is resolved for a connection, and no other time: a name that answers otherwise the
//! next time (DNS rebinding) gains nothing. A connection that is kept open remembers where it leads.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use ureq::Error;
use ureq::unversioned::resolver::ResolvedSocketAddrs;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, TcpConnector, Transport};

use super::reach::Reach;

/// The place that a server has: that of the first connection to it, whatever becomes of that connection and of its name.
#[derive(Debug, Default)]
pub struct Home(OnceLock<Reach>);

/// The innermost addresses that a request may reach.
#[derive(Debug, Clone)]
pub enum Limit {
    /// Those of a server. The user has named it, so it may be anywhere. After the first connection its name may not lead further
    /// inside than that one did, or than private networks.
    Home(Arc<Home>),
    /// Those up to this one.
    Within(Reach),
}

impl Limit {
    fn innermost(&self) -> Reach {
        match self {
            Limit::Home(home) => home.0.get().map_or(Reach::Metadata, |first| (*first).max(Reach::Private)),
            Limit::Within(innermost) => *innermost,
        }
    }
}

/// Shared by the one who asks and the connections that serve the request.
#[derive(Debug)]
pub(crate) struct Fence(Mutex<State>);

#[derive(Debug)]
struct State {
    limit: Limit,
    reached: Reach,
}

/// A place behind the fence.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("{}", .0.place())]
pub(crate) struct Fenced(pub(crate) Reach);

impl From<Fenced> for Error {
    fn from(fenced: Fenced) -> Error {
        Error::Other(Box::new(fenced))
    }
}

impl Fence {
    /// Nothing is asked yet.
    pub(crate) fn new() -> Fence {
        Fence(Mutex::new(State { limit: Limit::Within(Reach::Public), reached: Reach::Public }))
    }

    /// Sets what may be reached.
    pub(crate) fn set(&self, limit: Limit) {
        self.lock().limit = limit;
    }

    /// How far inside the server is that was asked last.
    pub(crate) fn reached(&self) -> Reach {
        self.lock().reached
    }

    /// Those of a name's addresses that may be reached, by how far inside they are, the most public ones first.
    ///
    /// # Errors
    /// When none of them may.
    pub(crate) fn admitted(&self, addresses: &[SocketAddr]) -> Result<BTreeMap<Reach, Vec<SocketAddr>>, Fenced> {
        let innermost = self.lock().limit.innermost();
        let mut places = BTreeMap::<Reach, Vec<SocketAddr>>::new();
        for address in addresses {
            places.entry(Reach::of_address(address.ip())).or_default().push(*address);
        }
        let outermost = places.first_key_value().map_or(Reach::Public, |(reach, _)| *reach);
        places.retain(|reach, _| *reach <= innermost);
        if places.is_empty() { Err(Fenced(outermost)) } else { Ok(places) }
    }

    /// Goes to a place. The first time, that is where a server is from then on.
    ///
    /// # Errors
    /// When it lies behind the fence.
    pub(crate) fn enter(&self, reach: Reach) -> Result<(), Fenced> {
        let mut state = self.lock();
        if let Limit::Home(home) = &state.limit {
            home.0.get_or_init(|| reach);
        }
        if reach > state.limit.innermost() {
            return Err(Fenced(reach));
        }
        state.reached = reach;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Connects to servers, and lets the connections remember where they lead. The fence is `None` for those through a proxy: it is the
/// proxy that knows.
#[derive(Debug)]
pub(crate) struct FencedTcp {
    pub(crate) fence: Option<Arc<Fence>>,
    pub(crate) tcp: TcpConnector,
}

impl<In: Transport> Connector<In> for FencedTcp {
    type Out = Box<dyn Transport>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        let Some(fence) = &self.fence else {
            return Ok(self.tcp.connect(details, chained)?.map(|socket| Box::new(socket) as Box<dyn Transport>));
        };
        let mut failure = Error::HostNotFound;
        // Place by place: which of the addresses answers, only the one who tries them knows.
        for (reach, addresses) in fence.admitted(&details.addrs)? {
            match self.tcp.connect(&to(details, &addresses), None::<In>) {
                Ok(Some(socket)) => {
                    fence.enter(reach)?;
                    return Ok(Some(Box::new(FencedSocket { socket, fence: Arc::clone(fence), reach })));
                }
                Ok(None) => {}
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

/// The same connection to other addresses.
fn to<'a>(details: &ConnectionDetails<'a>, addresses: &[SocketAddr]) -> ConnectionDetails<'a> {
    ConnectionDetails {
        uri: details.uri,
        addrs: resolved(details.resolver.empty(), addresses),
        config: details.config,
        request_level: details.request_level,
        resolver: details.resolver,
        now: details.now,
        timeout: details.timeout,
        current_time: Arc::clone(&details.current_time),
        run_connector: Arc::clone(&details.run_connector),
        register_shutdown: Arc::clone(&details.register_shutdown),
    }
}

/// Addresses as the library takes them: as many as it has room for.
pub(crate) fn resolved(mut none: ResolvedSocketAddrs, addresses: &[SocketAddr]) -> ResolvedSocketAddrs {
    for address in addresses {
        if none.try_push(*address).is_err() {
            break;
        }
    }
    none
}

#[derive(Debug)]
struct FencedSocket<T> {
    socket: T,
    fence: Arc<Fence>,
    reach: Reach,
}

impl<T: Transport> Transport for FencedSocket<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.socket.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.fence.enter(self.reach)?;
        self.socket.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.socket.await_input(timeout)
    }

    /// A connection of another request, which could lead further, is of no use here.
    fn is_open(&mut self) -> bool {
        self.reach <= self.fence.lock().limit.innermost() && self.socket.is_open()
    }

    fn is_tls(&self) -> bool {
        self.socket.is_tls()
    }
}
