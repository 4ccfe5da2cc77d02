//! Addresses that no server may send anybody to, in the forms that they can have in a URL.

/// Metadata services of clouds: their addresses in all spellings and inside addresses of IPv6, and their names.
pub const METADATA: [&str; 24] = [
    "169.254.169.254",
    "169.254.169.254.",
    "169.254.170.2",
    "168.63.129.16",
    "100.100.100.200",
    "192.0.0.192",
    "[fd00:ec2::254]",
    "[fd20:ce::254]",
    "[fd00:c1::a9fe:a9fe]",
    "[fe80::a9fe:a9fe]",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[::ffff:a83f:8110]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b::6464:64c8]",
    "[2002:a9fe:a9fe::]",
    "[::192.0.0.192]",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "168.63.33040",
    "metadata.google.internal",
    "Metadata.Google.Internal.",
    "instance-data.ec2.internal",
];
