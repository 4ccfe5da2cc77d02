//! How far inside a network an address lies, so that a server outside cannot send us to one inside.
//!
//! A token realm or a redirect is an address that a server chooses. The metadata services of clouds
//! (169.254.169.254) and daemons on the loopback interface trust whoever can reach them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs};

use ureq::http::Uri;

/// Kinds of addresses, the most public first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// Routed on the Internet, or unknown because the name does not resolve here.
    Public,
    /// RFC 1918, RFC 6598 and RFC 4193 networks.
    Private,
    /// This machine.
    Loopback,
    /// The local link, where metadata services are.
    LinkLocal,
}

impl Reach {
    /// The innermost address that the URI's host has. A name is resolved when `resolve` says so; behind a proxy our
    /// own resolver tells nothing.
    pub(super) fn of(uri: &Uri, resolve: bool) -> Reach {
        let host = uri.host().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        if let Ok(address) = bare.parse::<IpAddr>() {
            return Reach::of_address(address);
        }
        if is_localhost(bare) {
            return Reach::Loopback;
        }
        if !resolve {
            return Reach::Public;
        }
        let port = uri.port_u16().unwrap_or(443);
        let addresses = (bare, port).to_socket_addrs().into_iter().flatten();
        addresses.map(|address| Reach::of_address(address.ip())).max().unwrap_or(Reach::Public)
    }

    fn of_address(address: IpAddr) -> Reach {
        match address {
            IpAddr::V4(address) => Reach::of_v4(address),
            IpAddr::V6(address) => Reach::of_v6(address),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Reach {
        let [first, second, ..] = address.octets();
        let is_shared = first == 100 && second & 0b1100_0000 == 64;
        if address.is_link_local() {
            Reach::LinkLocal
        } else if address.is_loopback() || address.is_unspecified() {
            Reach::Loopback
        } else if address.is_private() || is_shared {
            Reach::Private
        } else {
            Reach::Public
        }
    }

    fn of_v6(address: Ipv6Addr) -> Reach {
        if let Some(mapped) = address.to_ipv4_mapped() {
            return Reach::of_v4(mapped);
        }
        if address.is_unicast_link_local() {
            Reach::LinkLocal
        } else if address.is_loopback() || address.is_unspecified() {
            Reach::Loopback
        } else if address.is_unique_local() {
            Reach::Private
        } else {
            Reach::Public
        }
    }
}

/// True for the names that RFC 6761 gives to this machine.
pub(super) fn is_localhost(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::Reach;

    fn reach(uri: &str) -> Reach {
        Reach::of(&uri.parse().unwrap(), false)
    }

    #[test]
    fn metadata_services_are_the_innermost() {
        assert_eq!(reach("http://169.254.169.254/latest"), Reach::LinkLocal);
        assert_eq!(reach("http://[fe80::1]/"), Reach::LinkLocal);
        assert_eq!(reach("http://[::ffff:169.254.169.254]/"), Reach::LinkLocal);
        assert!(Reach::LinkLocal > Reach::Loopback && Reach::Loopback > Reach::Private);
    }

    #[test]
    fn private_and_loopback_addresses_are_told_from_public_ones() {
        assert_eq!(reach("https://127.0.0.1:5000/"), Reach::Loopback);
        assert_eq!(reach("https://registry.localhost/"), Reach::Loopback);
        assert_eq!(reach("https://10.1.2.3/"), Reach::Private);
        assert_eq!(reach("https://100.64.0.1/"), Reach::Private);
        assert_eq!(reach("https://[fd00::1]/"), Reach::Private);
        assert_eq!(reach("https://93.184.216.34/"), Reach::Public);
        assert_eq!(reach("https://registry.example/"), Reach::Public);
    }
}
