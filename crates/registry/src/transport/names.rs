//! Looks names up: in the time that there is, and no further inside the network than allowed.

use std::sync::Arc;

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::deadline::Deadline;
use super::fence::{Fence, resolved};

/// Looks names up, within the deadline and the fence.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) resolver: Arc<dyn Resolver>,
    pub(crate) deadline: Arc<Deadline>,
    pub(crate) fence: Arc<Fence>,
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
        match config.proxy() {
            // Proxies are the user's own, wherever they are.
            Some(proxy) if proxy.uri() == uri => Ok(addresses),
            // A proxy that takes addresses alone (SOCKS4) goes where we say, so this is the connection.
            Some(_) => {
                let places = self.fence.admitted(&addresses)?;
                let (reach, outermost) = places.first_key_value().ok_or(ureq::Error::HostNotFound)?;
                self.fence.enter(*reach)?;
                Ok(resolved(self.resolver.empty(), outermost))
            }
            None => {
                self.fence.admitted(&addresses)?;
                Ok(addresses)
            }
        }
    }
}

/// A name that has no address.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct NotFound {
    /// What the resolver said.
    pub(crate) reason: String,
}
