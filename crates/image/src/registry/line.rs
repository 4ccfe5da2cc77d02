//! Lines to servers. Whoever waits for an answer holds one: its connections have one deadline, which is theirs alone.
//!
//! A line that is given back keeps its idle connections for the next who takes it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::TlsConfig;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    ConnectProxyConnector, ConnectionDetails, Connector, NextTimeout, RustlsConnector, SocksConnector, TcpConnector,
    Transport,
};
use ureq::{Agent, Proxy};

use super::address::is_https;
use super::deadline::{Deadline, WatchSockets, Within};
use super::error::Error;
use super::fence::{Fence, FenceSockets};
use super::patience::Timeouts;
use super::proxy::Proxies;
use super::reach::Reach;

/// How we name ourselves to servers.
const USER_AGENT: &str = concat!("nex/", env!("CARGO_PKG_VERSION"));

/// All lines, as they are set up.
pub(super) struct Lines {
    tls: TlsConfig,
    encryption: Arc<RustlsConnector>,
    timeouts: Timeouts,
    https_proxy: Option<Proxy>,
    http_proxy: Option<Proxy>,
    proxies: Proxies,
    free: Mutex<Vec<Arc<Line>>>,
}

/// Connections that one wait uses.
struct Line {
    direct: Agent,
    via_https_proxy: Option<Agent>,
    via_http_proxy: Option<Agent>,
    deadline: Arc<Deadline>,
    fence: Arc<Fence>,
}

impl Lines {
    /// Nothing is connected yet.
    pub(super) fn new(tls: TlsConfig, timeouts: &Timeouts, proxies: &Proxies) -> Result<Arc<Lines>, Error> {
        Ok(Arc::new(Lines {
            tls,
            encryption: Arc::default(),
            timeouts: timeouts.clone(),
            https_proxy: proxies.for_scheme("https")?,
            http_proxy: proxies.for_scheme("http")?,
            proxies: proxies.clone(),
            free: Mutex::default(),
        }))
    }

    /// Takes a line that nobody holds, or makes one.
    pub(super) fn take(self: &Arc<Lines>) -> HeldLine {
        let free = self.free().pop();
        HeldLine { line: free.unwrap_or_else(|| Arc::new(self.line())), lines: Arc::clone(self) }
    }

    /// The proxy for an address, if there is one.
    pub(super) fn proxy(&self, uri: &Uri) -> Option<&Proxy> {
        let proxy = if is_https(uri) { &self.https_proxy } else { &self.http_proxy };
        proxy.as_ref().filter(|_| !self.proxies.bypass(uri))
    }

    fn free(&self) -> MutexGuard<'_, Vec<Arc<Line>>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self) -> Line {
        let (deadline, fence) = (Arc::new(Deadline::default()), Arc::new(Fence::new()));
        let agent = |proxy| self.agent(proxy, &deadline, &fence);
        Line {
            direct: agent(None),
            via_https_proxy: self.https_proxy.clone().map(|proxy| agent(Some(proxy))),
            via_http_proxy: self.http_proxy.clone().map(|proxy| agent(Some(proxy))),
            deadline,
            fence,
        }
    }

    fn agent(&self, proxy: Option<Proxy>, deadline: &Arc<Deadline>, fence: &Arc<Fence>) -> Agent {
        let own_fence = proxy.is_none().then(|| Arc::clone(fence));
        let configuration = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(USER_AGENT)
            .tls_config(self.tls.clone())
            .proxy(proxy)
            .timeout_resolve(Some(self.timeouts.connect))
            .timeout_connect(Some(self.timeouts.connect))
            .timeout_per_read(Some(self.timeouts.idle))
            .timeout_per_write(Some(self.timeouts.idle))
            .build();
        // The library's own chain, with the deadline and the fence at the sockets.
        let chain =
            ().chain(SocksConnector::default())
                .chain(ConnectProxyConnector::default())
                .chain(TcpConnector::default())
                .chain(FenceSockets(own_fence))
                .chain(WatchSockets(Arc::clone(deadline)))
                .chain(Encryption(Arc::clone(&self.encryption)));
        let names =
            Names { resolver: DefaultResolver::default(), deadline: Arc::clone(deadline), fence: Arc::clone(fence) };
        Agent::with_parts(configuration, Within { inner: chain, deadline: Arc::clone(deadline) }, names)
    }
}

/// A line that is given back when it is dropped.
pub(super) struct HeldLine {
    line: Arc<Line>,
    lines: Arc<Lines>,
}

impl HeldLine {
    /// Whom to ask for an address.
    pub(super) fn agent(&self, uri: &Uri) -> &Agent {
        let proxied = if is_https(uri) { &self.line.via_https_proxy } else { &self.line.via_http_proxy };
        proxied.as_ref().filter(|_| self.lines.proxy(uri).is_some()).unwrap_or(&self.line.direct)
    }

    /// What its connections keep to.
    pub(super) fn deadline(&self) -> &Deadline {
        &self.line.deadline
    }

    /// How far inside the network they may lead.
    pub(super) fn fence(&self) -> &Fence {
        &self.line.fence
    }

    /// How far inside the server at an address is, which has just answered. Behind a proxy only the address itself tells.
    pub(super) fn reached(&self, uri: &Uri) -> Reach {
        match self.lines.proxy(uri) {
            Some(_) => Reach::of_host(uri),
            None => self.line.fence.reached(),
        }
    }
}

impl Drop for HeldLine {
    fn drop(&mut self) {
        self.line.deadline.set(None);
        self.lines.free().push(Arc::clone(&self.line));
    }
}

/// TLS with settings that all lines share: what one of them learned about a server, the others need not ask.
#[derive(Debug)]
struct Encryption(Arc<RustlsConnector>);

impl<In: Transport> Connector<In> for Encryption {
    type Out = <RustlsConnector as Connector<In>>::Out;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, ureq::Error> {
        self.0.connect(details, chained)
    }
}

/// Looks names up, within the deadline and the fence.
#[derive(Debug)]
struct Names {
    resolver: DefaultResolver,
    deadline: Arc<Deadline>,
    fence: Arc<Fence>,
}

impl Resolver for Names {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.resolver.resolve(uri, config, self.deadline.cap(timeout)?);
        let addresses = found.map_err(|error| match error {
            // The library tells failed look-ups from no other failure.
            ureq::Error::Io(_) | ureq::Error::HostNotFound => {
                ureq::Error::Other(Box::new(NotFound { reason: error.to_string() }))
            }
            other => other,
        })?;
        // Proxies are the user's own, wherever they are.
        if config.proxy().is_none_or(|proxy| proxy.uri() != uri) {
            self.fence.check(&addresses).map_err(|fenced| ureq::Error::Other(Box::new(fenced)))?;
        }
        Ok(addresses)
    }
}

/// A name that has no address.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub(super) struct NotFound {
    /// What the resolver said.
    pub(super) reason: String,
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use ureq::http::{Request, Uri};

    use super::super::fence::Fenced;
    use super::super::proxy::Proxies;
    use super::super::reach::Reach;
    use super::super::{Timeouts, tls};
    use super::{HeldLine, Lines};

    fn ask(line: &HeldLine, uri: &str, innermost: Reach) -> Result<Reach, ureq::Error> {
        let uri: Uri = uri.parse().unwrap();
        line.fence().set(innermost);
        let mut response = line.agent(&uri).run(Request::get(&uri).body(()).unwrap())?;
        response.body_mut().read_to_vec()?;
        Ok(line.reached(&uri))
    }

    /// What a name leads to counts when it is looked up for the connection, and for a connection that is there already.
    #[test]
    fn a_name_that_leads_too_far_inside_is_not_connected_to() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || {
                    while stream.read(&mut [0; 4096]).is_ok_and(|bytes| bytes > 0) {
                        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
                    }
                });
            }
        });
        let line = Lines::new(tls::configuration(&[]), &Timeouts::default(), &Proxies::default()).unwrap().take();
        for host in ["localhost", "127.0.0.1", "2130706433", "[::ffff:127.0.0.1]"] {
            let uri = format!("http://{host}:{port}/");
            let made = connections.load(Ordering::SeqCst);
            for innermost in [Reach::Public, Reach::Private] {
                let error = ask(&line, &uri, innermost).unwrap_err();
                let ureq::Error::Other(error) = error else { panic!("{uri}: {error}") };
                assert!(error.is::<Fenced>(), "{uri}: {error}");
                assert_eq!(connections.load(Ordering::SeqCst), made, "{uri}");
            }
            for innermost in [Reach::Loopback, Reach::Metadata] {
                assert_eq!(ask(&line, &uri, innermost).unwrap(), Reach::Loopback, "{uri}");
            }
            assert_eq!(connections.load(Ordering::SeqCst), made + 1, "{uri}: a connection is kept");
            assert!(ask(&line, &uri, Reach::Private).is_err(), "{uri}: and is of no use behind the fence");
        }
    }
}
