//! Where clouds tell their machines who they are, credentials among it, to everybody on the machine who asks.
//!
//! No registry stands there, so no server may send us there. Most clouds use the local link, which [`super::reach`] knows as a
//! whole; this is the one list of what stands elsewhere, and of what must not be reached from a server on the local link either.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Addresses of IPv4, each by the documentation of its cloud.
const V4: [Ipv4Addr; 9] = [
    // AWS, Azure, Google Cloud, Oracle Cloud, DigitalOcean, Hetzner, OpenStack: instance metadata.
    Ipv4Addr::new(169, 254, 169, 254),
    // Amazon ECS: "Amazon ECS task metadata endpoint", credentials of tasks.
    Ipv4Addr::new(169, 254, 170, 2),
    // Amazon EKS: "EKS Pod Identity agent", credentials of pods.
    Ipv4Addr::new(169, 254, 170, 23),
    // Scaleway: cloud-init's data source of that name.
    Ipv4Addr::new(169, 254, 42, 42),
    // Tencent Cloud: what metadata.tencentyun.com resolves to.
    Ipv4Addr::new(169, 254, 0, 23),
    Ipv4Addr::new(169, 254, 10, 10),
    // Azure: "What is IP address 168.63.129.16?", the WireServer.
    Ipv4Addr::new(168, 63, 129, 16),
    // Alibaba Cloud: "Instance metadata".
    Ipv4Addr::new(100, 100, 100, 200),
    // Oracle Cloud Infrastructure Classic: "Retrieving Instance Metadata".
    Ipv4Addr::new(192, 0, 0, 192),
];

/// Prefixes of IPv6, with their lengths in bits.
const V6: [(Ipv6Addr, u32); 7] = [
    // AWS: the block of its services at each instance (metadata ::254, pod identity ::23, DNS ::253, NTP ::123).
    (Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0), 32),
    // Google Cloud: metadata of instances that have IPv6 alone.
    (Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254), 128),
    // Oracle Cloud Infrastructure: "Getting Instance Metadata".
    (Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe), 128),
    // Scaleway: cloud-init's data source of that name.
    (Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42), 128),
    // Akamai (Linode): "Metadata Service API".
    (Ipv6Addr::new(0xfd00, 0xa9fe, 0xa9fe, 0, 0, 0, 0, 1), 128),
    // Alibaba Cloud: "Instance metadata", over IPv6.
    (Ipv6Addr::new(0xfd00, 0x100, 0, 0, 0, 0, 0x100, 0x200), 128),
    // OpenStack: the metadata agent of Neutron over IPv6; Akamai has it too.
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe), 128),
];

/// Names that mean such an address wherever they resolve: behind a proxy it is the proxy that resolves them.
const NAMES: [&str; 8] = [
    // Google Cloud: "About VM metadata".
    "metadata.google.internal",
    "metadata.goog",
    // AWS: in each VPC's DNS.
    "instance-data",
    "instance-data.ec2.internal",
    // Tencent Cloud: "Instance metadata".
    "metadata.tencentyun.com",
    // Equinix Metal, and Packet before it.
    "metadata.platformequinix.com",
    "metadata.packet.net",
    // IBM Cloud: "About instance metadata for VPC".
    "api.metadata.cloud.ibm.com",
];

/// Whether a service of a cloud is there.
pub(crate) fn is_at_v4(address: Ipv4Addr) -> bool {
    V4.contains(&address)
}

/// Whether a service of a cloud is there.
pub(crate) fn is_at_v6(address: Ipv6Addr) -> bool {
    V6.iter().any(|(prefix, length)| (address.to_bits() ^ prefix.to_bits()) >> (128 - length) == 0)
}

/// Whether a name, in lower case and without a dot at its end, is one of a cloud's service.
pub(crate) fn is_named(name: &str) -> bool {
    NAMES.contains(&name)
}
