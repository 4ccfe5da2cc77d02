//! The many forms of one address: the spellings of IPv4 that resolvers take, and IPv4 inside IPv6.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The address that a host is, in any spelling that a resolver takes for one; `None` for a name.
pub(crate) fn literal(host: &str) -> Option<IpAddr> {
    let bare = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    bare.parse().ok().or_else(|| classic(bare).map(IpAddr::V4))
}

/// The spellings of `inet_aton(3)`: one to four numbers, in decimal, octal (`0254`) or hexadecimal (`0xfe`), of which the last
/// fills all that is left: `2852039166` and `0xa9.0376.43518` are 169.254.169.254.
fn classic(text: &str) -> Option<Ipv4Addr> {
    let numbers = text.split('.').map(number).collect::<Option<Vec<u32>>>()?;
    let (last, first) = numbers.split_last().filter(|(_, first)| first.len() <= 3)?;
    let room = u64::from(u32::MAX) >> (8 * first.len());
    if u64::from(*last) > room || first.iter().any(|number| *number > 255) {
        return None;
    }
    let high = first.iter().zip([24, 16, 8]).map(|(number, shift)| number << shift).sum::<u32>();
    Some(Ipv4Addr::from_bits(high | *last))
}

fn number(text: &str) -> Option<u32> {
    let lower = text.to_ascii_lowercase();
    let (digits, radix) = match (lower.strip_prefix("0x"), lower.strip_prefix('0')) {
        (Some(digits), _) => (digits, 16),
        (None, Some(digits)) if !digits.is_empty() => (digits, 8),
        _ => (lower.as_str(), 10),
    };
    let is_number = digits.bytes().all(|digit| char::from(digit).is_digit(radix));
    u32::from_str_radix(digits, radix).ok().filter(|_| is_number)
}

/// The addresses of IPv4 to which packets for an address of IPv6 may go, by translators and tunnels.
pub(crate) fn embedded(address: Ipv6Addr) -> Vec<Ipv4Addr> {
    let segments = address.segments();
    let at = |high: usize| Ipv4Addr::from_bits(u32::from(segments[high]) << 16 | u32::from(segments[high + 1]));
    match segments {
        // Mapped (RFC 4291, section 2.5.5.2), compatible (2.5.5.1), translated (RFC 2765), and behind NAT64 (RFC 6052).
        [0, 0, 0, 0, 0, 0xffff | 0, ..] | [0, 0, 0, 0, 0xffff, 0, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => vec![at(6)],
        // NAT64 of a network's own (RFC 8215): at the end for prefixes of 96 bits, around the byte of zeros for 48.
        [0x64, 0xff9b, 1, ..] => {
            let bytes = address.octets();
            vec![at(6), Ipv4Addr::new(bytes[6], bytes[7], bytes[9], bytes[10])]
        }
        // 6to4 (RFC 3056).
        [0x2002, ..] => vec![at(1)],
        // Teredo (RFC 4380): the server, and the client with its bits turned.
        [0x2001, 0, ..] => vec![at(2), Ipv4Addr::from_bits(!at(6).to_bits())],
        // ISATAP (RFC 5214), in any network.
        [_, _, _, _, 0 | 0x200, 0x5efe, ..] => vec![at(6)],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::{embedded, literal};

    const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

    #[test]
    fn all_spellings_of_an_address_are_that_address() {
        for text in [
            "169.254.169.254",
            "169.254.169.254.",
            "2852039166",
            "0xa9fea9fe",
            "0XA9FEA9FE",
            "025177524776",
            "0251.0376.0251.0376",
            "0xa9.0xfe.0xa9.0xfe",
            "0xa9.0376.43518",
            "169.16689662",
        ] {
            assert_eq!(literal(text), Some(IpAddr::V4(METADATA)), "{text}");
        }
        for text in [
            "",
            ".",
            "registry.example",
            "1.2.3.4.5",
            "256.1.1.1",
            "1.2.65536",
            "4294967296",
            "0x",
            "08",
            "1..2",
            "+1",
            "0x+1",
        ] {
            assert_eq!(literal(text), None, "{text}");
        }
        assert_eq!(literal("[::1]"), "::1".parse().ok());
    }

    #[test]
    fn the_address_inside_is_found_in_every_form() {
        for text in [
            "::ffff:169.254.169.254",
            "::ffff:a9fe:a9fe",
            "::169.254.169.254",
            "::ffff:0:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::a9fe:a9fe",
            "64:ff9b:1:a9fe:a9:fe00::",
            "2002:a9fe:a9fe::1",
            "2001:0:a9fe:a9fe::",
            "2001:0:1:1:0:0:5601:5601",
            "fe80::5efe:169.254.169.254",
            "2a00:1:2:3:200:5efe:a9fe:a9fe",
        ] {
            let found = embedded(text.parse().unwrap());
            assert!(found.contains(&METADATA), "{text}: {found:?}");
        }
        for text in ["2a00::a9fe:a9fe", "fd00::a9fe:a9fe", "2003:a9fe:a9fe::1"] {
            assert!(embedded(text.parse().unwrap()).is_empty(), "{text}");
        }
    }
}
