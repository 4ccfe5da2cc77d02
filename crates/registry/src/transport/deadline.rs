//! A moment after which connections fail, whatever they are busy with.
//!
//! It stands below TLS and HTTP, at the socket: handshakes, informational answers, headers, chunks and bodies are all made of reads
//! and writes, and each of these ends at the deadline. So nothing that a server can send keeps us longer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};
use ureq::{Error, ProxyProtocol, Timeout};

/// Shared by the one who waits and the connections that serve the wait.
#[derive(Debug, Default)]
pub(crate) struct Deadline {
    end: Mutex<Option<Instant>>,
    received: AtomicU64,
}

impl Deadline {
    /// Begins a wait, with nothing received.
    pub(crate) fn begin(&self, end: Option<Instant>) {
        self.set(end);
        self.received.store(0, Ordering::Relaxed);
    }

    /// Sets the moment; `None` is never.
    pub(crate) fn set(&self, end: Option<Instant>) {
        *self.lock() = end;
    }

    /// Whether it is over.
    pub(crate) fn has_passed(&self) -> bool {
        self.lock().is_some_and(|end| end <= Instant::now())
    }

    /// Bytes that came through the sockets in this wait, of whatever kind.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// The same timeout, or what is left until the deadline if that is less.
    pub(crate) fn cap(&self, mut timeout: NextTimeout) -> Result<NextTimeout, Error> {
        if let Some(end) = *self.lock() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Error::Timeout(Timeout::Global));
            }
            timeout.after = timeout.after.min(left.into());
        }
        Ok(timeout)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Instant>> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes connections within the deadline.
#[derive(Debug)]
pub(crate) struct Within<C> {
    /// Who makes them.
    pub(crate) inner: C,
    /// Until when.
    pub(crate) deadline: Arc<Deadline>,
}

impl<C: Connector> Connector for Within<C> {
    type Out = C::Out;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<()>) -> Result<Option<Self::Out>, Error> {
        let details = ConnectionDetails {
            uri: details.uri,
            addrs: details.addrs.clone(),
            config: details.config,
            request_level: details.request_level,
            resolver: details.resolver,
            now: details.now,
            timeout: self.deadline.cap(details.timeout)?,
            current_time: Arc::clone(&details.current_time),
            run_connector: Arc::clone(&details.run_connector),
            register_shutdown: Arc::clone(&details.register_shutdown),
        };
        self.inner.connect(&details, chained)
    }
}

/// Puts sockets under the deadline. It stands in the chain of connectors where sockets are new, before TLS.
#[derive(Debug)]
pub(crate) struct WatchSockets(pub(crate) Arc<Deadline>);

impl<In: Transport> Connector<In> for WatchSockets {
    type Out = Box<dyn Transport>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        // A tunnel through a proxy runs over a socket that is watched already.
        let is_tunnel = details
            .config
            .proxy()
            .is_some_and(|proxy| matches!(proxy.protocol(), ProxyProtocol::Http | ProxyProtocol::Https));
        Ok(chained.map(|socket| match is_tunnel {
            true => Box::new(socket) as Box<dyn Transport>,
            false => Box::new(Watched { socket, deadline: Arc::clone(&self.0) }),
        }))
    }
}

/// A socket under the deadline.
#[derive(Debug)]
struct Watched<T> {
    socket: T,
    deadline: Arc<Deadline>,
}

impl<T: Transport> Transport for Watched<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.socket.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        self.socket.transmit_output(amount, self.deadline.cap(timeout)?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let before = self.socket.buffers().input().len();
        let has_come = self.socket.await_input(self.deadline.cap(timeout)?)?;
        let bytes = self.socket.buffers().input().len().saturating_sub(before);
        self.deadline.received.fetch_add(bytes as u64, Ordering::Relaxed);
        Ok(has_come)
    }

    fn is_open(&mut self) -> bool {
        self.socket.is_open()
    }

    fn is_tls(&self) -> bool {
        self.socket.is_tls()
    }
}
