//! Lines to servers. Who waits for an answer holds one: its connections have one deadline, which is theirs alone.
//!
//! A line that is given back keeps its idle connections for the next who takes it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ureq::http::Uri;
use ureq::tls::TlsConfig;
use ureq::unversioned::resolver::{DefaultResolver, Resolver};
use ureq::unversioned::transport::{ConnectProxyConnector, Connector, SocksConnector, TcpConnector};
use ureq::{Agent, Proxy};

use super::address::{is_https, same_origin};
use super::deadline::{Deadline, WatchSockets, Within};
use super::encryption::{Encryption, Secured};
use super::error::Error;
use super::fence::{Fence, FencedTcp};
use super::names::Names;
use super::patience::Timeouts;
use super::proxy::Proxies;
use super::reach::Reach;

/// How we name ourselves to servers.
const USER_AGENT: &str = concat!("nex/", env!("CARGO_PKG_VERSION"));

/// Who asks for something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Caller {
    /// The user, by the certificate that there may be. The server itself alone gets to know it.
    Known,
    /// Somebody without a name.
    Nobody,
}

/// TLS with whom there is.
pub(crate) struct Tls {
    /// With a proxy: nothing that is the server's holds for it.
    pub(crate) proxy: TlsConfig,
    /// With token servers and storage.
    pub(crate) anybody: TlsConfig,
    /// With the server itself, at this address.
    pub(crate) home: (Uri, TlsConfig),
}

/// All lines, as they are set up.
pub(crate) struct Lines {
    proxy: Arc<Secured>,
    anybody: Arc<Secured>,
    home: Arc<Secured>,
    home_address: Uri,
    resolver: Arc<dyn Resolver>,
    timeouts: Timeouts,
    https_proxy: Option<Proxy>,
    http_proxy: Option<Proxy>,
    proxies: Proxies,
    free: Mutex<Vec<Arc<Line>>>,
}

/// Connections that one wait uses.
struct Line {
    anybody: Ways,
    /// Those to the server itself.
    home: Ways,
    deadline: Arc<Deadline>,
    fence: Arc<Fence>,
}

/// Connections by each way there is.
struct Ways {
    direct: Agent,
    via_https_proxy: Option<Agent>,
    via_http_proxy: Option<Agent>,
}

impl Lines {
    /// Nothing is connected yet.
    pub(crate) fn new(tls: Tls, timeouts: &Timeouts, proxies: &Proxies) -> Result<Arc<Lines>, Error> {
        Lines::by(Arc::new(DefaultResolver::default()), tls, timeouts, proxies)
    }

    /// The same, with names looked up in this way.
    fn by(resolver: Arc<dyn Resolver>, tls: Tls, timeouts: &Timeouts, proxies: &Proxies) -> Result<Arc<Lines>, Error> {
        Ok(Arc::new(Lines {
            proxy: Secured::new(tls.proxy),
            anybody: Secured::new(tls.anybody),
            home: Secured::new(tls.home.1),
            home_address: tls.home.0,
            resolver,
            timeouts: timeouts.clone(),
            https_proxy: proxies.for_scheme("https")?,
            http_proxy: proxies.for_scheme("http")?,
            proxies: proxies.clone(),
            free: Mutex::default(),
        }))
    }

    /// Takes a line that nobody holds, or makes one.
    pub(crate) fn take(self: &Arc<Lines>) -> HeldLine {
        let free = self.free().pop();
        HeldLine { line: free.unwrap_or_else(|| Arc::new(self.line())), lines: Arc::clone(self) }
    }

    /// Whether the server itself has ever spoken TLS.
    pub(crate) fn has_spoken_tls(&self) -> bool {
        self.home.has_spoken()
    }

    /// The proxy for an address, if there is one.
    pub(crate) fn proxy(&self, uri: &Uri) -> Option<&Proxy> {
        let proxy = if is_https(uri) { &self.https_proxy } else { &self.http_proxy };
        proxy.as_ref().filter(|_| !self.proxies.bypass(uri))
    }

    fn free(&self) -> MutexGuard<'_, Vec<Arc<Line>>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self) -> Line {
        let (deadline, fence) = (Arc::new(Deadline::default()), Arc::new(Fence::new()));
        let ways = |secured: &Arc<Secured>| {
            let agent = |proxy| self.agent(secured, proxy, &deadline, &fence);
            Ways {
                direct: agent(None),
                via_https_proxy: self.https_proxy.clone().map(|proxy| agent(Some(proxy))),
                via_http_proxy: self.http_proxy.clone().map(|proxy| agent(Some(proxy))),
            }
        };
        Line { anybody: ways(&self.anybody), home: ways(&self.home), deadline, fence }
    }

    fn agent(
        &self,
        secured: &Arc<Secured>,
        proxy: Option<Proxy>,
        deadline: &Arc<Deadline>,
        fence: &Arc<Fence>,
    ) -> Agent {
        let own_fence = proxy.is_none().then(|| Arc::clone(fence));
        let by_proxy = proxy.as_ref().map(|proxy| (proxy.uri().clone(), Arc::clone(&self.proxy)));
        let configuration = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(USER_AGENT)
            .tls_config(secured.tls().clone())
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
                .chain(FencedTcp { fence: own_fence, tcp: TcpConnector::default() })
                .chain(WatchSockets(Arc::clone(deadline)))
                .chain(Encryption { server: Arc::clone(secured), proxy: by_proxy });
        let resolver = Arc::clone(&self.resolver);
        let names = Names { resolver, deadline: Arc::clone(deadline), fence: Arc::clone(fence) };
        Agent::with_parts(configuration, Within { inner: chain, deadline: Arc::clone(deadline) }, names)
    }
}

/// A line that is given back when it is dropped.
pub(crate) struct HeldLine {
    line: Arc<Line>,
    lines: Arc<Lines>,
}

impl HeldLine {
    /// Whom to ask for an address in somebody's name.
    pub(crate) fn agent(&self, uri: &Uri, caller: Caller) -> &Agent {
        let is_home = caller == Caller::Known && same_origin(&self.lines.home_address, uri);
        let ways = if is_home { &self.line.home } else { &self.line.anybody };
        let proxied = if is_https(uri) { &ways.via_https_proxy } else { &ways.via_http_proxy };
        proxied.as_ref().filter(|_| self.lines.proxy(uri).is_some()).unwrap_or(&ways.direct)
    }

    /// What its connections keep to.
    pub(crate) fn deadline(&self) -> &Deadline {
        &self.line.deadline
    }

    /// How far inside the network they may lead.
    pub(crate) fn fence(&self) -> &Fence {
        &self.line.fence
    }

    /// How far inside the server at an address is, which has just answered. Behind a proxy only the address itself tells.
    pub(crate) fn reached(&self, uri: &Uri) -> Reach {
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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{SocketAddr, TcpListener};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};
    use std::thread;

    use ureq::config::Config;
    use ureq::http::{Request, Uri};
    use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
    use ureq::unversioned::transport::NextTimeout;

    use super::super::fence::{Fenced, Home, Limit, resolved};
    use super::super::proxy::Proxies;
    use super::super::reach::Reach;
    use super::super::{Security, Timeouts, tls};
    use super::{Caller, HeldLine, Lines, Tls};

    fn ask(line: &HeldLine, uri: &str, limit: Limit) -> Result<Reach, ureq::Error> {
        let uri: Uri = uri.parse().unwrap();
        line.fence().set(limit);
        let mut response = line.agent(&uri, Caller::Nobody).run(Request::get(&uri).body(()).unwrap())?;
        response.body_mut().read_to_vec()?;
        Ok(line.reached(&uri))
    }

    fn is_fenced(result: Result<Reach, ureq::Error>) -> bool {
        matches!(result, Err(ureq::Error::Other(error)) if error.is::<Fenced>())
    }

    /// A server that answers whole, or closes each connection in the middle of its first answer. Gives its port and the number of
    /// connections to it.
    fn serve(answers: bool) -> (u16, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                count.fetch_add(1, Ordering::SeqCst);
                thread::spawn(move || {
                    while stream.read(&mut [0; 4096]).is_ok_and(|bytes| bytes > 0) {
                        if !answers {
                            return stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Le").unwrap();
                        }
                        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").unwrap();
                    }
                });
            }
        });
        (port, connections)
    }

    fn anybody() -> Tls {
        let tls = || tls::configuration(&[], None, Security::Tls);
        Tls { proxy: tls(), anybody: tls(), home: (Uri::from_static("https://r.example/"), tls()) }
    }

    fn lines(resolver: impl Resolver, proxies: &Proxies) -> Arc<Lines> {
        Lines::by(Arc::new(resolver), anybody(), &Timeouts::default(), proxies).unwrap()
    }

    /// A name server that its owner turns to other addresses.
    #[derive(Debug, Clone, Default)]
    struct Turned(Arc<Mutex<Vec<SocketAddr>>>);

    impl Turned {
        fn to(&self, hosts: &[&str], port: u16) {
            *self.0.lock().unwrap() = hosts.iter().map(|host| SocketAddr::new(host.parse().unwrap(), port)).collect();
        }
    }

    impl Resolver for Turned {
        fn resolve(&self, uri: &Uri, by: &Config, within: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
            if uri.host() != Some("registry.test") {
                return DefaultResolver::default().resolve(uri, by, within);
            }
            Ok(resolved(self.empty(), &self.0.lock().unwrap()))
        }
    }

    /// What a name leads to counts when it is looked up for the connection, and for a connection that is there already.
    #[test]
    fn a_name_that_leads_too_far_inside_is_not_connected_to() {
        let (port, connections) = serve(true);
        let line = lines(DefaultResolver::default(), &Proxies::default()).take();
        for host in ["localhost", "127.0.0.1", "2130706433", "[::ffff:127.0.0.1]"] {
            let uri = format!("http://{host}:{port}/");
            let made = connections.load(Ordering::SeqCst);
            for innermost in [Reach::Public, Reach::Private] {
                assert!(is_fenced(ask(&line, &uri, Limit::Within(innermost))), "{uri}");
                assert_eq!(connections.load(Ordering::SeqCst), made, "{uri}");
            }
            for innermost in [Reach::Loopback, Reach::Metadata] {
                assert_eq!(ask(&line, &uri, Limit::Within(innermost)).unwrap(), Reach::Loopback, "{uri}");
            }
            assert_eq!(connections.load(Ordering::SeqCst), made + 1, "{uri}: a connection is kept");
            assert!(
                is_fenced(ask(&line, &uri, Limit::Within(Reach::Private))),
                "{uri}: and is no use behind the fence"
            );
        }
    }

    /// DNS rebinding, before a single answer is complete: the first connection counts, and another line is no way around.
    #[test]
    fn a_registry_is_where_its_first_connection_led() {
        let (port, connections) = serve(false);
        let (uri, names, home) =
            (format!("http://registry.test:{port}/"), Turned::default(), Arc::new(Home::default()));
        let lines = lines(names.clone(), &Proxies::default());
        let ask = |line: &HeldLine| ask(line, &uri, Limit::Home(Arc::clone(&home)));
        names.to(&["127.0.0.1"], port);
        let first = lines.take();
        let cut_off = ask(&first).unwrap_err();
        assert!(!matches!(cut_off, ureq::Error::Other(_)), "{cut_off}");
        assert_eq!(connections.load(Ordering::SeqCst), 1);
        for inside in ["169.254.1.1", "169.254.169.254", "::ffff:168.63.129.16"] {
            names.to(&[inside], port);
            assert!(is_fenced(ask(&first)), "{inside}");
            assert!(is_fenced(ask(&lines.take())), "{inside}, by another line");
        }
        // The control: as far inside as before.
        names.to(&["127.0.0.1"], port);
        assert!(!is_fenced(ask(&first)));
        assert_eq!(connections.load(Ordering::SeqCst), 2);
    }

    /// A proxy that takes addresses has them from us: the look-up is what decides.
    #[test]
    fn a_proxy_that_takes_addresses_is_no_way_around() {
        let (port, connections) = serve(false);
        let (names, home) = (Turned::default(), Arc::new(Home::default()));
        let proxies = Proxies { http: Some(format!("socks4://127.0.0.1:{port}")), ..Proxies::default() };
        let line = lines(names.clone(), &proxies).take();
        let ask = || ask(&line, "http://registry.test/", Limit::Home(Arc::clone(&home)));
        names.to(&["93.184.216.34"], 80);
        assert!(!is_fenced(ask()));
        assert_eq!(connections.load(Ordering::SeqCst), 1);
        names.to(&["127.0.0.1"], 80);
        assert!(is_fenced(ask()));
        assert_eq!(connections.load(Ordering::SeqCst), 1);
    }

    /// A server is where it answers, and not where else its name leads.
    #[test]
    fn of_a_names_addresses_those_that_may_be_reached_are_tried_the_most_public_first() {
        let (port, _) = serve(true);
        let (uri, names) = (format!("http://registry.test:{port}/"), Turned::default());
        let line = lines(names.clone(), &Proxies::default()).take();
        names.to(&["169.254.169.254", "127.0.0.1"], port);
        for innermost in [Reach::Loopback, Reach::Metadata] {
            assert_eq!(ask(&line, &uri, Limit::Within(innermost)).unwrap(), Reach::Loopback);
        }
        let home = Arc::new(Home::default());
        assert_eq!(ask(&line, &uri, Limit::Home(Arc::clone(&home))).unwrap(), Reach::Loopback);
        names.to(&["169.254.169.254"], port);
        assert!(is_fenced(ask(&line, &uri, Limit::Home(home))));
    }
}
