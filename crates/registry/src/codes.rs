//! The codes of errors: `registry-` for what a registry answers, `network-` for the way to any server.

nex_fault::codes! {
    /// The registry asks for credentials, or refuses those that nex sent.
    UNAUTHORIZED = "registry-unauthorized";
    /// The registry has no such repository.
    NO_REPOSITORY = "registry-no-repository";
    /// The repository has no such tag or digest.
    NO_MANIFEST = "registry-no-manifest";
    /// The repository lacks a blob that one of its manifests names.
    NO_BLOB = "registry-no-blob";
    /// The registry's copy of a blob has another length than the manifest says.
    BLOB_SIZE = "registry-blob-size";
    /// The server answered with a status that is unexpected from a registry.
    STATUS = "registry-status";
    /// The registry, or its token server, answered with a document that breaks its format.
    BAD_ANSWER = "registry-bad-answer";
    /// nex does not ask the token server that the registry names, because credentials would not be safe there.
    TOKEN_SERVER = "registry-token-server";
    /// A file with the mirrors of registries (`registries.conf`) cannot be used.
    MIRRORS = "registry-mirrors";
    /// The user's configuration forbids requests to this registry.
    BLOCKED = "registry-blocked";
    /// A text names no image in a registry, or is no digest.
    BAD_REFERENCE = "registry-bad-reference";
    /// The server's name has no address.
    HOST_NOT_FOUND = "network-host-not-found";
    /// Nothing listens at the server's address and port.
    REFUSED = "network-refused";
    /// The TLS handshake failed: the certificate, the name, or a server without TLS.
    TLS = "network-tls";
    /// The connection broke, and further attempts did not help.
    CONNECTION = "network-connection";
    /// The server is slower than the limit allows.
    TOO_SLOW = "network-too-slow";
    /// The server wants fewer requests for a while.
    RATE_LIMITED = "network-rate-limited";
    /// The server reports a failure of its own.
    SERVER_FAILED = "network-server-failed";
    /// The server redirects to an address that nex does not ask: elsewhere without TLS, or further inside the network.
    REDIRECT = "network-redirect";
    /// The answer is larger than the limit allows.
    TOO_LARGE = "network-too-large";
    /// The answer breaks the rules of HTTP, or is damaged.
    DAMAGED = "network-damaged";
    /// The content of an upload cannot be read.
    UPLOAD = "network-upload";
    /// A variable for a proxy does not contain the address of a proxy.
    PROXY = "network-proxy";
    /// A file with certificates cannot be used.
    CERTIFICATES = "network-certificates";
    /// A name cannot be part of an address.
    ADDRESS = "network-address";
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use nex_testkit::fault::{parts, told};

    use crate::transport::{self, TlsHint};
    use crate::{Error, RegistryReference};

    fn slow() -> Error {
        let (url, allowed) = ("https://r.example/x".to_owned(), Duration::from_secs(1));
        Error::Transport(transport::Error::Slow { url, allowed, received: 3 })
    }

    #[test]
    fn an_error_is_a_fact_a_code_and_a_remedy() {
        let fact = "https://r.example/x: no complete answer within 1 s, though 3 bytes came: the server is too slow";
        let remedy = Some("try again, or give it more time with --registry-timeout");
        assert_eq!(parts(&slow()), told(fact, "network-too-slow", remedy));
        let gave_up = Error::GaveUp { attempts: 5, last: Box::new(slow()) };
        assert_eq!(parts(&gave_up), told(&format!("{fact} (gave up after 5 attempts)"), "network-too-slow", remedy));

        let cut =
            |url: &str| transport::Error::Connection { url: url.to_owned(), source: io::ErrorKind::BrokenPipe.into() };
        let fact = "https://r.example/x: the connection failed: broken pipe";
        assert_eq!(parts(&Error::Transport(cut("https://r.example/x"))), told(fact, "network-connection", None));

        let (host, problem) = ("r.example".to_owned(), "it is no TLS".to_owned());
        let plain = transport::Error::Tls { host, problem, hint: TlsHint::PlainHttp };
        let fact = "r.example: TLS failed: it is no TLS; the server seems to speak plain HTTP, which is never tried unasked, nor for localhost";
        assert_eq!(parts(&plain), told(fact, "network-tls", None));
        let remedy = Some("if it does, ask for it with --plain-http");
        assert_eq!(parts(&Error::Transport(plain)), told(fact, "network-tls", remedy));

        let url: Result<RegistryReference, _> = "https://r.example/x".parse();
        let error = url.expect_err("a URL");
        assert_eq!(
            parts(&error),
            told("'https://r.example/x' is a URL", "registry-bad-reference", Some("leave out the scheme"))
        );
    }

    /// A download that breaks, and that the registry does not go on with, fails for the registry's reason.
    #[test]
    fn a_broken_download_has_the_code_of_what_broke_it() {
        let (url, said) = ("https://r.example/x".to_owned(), String::new());
        let refused = Error::Status { url: url.clone(), status: 418, said };
        let broken = transport::Error::Broken { url, offset: 1, size: Some(9), attempts: 2, source: Box::new(refused) };
        let fact = "https://r.example/x: the download stopped at byte 1 of 9 and could not be resumed in 2 attempts: \
                    https://r.example/x: unexpected answer 418";
        let expected = told(fact, "registry-status", Some("is this a container registry?"));
        assert_eq!(parts(&Error::Transport(broken)), expected);
    }
}
