//! The codes of errors: `registry-` for what a registry answers, `network-` for the way to any server.

nex_fault::codes! {
    /// The registry asks for credentials, or does not take those that it got.
    UNAUTHORIZED = "registry-unauthorized";
    /// The registry has no such repository.
    NO_REPOSITORY = "registry-no-repository";
    /// The repository has no such tag or digest.
    NO_MANIFEST = "registry-no-manifest";
    /// The repository lacks a blob that one of its manifests names.
    NO_BLOB = "registry-no-blob";
    /// The registry's copy of a blob has another length than its manifest says.
    BLOB_SIZE = "registry-blob-size";
    /// The server answered with a status that a registry has no reason for.
    STATUS = "registry-status";
    /// The registry, or its token server, answered with a document that breaks its format.
    BAD_ANSWER = "registry-bad-answer";
    /// The registry names a token server that is not asked, as credentials would not be safe there.
    TOKEN_SERVER = "registry-token-server";
    /// A file with the mirrors of registries (`registries.conf`) cannot be used.
    MIRRORS = "registry-mirrors";
    /// The user's configuration forbids to ask this registry.
    BLOCKED = "registry-blocked";
    /// A text names no image in a registry, or is no digest.
    BAD_REFERENCE = "registry-bad-reference";
    /// The server's name has no address.
    HOST_NOT_FOUND = "network-host-not-found";
    /// Nothing listens at the server's address and port.
    REFUSED = "network-refused";
    /// The TLS handshake failed: the certificate, the name, or a server without TLS.
    TLS = "network-tls";
    /// The connection broke, and trying again did not help.
    CONNECTION = "network-connection";
    /// The server is slower than it may be.
    TOO_SLOW = "network-too-slow";
    /// The server wants fewer requests for a while.
    RATE_LIMITED = "network-rate-limited";
    /// The server says that it failed itself.
    SERVER_FAILED = "network-server-failed";
    /// The server leads to where no request goes: elsewhere without TLS, or further inside the network.
    REDIRECT = "network-redirect";
    /// The answer is larger than it may be.
    TOO_LARGE = "network-too-large";
    /// The answer breaks the rules of HTTP, or is damaged.
    DAMAGED = "network-damaged";
    /// What is to be sent cannot be read.
    UPLOAD = "network-upload";
    /// A variable for a proxy holds no proxy's address.
    PROXY = "network-proxy";
    /// A file with certificates cannot be used.
    CERTIFICATES = "network-certificates";
    /// A name cannot be part of an address.
    ADDRESS = "network-address";
}
