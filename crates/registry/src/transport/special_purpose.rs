//! The blocks of addresses that have a special purpose, by IANA's registries: which of them the Internet reaches.
//!
//! The source is the column "Globally Reachable" of the "IANA IPv4 Special-Purpose Address Registry" and the "IANA IPv6
//! Special-Purpose Address Registry" (RFC 6890, RFC 8190), as they stood in 2025. What the registries leave out, multicast and the
//! old site-local addresses, has its RFC beside it. Blocks that say "N/A" and carry an address of IPv4 are decided by that address
//! ([`super::address_forms`]); the others count as not reachable.

use std::net::{Ipv4Addr, Ipv6Addr};

/// The first address of a block, the bits that all its addresses share, and whether the Internet reaches it.
type Block<A> = (A, u32, bool);

/// Of several blocks with an address, the smallest decides.
const V4: [Block<Ipv4Addr>; 22] = [
    // "This network" (RFC 791).
    (Ipv4Addr::new(0, 0, 0, 0), 8, false),
    // Private-Use (RFC 1918).
    (Ipv4Addr::new(10, 0, 0, 0), 8, false),
    // Shared Address Space (RFC 6598).
    (Ipv4Addr::new(100, 64, 0, 0), 10, false),
    // Loopback (RFC 1122).
    (Ipv4Addr::new(127, 0, 0, 0), 8, false),
    // Link Local (RFC 3927).
    (Ipv4Addr::new(169, 254, 0, 0), 16, false),
    // Private-Use (RFC 1918).
    (Ipv4Addr::new(172, 16, 0, 0), 12, false),
    // IETF Protocol Assignments (RFC 6890), and in them the anycast addresses of PCP (RFC 7723) and TURN (RFC 8155).
    (Ipv4Addr::new(192, 0, 0, 0), 24, false),
    (Ipv4Addr::new(192, 0, 0, 9), 32, true),
    (Ipv4Addr::new(192, 0, 0, 10), 32, true),
    // Documentation, TEST-NET-1 (RFC 5737).
    (Ipv4Addr::new(192, 0, 2, 0), 24, false),
    // AS112 (RFC 7535), AMT (RFC 7450).
    (Ipv4Addr::new(192, 31, 196, 0), 24, true),
    (Ipv4Addr::new(192, 52, 193, 0), 24, true),
    // Deprecated 6to4 relay anycast (RFC 7526), "N/A".
    (Ipv4Addr::new(192, 88, 99, 0), 24, false),
    // Private-Use (RFC 1918).
    (Ipv4Addr::new(192, 168, 0, 0), 16, false),
    // Direct Delegation AS112 Service (RFC 7534).
    (Ipv4Addr::new(192, 175, 48, 0), 24, true),
    // Benchmarking (RFC 2544).
    (Ipv4Addr::new(198, 18, 0, 0), 15, false),
    // Documentation, TEST-NET-2 and TEST-NET-3 (RFC 5737).
    (Ipv4Addr::new(198, 51, 100, 0), 24, false),
    (Ipv4Addr::new(203, 0, 113, 0), 24, false),
    // Multicast (RFC 1112): no machine's own address.
    (Ipv4Addr::new(224, 0, 0, 0), 4, false),
    // Reserved (RFC 1112), and limited broadcast (RFC 919).
    (Ipv4Addr::new(240, 0, 0, 0), 4, false),
    (Ipv4Addr::new(255, 255, 255, 255), 32, false),
    // Deprecated 6a44 relay anycast (RFC 6751).
    (Ipv4Addr::new(192, 88, 99, 2), 32, false),
];

const V6: [Block<Ipv6Addr>; 23] = [
    // Unspecified and loopback (RFC 4291).
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 0), 128, false),
    (Ipv6Addr::new(0, 0, 0, 0, 0, 0, 0, 1), 128, false),
    // NAT64 of a network's own (RFC 8215).
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48, false),
    // Discard-Only (RFC 6666), and the dummy prefix (RFC 9780).
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64, false),
    (Ipv6Addr::new(0x100, 0, 0, 1, 0, 0, 0, 0), 64, false),
    // IETF Protocol Assignments (RFC 2928), but for those below.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23, false),
    // Teredo (RFC 4380), "N/A": decided by the addresses of IPv4 in it.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, true),
    // The anycast addresses of PCP (RFC 7723), TURN (RFC 8155) and DNS-SD service registration (RFC 9665).
    (Ipv6Addr::new(0x2001, 1, 0, 0, 0, 0, 0, 1), 128, true),
    (Ipv6Addr::new(0x2001, 1, 0, 0, 0, 0, 0, 2), 128, true),
    (Ipv6Addr::new(0x2001, 1, 0, 0, 0, 0, 0, 3), 128, true),
    // Benchmarking (RFC 5180).
    (Ipv6Addr::new(0x2001, 2, 0, 0, 0, 0, 0, 0), 48, false),
    // AMT (RFC 7450), AS112 (RFC 7535).
    (Ipv6Addr::new(0x2001, 3, 0, 0, 0, 0, 0, 0), 32, true),
    (Ipv6Addr::new(0x2001, 4, 0x112, 0, 0, 0, 0, 0), 48, true),
    // Deprecated ORCHID (RFC 4843), "N/A".
    (Ipv6Addr::new(0x2001, 0x10, 0, 0, 0, 0, 0, 0), 28, false),
    // ORCHIDv2 (RFC 7343), drone remote ID (RFC 9374).
    (Ipv6Addr::new(0x2001, 0x20, 0, 0, 0, 0, 0, 0), 28, true),
    (Ipv6Addr::new(0x2001, 0x30, 0, 0, 0, 0, 0, 0), 28, true),
    // Documentation (RFC 3849, RFC 9637).
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32, false),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20, false),
    // Identifiers of segment routing (RFC 9602).
    (Ipv6Addr::new(0x5f00, 0, 0, 0, 0, 0, 0, 0), 16, false),
    // Unique-Local (RFC 4193).
    (Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0), 7, false),
    // Link-Local Unicast (RFC 4291).
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, false),
    // Site-local, deprecated (RFC 3879).
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, false),
    // Multicast (RFC 4291): no machine's own address.
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, false),
];

/// Whether the Internet reaches an address. One in no block is as any other.
pub(crate) fn is_globally_reachable_v4(address: Ipv4Addr) -> bool {
    let blocks = V4.iter().filter(|(first, bits, _)| (address.to_bits() ^ first.to_bits()).leading_zeros() >= *bits);
    blocks.max_by_key(|(_, bits, _)| *bits).is_none_or(|(_, _, reachable)| *reachable)
}

/// The same of IPv6, for the address itself and not for one of IPv4 that it carries.
pub(crate) fn is_globally_reachable_v6(address: Ipv6Addr) -> bool {
    let blocks = V6.iter().filter(|(first, bits, _)| (address.to_bits() ^ first.to_bits()).leading_zeros() >= *bits);
    blocks.max_by_key(|(_, bits, _)| *bits).is_none_or(|(_, _, reachable)| *reachable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_is_decided_from_its_first_address_to_its_last() {
        for (first, bits, reachable) in V4 {
            let last = Ipv4Addr::from_bits(first.to_bits() | u32::MAX.checked_shr(bits).unwrap_or(0));
            for address in [first, last] {
                assert_eq!(is_globally_reachable_v4(address), reachable, "{address} of {first}/{bits}");
            }
            assert_eq!(first.to_bits() & u32::MAX.checked_shr(bits).unwrap_or(0), 0, "{first}/{bits}");
        }
        for (first, bits, reachable) in V6 {
            let last = Ipv6Addr::from_bits(first.to_bits() | u128::MAX.checked_shr(bits).unwrap_or(0));
            // The first addresses of IETF's block are Teredo's.
            let is_first = !(first.segments()[0] == 0x2001 && bits == 23);
            for address in [last].into_iter().chain(is_first.then_some(first)) {
                assert_eq!(is_globally_reachable_v6(address), reachable, "{address} of {first}/{bits}");
            }
            assert_eq!(first.to_bits() & u128::MAX.checked_shr(bits).unwrap_or(0), 0, "{first}/{bits}");
        }
    }

    #[test]
    fn beside_a_block_is_the_internet() {
        for address in ["9.255.255.255", "100.128.0.0", "192.0.1.0", "198.17.255.255", "198.20.0.0", "223.255.255.255"]
        {
            assert!(is_globally_reachable_v4(address.parse().unwrap()), "{address}");
        }
        for address in ["2001:200::", "2001:db7:ffff::", "2001:db9::", "3ffe:ffff::", "3fff:1000::", "5eff::", "5f01::"]
        {
            assert!(is_globally_reachable_v6(address.parse().unwrap()), "{address}");
        }
    }
}
