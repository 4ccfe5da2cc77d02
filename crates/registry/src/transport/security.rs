//! How connections are secured.

/// How connections to the server that was named are secured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Security {
    /// By TLS, with a certificate that a known authority has signed.
    #[default]
    Tls,
    /// By TLS with any certificate. Only for servers that the user's configuration calls insecure.
    Unverified,
    /// Not at all: HTTP. Never done unasked, nor for localhost.
    PlainHttp,
}
