//! How far inside a network an address lies, so that a server outside cannot send us to one inside.
//!
//! A token realm or a redirect is an address that a server chooses. The metadata services of clouds and daemons on the loopback
//! interface trust all who can reach them. What a URL tells by itself is looked at here; what its name resolves to, by [`super::fence`]
//! at the moment of the connection.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ureq::http::Uri;

use super::address_forms::{embedded, literal};
use super::{metadata, special_purpose};

/// Kinds of addresses, the most public first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Routed on the Internet, or unknown because a name tells nothing.
    Public,
    /// What the Internet does not reach: private networks (RFC 1918, RFC 6598, RFC 4193) and other blocks with a special purpose.
    Private,
    /// This machine.
    Loopback,
    /// The local link.
    LinkLocal,
    /// What a cloud tells its machines.
    Metadata,
}

impl Reach {
    /// What the URI's host tells without a look-up: an address in any spelling, or a name with a fixed meaning.
    pub(crate) fn of_host(uri: &Uri) -> Reach {
        let host = uri.host().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
        match literal(&host) {
            Some(address) => Reach::of_address(address),
            None if metadata::is_named(&host) => Reach::Metadata,
            None if is_localhost(&host) => Reach::Loopback,
            None => Reach::Public,
        }
    }

    /// That of an address.
    pub(crate) fn of_address(address: IpAddr) -> Reach {
        match address {
            IpAddr::V4(address) => Reach::of_v4(address),
            IpAddr::V6(address) => {
                let inner = embedded(address).into_iter().map(Reach::of_v4).max();
                Reach::of_v6(address).max(inner.unwrap_or(Reach::Public))
            }
        }
    }

    /// Where that is, in words.
    pub(crate) fn place(self) -> &'static str {
        match self {
            Reach::Public => "it leads to the Internet",
            Reach::Private => "it leads into a private network",
            Reach::Loopback => "it leads to this machine",
            Reach::LinkLocal => "it leads to this machine's local link",
            Reach::Metadata => "it leads to a cloud's metadata service",
        }
    }

    fn of_v4(address: Ipv4Addr) -> Reach {
        if metadata::is_at_v4(address) {
            Reach::Metadata
        } else if address.is_link_local() {
            Reach::LinkLocal
        } else if address.is_loopback() || address.octets()[0] == 0 {
            Reach::Loopback
        } else if !special_purpose::is_globally_reachable_v4(address) {
            Reach::Private
        } else {
            Reach::Public
        }
    }

    fn of_v6(address: Ipv6Addr) -> Reach {
        if metadata::is_at_v6(address) {
            Reach::Metadata
        } else if address.is_unicast_link_local() {
            Reach::LinkLocal
        } else if address.is_loopback() || address.is_unspecified() {
            Reach::Loopback
        } else if !special_purpose::is_globally_reachable_v6(address) {
            Reach::Private
        } else {
            Reach::Public
        }
    }
}

/// True for the names that RFC 6761 gives to this machine.
pub(crate) fn is_localhost(host: &str) -> bool {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    host == "localhost" || host.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use nex_testkit::inner_addresses::METADATA;

    use super::Reach;

    fn reach(host: &str) -> Reach {
        Reach::of_host(&format!("http://{host}/latest").parse().unwrap())
    }

    #[test]
    fn metadata_services_are_the_innermost_in_every_form() {
        for host in METADATA {
            assert_eq!(reach(host), Reach::Metadata, "{host}");
        }
    }

    #[test]
    fn private_loopback_and_link_local_addresses_are_told_from_public_ones() {
        for (host, expected) in [
            ("169.254.1.1", Reach::LinkLocal),
            ("[fe80::1]", Reach::LinkLocal),
            ("[febf::1]", Reach::LinkLocal),
            ("127.0.0.1:5000", Reach::Loopback),
            ("2130706433", Reach::Loopback),
            ("127.1", Reach::Loopback),
            ("0.0.0.0", Reach::Loopback),
            ("0", Reach::Loopback),
            ("[::]", Reach::Loopback),
            ("[::1]", Reach::Loopback),
            ("[::ffff:127.0.0.1]", Reach::Loopback),
            ("registry.localhost", Reach::Loopback),
            ("LOCALHOST.", Reach::Loopback),
            ("10.1.2.3", Reach::Private),
            ("100.64.0.1", Reach::Private),
            ("[fd00::1]", Reach::Private),
            ("[fec0::1]", Reach::Private),
            ("[2002:a01:203::]", Reach::Private),
            ("198.18.0.1", Reach::Private),
            ("203.0.113.9:5000", Reach::Private),
            ("192.88.99.1", Reach::Private),
            ("224.0.0.1", Reach::Private),
            ("240.0.0.1", Reach::Private),
            ("0xffffffff", Reach::Private),
            ("[2001:db8::1]", Reach::Private),
            ("[100::1]", Reach::Private),
            ("[::ffff:198.19.255.255]", Reach::Private),
            ("93.184.216.34", Reach::Public),
            ("168.63.129.17", Reach::Public),
            ("192.0.0.9", Reach::Public),
            ("192.31.196.1", Reach::Public),
            ("[::ffff:93.184.216.34]", Reach::Public),
            ("[2002:5db8:d822::]", Reach::Public),
            ("[2001:4:112::1]", Reach::Public),
            ("[2606:4700::1111]", Reach::Public),
            ("[64:ff9b::5db8:d822]", Reach::Public),
            ("registry.example", Reach::Public),
        ] {
            assert_eq!(reach(host), expected, "{host}");
        }
        let mut inward = [Reach::Metadata, Reach::LinkLocal, Reach::Loopback, Reach::Private, Reach::Public];
        inward.reverse();
        assert!(inward.is_sorted());
    }
}
