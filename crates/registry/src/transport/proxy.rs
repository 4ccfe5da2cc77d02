//! Proxies, as the environment names them: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in both cases.

use std::env;
use std::net::IpAddr;

use ureq::Proxy;
use ureq::http::Uri;

use super::error::Error;
use super::reach::is_localhost;

/// Which proxy serves which request. Values are URLs such as `http://proxy.example:3128`; they may hold a password, so
/// they are never shown.
#[derive(Clone, Default)]
pub struct Proxies {
    /// For `https` addresses.
    pub https: Option<String>,
    /// For `http` addresses.
    pub http: Option<String>,
    /// For addresses that the two above leave without a proxy.
    pub all: Option<String>,
    /// Hosts reached directly, separated by commas: `example.com` (with its subdomains), `.example.com`, an IP
    /// address, `host:port`, or `*`.
    pub none_for: String,
}

impl std::fmt::Debug for Proxies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proxies").field("none_for", &self.none_for).finish_non_exhaustive()
    }
}

impl Proxies {
    /// Reads the variables. The lower case name wins, as in curl.
    #[must_use]
    pub fn from_environment() -> Proxies {
        Proxies {
            https: variable("https_proxy"),
            http: variable("http_proxy"),
            all: variable("all_proxy"),
            none_for: variable("no_proxy").unwrap_or_default(),
        }
    }

    /// The proxy for addresses of a scheme, if any.
    pub(crate) fn for_scheme(&self, scheme: &str) -> Result<Option<Proxy>, Error> {
        let (variable, own) = if scheme == "https" { ("HTTPS_PROXY", &self.https) } else { ("HTTP_PROXY", &self.http) };
        let (variable, url) = match (own, &self.all) {
            (Some(url), _) => (variable, url),
            (None, Some(url)) => ("ALL_PROXY", url),
            (None, None) => return Ok(None),
        };
        // The library's reason is left out: it could repeat the URL with its password.
        Proxy::new(url).map(Some).map_err(|_| Error::Proxy { variable })
    }

    /// True when the host is to be reached without a proxy: `NO_PROXY` names it, or it is this machine.
    pub(crate) fn bypass(&self, uri: &Uri) -> bool {
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
        let is_here = host.parse::<IpAddr>().map_or_else(|_| is_localhost(&host), |address| address.is_loopback());
        is_here || self.none_for.split(',').any(|entry| matches(entry.trim(), &host, uri.port_u16()))
    }
}

/// One variable in its lower case form, or else its upper case form. An empty value counts as unset.
fn variable(lower: &str) -> Option<String> {
    let set = |name: &str| env::var(name).ok().filter(|value| !value.trim().is_empty());
    set(lower).or_else(|| set(&lower.to_ascii_uppercase()))
}

/// One entry of `NO_PROXY` against a host in lower case.
fn matches(entry: &str, host: &str, port: Option<u16>) -> bool {
    let entry = entry.to_ascii_lowercase();
    if entry == "*" {
        return true;
    }
    let (name, entry_port) = match entry.rsplit_once(':') {
        Some((name, number)) if !name.contains(':') => (name.to_owned(), number.parse::<u16>().ok()),
        _ => (entry, None),
    };
    if entry_port.is_some() && entry_port != port {
        return false;
    }
    let name = name.trim_start_matches('*').trim_start_matches('.');
    !name.is_empty() && host.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::Proxies;

    fn bypassed(none_for: &str, uri: &str) -> bool {
        let proxies = Proxies { none_for: none_for.to_owned(), ..Proxies::default() };
        proxies.bypass(&uri.parse().unwrap())
    }

    #[test]
    fn no_proxy_names_a_host_and_its_subdomains() {
        assert!(bypassed("other, Example.com", "https://registry.EXAMPLE.com/"));
        assert!(bypassed(".example.com", "https://registry.example.com/"));
        assert!(bypassed("*.example.com", "https://registry.example.com/"));
        assert!(bypassed("10.0.0.1", "https://10.0.0.1/"));
        assert!(bypassed("*", "https://a.example/"));
        assert!(!bypassed("example.com", "https://notexample.com/"));
        assert!(!bypassed(",", "https://a.example/"));
    }

    #[test]
    fn no_proxy_ports_count() {
        assert!(bypassed("a.example:5000", "https://a.example:5000/"));
        assert!(!bypassed("a.example:5000", "https://a.example/"));
    }

    #[test]
    fn this_machine_is_reached_directly() {
        assert!(bypassed("", "http://127.0.0.1:5000/"));
        assert!(bypassed("", "http://[::1]:5000/"));
        assert!(bypassed("", "http://localhost:5000/"));
    }

    #[test]
    fn a_wrong_proxy_is_refused_without_showing_it() {
        let proxies = Proxies { https: Some("http://user:hunter2@ bad".to_owned()), ..Proxies::default() };
        let message = proxies.for_scheme("https").unwrap_err().to_string();
        assert!(message.contains("HTTPS_PROXY") && !message.contains("hunter2"), "{message}");
        assert!(!format!("{proxies:?}").contains("hunter2"));
    }
}
