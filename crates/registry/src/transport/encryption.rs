//! TLS of connections: with a server by its settings, and with a proxy on the way by others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use ureq::Agent;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::TlsConfig;
use ureq::unversioned::transport::{ConnectionDetails, Connector, RustlsConnector, Transport};

/// TLS with settings that all lines share: what one of them learned about a server, the others need not ask.
#[derive(Debug)]
pub(crate) struct Secured {
    config: Config,
    encryption: RustlsConnector,
    /// Whether anybody has answered it.
    has_spoken: AtomicBool,
}

impl Secured {
    pub(crate) fn new(tls: TlsConfig) -> Arc<Self> {
        let config = Agent::config_builder().tls_config(tls).build();
        Arc::new(Self { config, encryption: RustlsConnector::default(), has_spoken: AtomicBool::new(false) })
    }

    /// The settings.
    pub(crate) fn tls(&self) -> &TlsConfig {
        self.config.tls_config()
    }

    /// Whether anybody has answered it.
    pub(crate) fn has_spoken(&self) -> bool {
        self.has_spoken.load(Ordering::Relaxed)
    }
}

/// TLS with a server, and with the proxy on the way to it.
#[derive(Debug)]
pub(crate) struct Encryption {
    pub(crate) server: Arc<Secured>,
    pub(crate) proxy: Option<(Uri, Arc<Secured>)>,
}

impl<In: Transport> Connector<In> for Encryption {
    type Out = <RustlsConnector as Connector<In>>::Out;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, ureq::Error> {
        let secured = match &self.proxy {
            // The library connects to a proxy by the same chain.
            Some((proxy, secured)) if proxy == details.uri => secured,
            _ => &self.server,
        };
        let details = ConnectionDetails {
            uri: details.uri,
            addrs: details.addrs.clone(),
            config: &secured.config,
            request_level: false,
            resolver: details.resolver,
            now: details.now,
            timeout: details.timeout,
            current_time: Arc::clone(&details.current_time),
            run_connector: Arc::clone(&details.run_connector),
            register_shutdown: Arc::clone(&details.register_shutdown),
        };
        let connected = secured.encryption.connect(&details, chained)?;
        if details.needs_tls() {
            secured.has_spoken.store(true, Ordering::Relaxed);
        }
        Ok(connected)
    }
}
