//! What can go wrong with an image.

mod fault;
mod layer;

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nex_fault::whole;
use nex_registry::{Digest, RegistryReference};
use nex_text::name;

use crate::installed::InstalledError;
use crate::layer::LayerDigest;
use crate::listed::Listed;
use crate::no_root::NoRoot;
use crate::platform::Platform;
use crate::reference::ReferenceError;

pub use self::layer::LayerError;

/// Why an image cannot be opened, or a layer not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The reference cannot be read.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The registry failed.
    #[error(transparent)]
    Registry(Box<nex_registry::Error>),
    /// The registry could not be reached, or did not answer as one. The failure names the server, which may have another name.
    #[error("cannot fetch {image}")]
    NotFetched {
        /// The image, as it was asked for.
        image: String,
        /// What failed.
        #[source]
        problem: Box<Error>,
    },
    /// The system refused something.
    #[error("cannot {action} {place}")]
    Io {
        /// `open`, `read`, ...
        action: &'static str,
        /// A path, or another name of the place.
        place: String,
        /// The system's answer.
        source: io::Error,
    },
    /// The reference says how the image is kept, and it is not so.
    #[error("there is no {form} in {place}: {problem}")]
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
    #[error("{}; its mirrors failed before: {failures}", whole(own))]
    AfterMirrors {
        /// What its own place said. What caused it stands in the message.
        own: Box<Error>,
        /// What the mirrors said.
        failures: String,
    },
    /// A registry would have to be asked, and that is not allowed.
    #[error("{reference} is in a registry, which may not be asked, and the cache does not hold all of it")]
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
    /// There is no installed image of that name to be read.
    #[error(transparent)]
    Installed(#[from] Box<InstalledError>),
    /// The reference does not say which image.
    #[error("{place} holds several images; {}", Listed("they are", available, "none has a name"))]
    SeveralImages {
        /// Where they are.
        place: String,
        /// Their names.
        available: Vec<String>,
    },
    /// The image has nothing to make a root filesystem of.
    #[error("{image} has no layers, so it is empty")]
    NoLayers {
        /// The image.
        image: String,
    },
    /// The image is not for this platform.
    #[error(
        "{image} has no variant for {wanted}; {}",
        Listed("it has variants for", available, "it names no platform")
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
    /// Something is well made, but of a kind that is not read.
    #[error("{what} {problem}")]
    Unsupported {
        /// What, and where it is.
        what: String,
        /// Which kind it is.
        problem: String,
        /// The way around.
        advice: Cow<'static, str>,
    },
    /// A part of an image is missing.
    #[error("{what} {problem}")]
    Incomplete {
        /// What has too little, and where it is.
        what: String,
        /// What is missing.
        problem: String,
    },
    /// An archive's tar is damaged.
    #[error("{place} is damaged at byte {at}")]
    DamagedArchive {
        /// The archive.
        place: String,
        /// Where the tar's header stands.
        at: u64,
        /// What is wrong with it.
        #[source]
        problem: Box<nex_tar::Error>,
    },
    /// A compressed archive cannot be unpacked.
    #[error("{place} cannot be unpacked")]
    Unpack {
        /// The archive.
        place: String,
        /// What is wrong with it.
        #[source]
        problem: LayerError,
    },
    /// A compressed archive has more bytes than allowed.
    #[error("{place} unpacks to more than the limit of {limit} bytes")]
    ArchiveBytes {
        /// The archive.
        place: String,
        /// The limit.
        limit: u64,
    },
    /// Little of a compressed archive unpacks to very much.
    #[error("{place} unpacks to more than {limit} times its size, which only bombs do")]
    ArchiveRatio {
        /// The archive.
        place: String,
        /// The limit.
        limit: u64,
    },
    /// Somebody wrote to a tree that was being read.
    #[error("{place} changed while it was read")]
    Changed {
        /// What is not what it was.
        place: String,
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
    #[error("{what} is not what its digest says: {mismatch}")]
    Digest {
        /// Which document.
        what: String,
        /// Both digests.
        mismatch: Box<Mismatch>,
    },
    /// A document has another size than its descriptor says.
    #[error("{what} has {got} bytes, but its descriptor says {expected}")]
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
    #[error("layer {}{}", index + 1, known_by(digest.as_deref()))]
    Layer {
        /// The layer, counted from 0, the lowest; people count from 1.
        index: usize,
        /// What it is known by, as far as something is promised about it.
        digest: Option<Box<LayerDigest>>,
        /// What is wrong.
        #[source]
        problem: LayerError,
    },
    /// What was named as the tar of a root filesystem is none. The message says which one, so that no layer need be named.
    #[error(transparent)]
    NoRoot(#[from] Box<NoRoot>),
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

    /// The same with the image that was asked for, where it speaks of the way to the registry alone.
    pub(crate) fn of_image(self, reference: &RegistryReference) -> Error {
        if !self.is_of_the_way() {
            return self;
        }
        Error::NotFetched { image: reference.to_string(), problem: Box::new(self) }
    }

    fn is_of_the_way(&self) -> bool {
        match self {
            Error::Registry(error) => error.is_of_the_way(),
            Error::AfterMirrors { own, .. } => own.is_of_the_way(),
            _ => false,
        }
    }

    /// What is wrong with a layer.
    pub(crate) fn layer(index: usize, digest: Option<LayerDigest>, problem: LayerError) -> Error {
        match problem {
            LayerError::NoRoot(no_root) => Error::NoRoot(no_root),
            problem => Error::Layer { index, digest: digest.map(Box::new), problem },
        }
    }

    /// A document that breaks its format.
    pub(crate) fn document(what: impl Into<String>, problem: impl Into<String>) -> Error {
        Error::Document { what: what.into(), problem: problem.into() }
    }

    /// Something well made of a kind that is not read, with the way around.
    pub(crate) fn unsupported(
        what: impl Into<String>,
        problem: impl Into<String>,
        advice: impl Into<Cow<'static, str>>,
    ) -> Error {
        Error::Unsupported { what: what.into(), problem: problem.into(), advice: advice.into() }
    }
}

/// ` (sha256:...)`, if anything is promised about the layer.
fn known_by(digest: Option<&LayerDigest>) -> String {
    digest.map_or_else(String::new, |digest| format!(" ({digest})"))
}
