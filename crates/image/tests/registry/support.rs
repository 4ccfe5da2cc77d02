//! Settings that do not depend on the environment.

use std::time::Duration;

use nex_registry::transport::{self, CertificatePlaces, Proxies, RetryPolicy, Security, Timeouts};
use nex_registry::{CredentialPlaces, MirrorPlaces, Options};

/// Plain HTTP, without credentials, proxies or long waits.
pub fn options() -> Options {
    let transport = transport::Options {
        security: Security::PlainHttp,
        certificates: CertificatePlaces::default(),
        proxies: Proxies::default(),
        retry: RetryPolicy { first_wait: Duration::from_millis(1), ..RetryPolicy::default() },
        timeouts: Timeouts { connect: Duration::from_secs(5), idle: Duration::from_secs(5), ..Timeouts::default() },
    };
    Options { transport, credentials: CredentialPlaces::default(), mirrors: MirrorPlaces::default() }
}
