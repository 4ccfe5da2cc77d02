//! What can go wrong with an image. Each message says what, where, and what to do about it.

use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nex_registry::{Digest, transport};
use nex_text::{name, short_name};

use crate::compression::Compression;
use crate::layer::LayerDigest;
use crate::no_root::NoRoot;
use crate::platform::Platform;
use crate::reference::ReferenceError;

/// Why an image cannot be opened, or a layer not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The reference cannot be read.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The registry failed.
    #[error("{0}{elsewhere}", elsewhere = elsewhere(.0))]
    Registry(Box<nex_registry::Error>),
    /// The system refused something.
    #[error("cannot {action} {place}: {source}")]
    Io {
        /// `open`, `read`, ...
        action: &'static str,
        /// A path, or another name of the place.
        place: String,
        /// The system's answer.
        source: io::Error,
    },
    /// The reference says how the image is kept, and it is not so.
    #[error("there is no {form} in {place}: {problem}; {advice}")]
    WrongForm {
        /// What should be there: an `OCI layout`, an `OCI archive`, a `docker archive`.
        form: &'static str,
        /// The path.
        place: String,
        /// What is there.
        problem: String,
        /// Who makes the form, and what else might have been meant.
        advice: &'static str,
    },
    /// Neither an image's mirrors nor its own place gave it.
    #[error("{source}; its mirrors failed before: {failures}")]
    AfterMirrors {
        /// What its own place said.
        source: Box<Error>,
        /// What the mirrors said.
        failures: String,
    },
    /// A registry would have to be asked, and that is not allowed.
    #[error(
        "{reference} is in a registry, and --offline forbids to ask it, and no earlier build has kept all of it; give the image as oci:DIR (made by skopeo copy) or docker-archive:FILE (made by docker save)"
    )]
    Offline {
        /// The image.
        reference: String,
    },
    /// There is no image of that name.
    #[error("there is no image {wanted} in {place}; {}", Listed("it has", available, "it has none"))]
    NoSuchImage {
        /// The tag, digest or index asked for.
        wanted: String,
        /// Where it was looked for.
        place: String,
        /// The names that are there.
        available: Vec<String>,
    },
    /// The reference does not say which image.
    #[error(
        "{place} holds several images; {}; add :NAME to the reference",
        Listed("name one of", available, "none has a name")
    )]
    SeveralImages {
        /// Where they are.
        place: String,
        /// Their names.
        available: Vec<String>,
    },
    /// The image has nothing to make a root filesystem of.
    #[error("{image} has no layers, so it is empty; if that is what you want, give `scratch` as the image")]
    NoLayers {
        /// The image.
        image: String,
    },
    /// The image is not for this platform.
    #[error(
        "{image} is not there for {wanted}; {}; choose with --platform",
        Listed("it is there for", available, "it names no platform")
    )]
    NoSuchPlatform {
        /// The image.
        image: String,
        /// The platform asked for.
        wanted: Platform,
        /// The platforms that are there.
        available: Vec<Platform>,
    },
    /// A manifest, index, config or archive breaks its format.
    #[error("{what} {problem}")]
    Document {
        /// Which document, and where it is.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A manifest is one of something else than an image.
    #[error("{what} is not a container image but an artifact (its {part} is a {kind})")]
    Artifact {
        /// Which document, and where it is.
        what: String,
        /// Which part of it says so.
        part: &'static str,
        /// What it says.
        kind: String,
    },
    /// A document's content has another digest than the one by which it was asked for.
    #[error("{what} is not what its digest says: {mismatch}; fetch or copy the image again")]
    Digest {
        /// Which document.
        what: String,
        /// Both digests.
        mismatch: Box<Mismatch>,
    },
    /// A document has another size than its descriptor says.
    #[error("{what} has {got} bytes, but its descriptor says {expected}; fetch or copy the image again")]
    Size {
        /// Which document.
        what: String,
        /// The size promised, in bytes.
        expected: u64,
        /// The size found, in bytes; at least this much if the document is longer.
        got: u64,
    },
    /// Something is larger than allowed.
    #[error("{what} is over the limit of {limit} {unit}")]
    Limit {
        /// What is too large.
        what: String,
        /// How much is allowed.
        limit: u64,
        /// Of what.
        unit: &'static str,
    },
    /// A layer is not what the manifest says.
    #[error("{}{problem}", Which(*index, digest, problem))]
    Layer {
        /// The layer, counted from 0, the lowest; people count from 1.
        index: usize,
        /// What it is known by, as far as something is promised about it.
        digest: Option<Box<LayerDigest>>,
        /// What is wrong.
        #[source]
        problem: LayerError,
    },
}

/// What is wrong with a layer.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// Nobody wants it any more.
    #[error("it was cancelled")]
    Cancelled,
    /// The image has fewer layers.
    #[error("the image has only {layers} layers")]
    NoSuchLayer {
        /// How many there are.
        layers: usize,
    },
    /// The blob ends too early.
    #[error("the blob is cut short: expected {expected} bytes, got {got}; fetch or copy the image again")]
    CutShort {
        /// Bytes promised.
        expected: u64,
        /// Bytes there.
        got: u64,
    },
    /// The blob goes on too long.
    #[error("the blob is longer than the {expected} bytes that the manifest says; fetch or copy the image again")]
    TooLong {
        /// Bytes promised.
        expected: u64,
    },
    /// The blob has another digest.
    #[error("the blob is not what its digest says: {0}; fetch or copy the image again")]
    Digest(Box<Mismatch>),
    /// The tar has another digest than the config says.
    #[error("the decompressed tar is not what the config's diff_id says: {0}; the image was built wrong")]
    DiffId(Box<Mismatch>),
    /// The compressed data ends in the middle.
    #[error("the {compression} data ends in the middle; fetch or copy the image again")]
    Truncated {
        /// The compression.
        compression: Compression,
    },
    /// The compressed data is damaged.
    #[error("the {compression} data is damaged: {detail}; fetch or copy the image again")]
    Corrupt {
        /// The compression.
        compression: Compression,
        /// What the decompressor said.
        detail: String,
    },
    /// Something that is not compressed data follows the compressed data.
    #[error("something else follows the {compression} data")]
    TrailingGarbage {
        /// The compression.
        compression: Compression,
    },
    /// The blob starts with none of the forms known.
    #[error("the blob is {found}; a layer is a tar, plain or compressed by gzip or zstd")]
    NotALayer {
        /// What it looks like.
        found: &'static str,
    },
    /// What was named as the tar of a root filesystem is none.
    #[error("{0}")]
    NoRoot(Box<NoRoot>),
    /// More bytes than allowed come out of all layers.
    #[error(
        "the layers unpack to more than the limit of {limit} bytes; where that is right, allow more with --max-unpacked"
    )]
    TooManyBytes {
        /// The limit.
        limit: u64,
    },
    /// A little data unpacks to very much.
    #[error(
        "the layer unpacks to more than {limit} times its size, which only bombs do; where it is none, allow more with --max-ratio"
    )]
    Ratio {
        /// The limit.
        limit: u64,
    },
    /// The standard input was read already.
    #[error("the standard input can be read only once")]
    ReadTwice,
    /// The blob could not be read.
    #[error("cannot read the blob: {0}")]
    Read(#[source] io::Error),
    /// A file below a root directory could not be read.
    #[error("{0}")]
    Tree(#[source] Box<Error>),
    /// The registry failed.
    #[error("{0}{elsewhere}", elsewhere = elsewhere(.0))]
    Registry(Box<nex_registry::Error>),
    /// A thread ended without a word.
    #[error("the thread that was to {stage} it stopped unexpectedly; please report this")]
    StageDied {
        /// What the thread did.
        stage: &'static str,
    },
    /// No thread could be started.
    #[error("cannot start a thread: {0}")]
    Thread(#[source] io::Error),
}

/// Two digests that should be equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The digest promised.
    pub expected: Digest,
    /// The digest of what was there.
    pub got: Digest,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}, got {}", self.expected, self.got)
    }
}

impl From<nex_registry::Error> for Error {
    fn from(error: nex_registry::Error) -> Error {
        Error::Registry(Box::new(error))
    }
}

impl Error {
    /// A closure for `map_err` that says what was done where.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        move |source| Error::Io { action, place: name(path.as_os_str().as_bytes()), source }
    }

    /// What is wrong with a layer.
    pub(crate) fn layer(index: usize, digest: Option<LayerDigest>, problem: LayerError) -> Error {
        Error::Layer { index, digest: digest.map(Box::new), problem }
    }

    /// A document that breaks its format.
    pub(crate) fn document(what: impl Into<String>, problem: impl Into<String>) -> Error {
        Error::Document { what: what.into(), problem: problem.into() }
    }
}

impl LayerError {
    /// Whether the blob's bytes are to blame, which may be because they are not the promised ones.
    pub(crate) fn is_of_content(&self) -> bool {
        use LayerError::{Corrupt, NotALayer, Ratio, TrailingGarbage, Truncated};
        matches!(self, Corrupt { .. } | NotALayer { .. } | Ratio { .. } | TrailingGarbage { .. } | Truncated { .. })
    }

    /// The typed error that an `io::Error` of an earlier stage carries, or the plain one wrapped.
    pub(crate) fn from_io(error: io::Error) -> LayerError {
        match error.downcast::<LayerError>() {
            Ok(inner) => inner,
            Err(error) => match error.downcast::<nex_registry::Error>() {
                Ok(inner) => LayerError::Registry(Box::new(inner)),
                Err(error) => LayerError::Read(error),
            },
        }
    }
}

/// Where else an image may come from than from a registry that wants no more requests.
fn elsewhere(error: &nex_registry::Error) -> &'static str {
    match error {
        nex_registry::Error::Transport(transport::Error::RateLimited { .. }) => {
            ", or save the image elsewhere and use docker-archive:FILE"
        }
        nex_registry::Error::GaveUp { last, .. } => elsewhere(last),
        _ => "",
    }
}

/// `layer 3 (sha256:...): `, or nothing before a problem that names the place itself.
struct Which<'a>(usize, &'a Option<Box<LayerDigest>>, &'a LayerError);

impl fmt::Display for Which<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self(_, _, LayerError::NoRoot(_)) => Ok(()),
            Self(index, Some(digest), _) => write!(f, "layer {} ({digest}): ", index + 1),
            Self(index, None, _) => write!(f, "layer {}: ", index + 1),
        }
    }
}

/// `it has a, b and 3 more`, or another sentence when there is nothing.
struct Listed<'a, T>(&'static str, &'a [T], &'static str);

/// Names in a message. Images can have thousands.
const MAX_LISTED: usize = 20;

impl<T: fmt::Display> fmt::Display for Listed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Listed(lead, items, nothing) = self;
        if items.is_empty() {
            return f.write_str(nothing);
        }
        let names: Vec<String> = items.iter().take(MAX_LISTED).map(|item| short_name(item.to_string())).collect();
        write!(f, "{lead} {}", names.join(", "))?;
        match items.len().checked_sub(MAX_LISTED) {
            Some(more) if more > 0 => write!(f, " and {more} more"),
            _ => Ok(()),
        }
    }
}
