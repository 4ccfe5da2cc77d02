//! The codes of errors.

nex_fault::codes! {
    /// A text names no image, or names a file that contains none.
    BAD_REFERENCE = "image-bad-reference";
    /// A text names no platform.
    BAD_PLATFORM = "image-bad-platform";
    /// The system refuses to read a part of the image, or to store it.
    UNREADABLE = "image-unreadable";
    /// The image does not have the form that its reference says.
    WRONG_FORM = "image-wrong-form";
    /// The image is in a registry, and nex may not ask registries.
    OFFLINE = "image-offline";
    /// There is no image of that name, tag, digest or index.
    NOT_FOUND = "image-not-found";
    /// No image of that name is installed on this machine.
    NOT_INSTALLED = "image-not-installed";
    /// Others could have put the file of an installed image there.
    INSTALLED_DISTRUST = "image-installed-distrust";
    /// There are several images, and the reference does not say which one.
    AMBIGUOUS = "image-ambiguous";
    /// The image has no layers.
    EMPTY = "image-empty";
    /// There is no such image for the platform.
    NO_PLATFORM = "image-no-platform";
    /// A manifest, an index, a config or an archive breaks its format.
    INVALID = "image-invalid";
    /// The image is valid, but of a kind that nex does not read: encrypted, foreign or obsolete.
    UNSUPPORTED = "image-unsupported";
    /// The reference names an artifact that is not an image.
    ARTIFACT = "image-artifact";
    /// The image's bytes do not fit its digests and sizes, or a part is missing.
    DAMAGED = "image-damaged";
    /// A tree changed while nex read it.
    CHANGED = "image-changed";
    /// The image is larger, or has more of something, than the limits allow.
    OVER_LIMIT = "image-over-limit";
    /// A layer, or the file that should be the tar of a root filesystem, is not a tar.
    NOT_A_TAR = "image-not-a-tar";
    /// It has no layer of that number.
    NO_LAYER = "image-no-layer";
    /// The standard input was to be read twice.
    READ_TWICE = "image-read-twice";
    /// A thread that reads the image could not be started, or ended unexpectedly.
    THREAD = "image-thread";
}

#[cfg(test)]
mod tests {
    use std::io;

    use nex_registry::transport;
    use nex_testkit::fault::{parts, told};

    use crate::error::{Error, LayerError};
    use crate::{Compression, Instead, NoRoot, Reference};

    #[test]
    fn an_error_is_a_fact_a_code_and_a_remedy() {
        let bomb = Error::layer(2, None, LayerError::Ratio { limit: 200 });
        let fact = "layer 3: the layer unpacks to more than 200 times its size, which only bombs do";
        let remedy = Some("where it is none, allow more with --max-ratio");
        assert_eq!(parts(&bomb), told(fact, "image-over-limit", remedy));

        let unread =
            Error::Io { action: "open", place: "x".to_owned(), source: io::ErrorKind::PermissionDenied.into() };
        assert_eq!(parts(&unread), told("cannot open x: permission denied", "image-unreadable", None));

        let (name, compression) = ("tar:x".to_owned(), Compression::None);
        let no_root = LayerError::NoRoot(Box::new(NoRoot { name, found: Instead::Nothing, compression }));
        let (fact, remedy) =
            ("tar:x is empty, so that there is no tar", "a root filesystem of nothing is made with --image scratch");
        assert_eq!(parts(&Error::layer(0, None, no_root)), told(fact, "image-not-a-tar", Some(remedy)));

        let empty: Result<Reference, _> = "".parse();
        let remedy = "try a name such as alpine:3.20, or oci:DIR, docker-archive:FILE, tar:FILE, rootfs:DIR";
        let expected = told("the image reference is empty", "image-bad-reference", Some(remedy));
        assert_eq!(parts(&Error::Reference(empty.expect_err("nothing"))), expected);
    }

    #[test]
    fn what_a_registry_says_keeps_its_code_wherever_it_fails() {
        let failure = || {
            let (url, said) = ("https://r.example/x".to_owned(), String::new());
            nex_registry::Error::Transport(transport::Error::RateLimited { url, limit: Box::default(), said })
        };
        let remedy = "log in for a higher limit, use a mirror, or save the image elsewhere and use docker-archive:FILE";
        let fact = "https://r.example/x: 429, too many requests";
        let at_once = Error::from(failure());
        assert_eq!(parts(&at_once), told(fact, "network-rate-limited", Some(remedy)));
        let in_a_layer = Error::layer(0, None, LayerError::from_io(io::Error::other(failure())));
        assert_eq!(parts(&in_a_layer), told(&format!("layer 1: {fact}"), "network-rate-limited", Some(remedy)));
        let (action, place) = ("read", "config sha256:00 of x".to_owned());
        let in_a_document = Error::Io { action, place, source: io::Error::other(failure()) };
        let expected =
            told(&format!("cannot read config sha256:00 of x: {fact}"), "network-rate-limited", Some(remedy));
        assert_eq!(parts(&in_a_document), expected);
        let failures = "m.example: unexpected answer 404".to_owned();
        let after_mirrors = Error::AfterMirrors { own: Box::new(in_a_document), failures };
        let fact = format!("{}; its mirrors failed before: m.example: unexpected answer 404", expected.0);
        assert_eq!(parts(&after_mirrors), told(&fact, "network-rate-limited", Some(remedy)));
    }
}
