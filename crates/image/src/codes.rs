//! The codes of errors.

nex_fault::codes! {
    /// A text names no image, or a file that holds none.
    BAD_REFERENCE = "image-bad-reference";
    /// A text names no platform.
    BAD_PLATFORM = "image-bad-platform";
    /// The system does not give what the image is made of, or takes nothing for it.
    UNREADABLE = "image-unreadable";
    /// The image is not there in the form that its reference says.
    WRONG_FORM = "image-wrong-form";
    /// The image is in a registry, which may not be asked.
    OFFLINE = "image-offline";
    /// There is no image of that name, tag, digest or index.
    NOT_FOUND = "image-not-found";
    /// There are several images, and the reference does not say which one.
    AMBIGUOUS = "image-ambiguous";
    /// The image has no layers.
    EMPTY = "image-empty";
    /// The image is not there for the platform.
    NO_PLATFORM = "image-no-platform";
    /// A manifest, an index, a config or an archive breaks its format.
    INVALID = "image-invalid";
    /// It is well made, but of a kind that is not read: encrypted, foreign or obsolete.
    UNSUPPORTED = "image-unsupported";
    /// It is an artifact of another kind than an image.
    ARTIFACT = "image-artifact";
    /// Its bytes are not those that its digests and sizes promise, or a part is missing.
    DAMAGED = "image-damaged";
    /// A tree was written to while it was read.
    CHANGED = "image-changed";
    /// It is larger, or has more of something, than the limits allow.
    OVER_LIMIT = "image-over-limit";
    /// A layer, or what was named as the tar of a root filesystem, is no tar.
    NOT_A_TAR = "image-not-a-tar";
    /// It has no layer of that number.
    NO_LAYER = "image-no-layer";
    /// The standard input was to be read twice.
    READ_TWICE = "image-read-twice";
    /// Nobody wants it any more.
    CANCELLED = "image-cancelled";
    /// A thread that reads the image could not be started, or ended unexpectedly.
    THREAD = "image-thread";
}
