//! How far inside the network a line's connections may lead.
//!
//! The addresses of a name are looked at when it is resolved for a connection, and no other time: a name that answers otherwise the
//! next time (DNS rebinding) gains nothing. A connection that is kept open remembers where it leads.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ureq::Error;
use ureq::unversioned::resolver::ResolvedSocketAddrs;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

use super::reach::Reach;

/// Shared by whoever asks and the connections that serve the request.
#[derive(Debug)]
pub(super) struct Fence(Mutex<State>);

#[derive(Debug, Clone, Copy)]
struct State {
    innermost: Reach,
    reached: Reach,
}

/// A name whose address lies behind the fence.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("{}", .0.place())]
pub(super) struct Fenced(pub(super) Reach);

impl Fence {
    /// Nothing is asked yet.
    pub(super) fn new() -> Fence {
        Fence(Mutex::new(State { innermost: Reach::Public, reached: Reach::Public }))
    }

    /// Sets the innermost addresses that may be reached.
    pub(super) fn set(&self, innermost: Reach) {
        self.lock().innermost = innermost;
    }

    /// How far inside the server is that was asked last.
    pub(super) fn reached(&self) -> Reach {
        self.lock().reached
    }

    /// Fails when one of the addresses may not be reached: which of them will answer, nobody knows before.
    pub(super) fn check(&self, addresses: &ResolvedSocketAddrs) -> Result<(), Fenced> {
        let reach = innermost(addresses);
        if self.admits(reach) { Ok(()) } else { Err(Fenced(reach)) }
    }

    fn admits(&self, reach: Reach) -> bool {
        reach <= self.lock().innermost
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn innermost(addresses: &ResolvedSocketAddrs) -> Reach {
    addresses.iter().map(|address| Reach::of_address(address.ip())).max().unwrap_or(Reach::Public)
}

/// Lets connections remember where they lead. `None` for those through a proxy: it is the proxy that knows.
#[derive(Debug)]
pub(super) struct FenceSockets(pub(super) Option<Arc<Fence>>);

impl<In: Transport> Connector<In> for FenceSockets {
    type Out = Box<dyn Transport>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        Ok(chained.map(|socket| match &self.0 {
            Some(fence) => {
                Box::new(FencedSocket { socket, fence: Arc::clone(fence), reach: innermost(&details.addrs) })
                    as Box<dyn Transport>
            }
            None => Box::new(socket),
        }))
    }
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
        self.fence.lock().reached = self.reach;
        self.socket.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        self.socket.await_input(timeout)
    }

    /// A connection of another request, which could lead further, is of no use here.
    fn is_open(&mut self) -> bool {
        self.fence.admits(self.reach) && self.socket.is_open()
    }

    fn is_tls(&self) -> bool {
        self.socket.is_tls()
    }
}
