//! References: how a user names an image, with skopeo's transports and four of our own.
//!
//! | text | what it names |
//! | --- | --- |
//! | `alpine:3.20`, `docker://host:5000/a/b@sha256:...` | an image in a registry |
//! | `oci:DIR[:TAG]`, `oci:DIR@DIGEST` | an OCI image layout directory |
//! | `oci-archive:FILE[:TAG]` | a tar of such a directory |
//! | `docker-archive:FILE[:NAME]`, `docker-archive:FILE:@INDEX` | what `docker save` and `podman save` write |
//! | `tar:FILE`, `tar:-` | a root filesystem as one tar; `-` is the standard input |
//! | `rootfs:DIR` | a root filesystem as a directory |
//! | `nex:NAME` | an image that is installed on this machine, such as `nex:default` |
//! | `scratch` | nothing |

mod error;
mod hint;

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use nex_registry::{Digest, RegistryReference};

pub use self::error::ReferenceError;
use crate::installed::InstalledName;

/// Where an image is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// An image in a registry.
    Registry(RegistryReference),
    /// An image in an OCI image layout directory.
    OciLayout {
        /// The directory with the file `oci-layout`.
        directory: PathBuf,
        /// Which image; `None` when there is only one.
        name: Option<ImageName>,
    },
    /// An image in a tar of an OCI image layout.
    OciArchive {
        /// The tar.
        file: PathBuf,
        /// Which image; `None` when there is only one.
        name: Option<ImageName>,
    },
    /// An image in a tar that `docker save` wrote.
    DockerArchive {
        /// The tar.
        file: PathBuf,
        /// Which image; `None` when there is only one.
        name: Option<ImageName>,
    },
    /// A tar that holds a root filesystem.
    Tar(TarSource),
    /// A directory that holds a root filesystem.
    Directory(PathBuf),
    /// An image that is installed on this machine.
    Installed(InstalledName),
    /// The empty image.
    Scratch,
}

/// Which of several images is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImageName {
    /// The one with this tag (OCI: the annotation `org.opencontainers.image.ref.name`; Docker: an entry of `RepoTags`).
    Tag(String),
    /// The one whose manifest has this digest. Not for Docker archives.
    Digest(Digest),
    /// The one at this place, counted from 0. Only for Docker archives.
    Index(usize),
}

/// Where a plain tar comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TarSource {
    /// A file.
    File(PathBuf),
    /// The standard input.
    Stdin,
}

const SAVE_AS_ARCHIVE: &str = "save the image with `podman save -o image.tar NAME` and use docker-archive:image.tar";
const COPY_TO_LAYOUT: &str = "copy the image with `skopeo copy ... oci:DIR` and use oci:DIR";

/// The transports that skopeo and podman know and we don't, and the way around.
const UNSUPPORTED: [(&str, &str); 7] = [
    ("containers-storage", SAVE_AS_ARCHIVE),
    ("docker-daemon", "save the image with `docker save -o image.tar NAME` and use docker-archive:image.tar"),
    ("dir", COPY_TO_LAYOUT),
    ("ostree", COPY_TO_LAYOUT),
    ("sif", COPY_TO_LAYOUT),
    ("tarball", "use tar:FILE"),
    ("docker-archive-gz", "use docker-archive:FILE, which is unpacked as it is read"),
];

impl Reference {
    /// Reads a reference. Paths may be any bytes. A text without a transport is looked up as a path too, but only for
    /// the error: it is never taken for one.
    pub fn parse(text: &OsStr) -> Result<Reference, ReferenceError> {
        let bytes = text.as_bytes();
        match bytes {
            b"" => return Err(ReferenceError::Empty),
            b"scratch" => return Ok(Reference::Scratch),
            _ => {}
        }
        if let Some(name) = bytes.strip_prefix(b"docker://") {
            return Ok(Reference::Registry(utf8(name)?.parse()?));
        }
        if let Some(reference) = transport(bytes) {
            return reference;
        }
        hint::refuse_path(Path::new(text))?;
        Ok(Reference::Registry(utf8(bytes)?.parse()?))
    }

    /// Whether it names a root filesystem itself, a tar or a directory, and no image with layers and a configuration.
    pub fn is_root_filesystem(&self) -> bool {
        matches!(self, Reference::Tar(_) | Reference::Directory(_))
    }
}

/// Reads what follows a known transport; `None` when there is none.
fn transport(bytes: &[u8]) -> Option<Result<Reference, ReferenceError>> {
    let colon = bytes.iter().position(|&byte| byte == b':')?;
    let (name, rest) = (&bytes[..colon], &bytes[colon + 1..]);
    if let Some(&(transport, instead)) = UNSUPPORTED.iter().find(|(known, _)| known.as_bytes() == name) {
        return Some(Err(ReferenceError::UnsupportedTransport { transport, instead }));
    }
    Some(match name {
        b"oci" => oci_name(rest)
            .and_then(|(directory, name)| Ok(Reference::OciLayout { directory: some_path("oci", directory)?, name })),
        b"oci-archive" => oci_name(rest)
            .and_then(|(file, name)| Ok(Reference::OciArchive { file: some_path("oci-archive", file)?, name })),
        b"docker-archive" => docker_name(rest)
            .and_then(|(file, name)| Ok(Reference::DockerArchive { file: some_path("docker-archive", file)?, name })),
        b"tar" if rest == b"-" => Ok(Reference::Tar(TarSource::Stdin)),
        b"tar" => some_path("tar", rest).map(|file| Reference::Tar(TarSource::File(file))),
        b"rootfs" => some_path("rootfs", rest).map(Reference::Directory),
        b"nex" => utf8(rest).and_then(str::parse).map(Reference::Installed),
        _ => return None,
    })
}

/// Splits `PATH`, `PATH:TAG` and `PATH@DIGEST`. As in skopeo, the path ends at the first colon.
fn oci_name(rest: &[u8]) -> Result<(&[u8], Option<ImageName>), ReferenceError> {
    if let Some(at) = rest.iter().rposition(|&byte| byte == b'@')
        && let Some(digest) = str::from_utf8(&rest[at + 1..]).ok().and_then(|text| text.parse().ok())
    {
        return Ok((&rest[..at], Some(ImageName::Digest(digest))));
    }
    let (path, tag) = split_at_colon(rest);
    let tag = tag.filter(|tag| !tag.is_empty()).map(utf8).transpose()?;
    Ok((path, tag.map(|tag| ImageName::Tag(tag.to_owned()))))
}

/// Splits `PATH`, `PATH:NAME` and `PATH:@INDEX`.
fn docker_name(rest: &[u8]) -> Result<(&[u8], Option<ImageName>), ReferenceError> {
    let (path, name) = split_at_colon(rest);
    let Some(name) = name.filter(|name| !name.is_empty()).map(utf8).transpose()? else {
        return Ok((path, None));
    };
    let name = match name.strip_prefix('@') {
        Some(index) => ImageName::Index(
            index.parse().map_err(|_| ReferenceError::Index { text: name.chars().take(80).collect() })?,
        ),
        None => ImageName::Tag(name.to_owned()),
    };
    Ok((path, Some(name)))
}

fn split_at_colon(rest: &[u8]) -> (&[u8], Option<&[u8]>) {
    match rest.iter().position(|&byte| byte == b':') {
        Some(colon) => (&rest[..colon], Some(&rest[colon + 1..])),
        None => (rest, None),
    }
}

fn some_path(transport: &'static str, path: &[u8]) -> Result<PathBuf, ReferenceError> {
    if path.is_empty() { Err(ReferenceError::NoPath { transport }) } else { Ok(OsStr::from_bytes(path).into()) }
}

fn utf8(name: &[u8]) -> Result<&str, ReferenceError> {
    str::from_utf8(name).map_err(|_| ReferenceError::NotText { name: OsString::from_vec(name.to_owned()) })
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Reference, ReferenceError> {
        Reference::parse(OsStr::new(text))
    }
}

/// The canonical form: a registry's defaults are spelt out, and bytes that are not UTF-8 are replaced.
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |f: &mut fmt::Formatter<'_>, transport: &str, path: &Path, name: &Option<ImageName>| {
            write!(f, "{transport}:{}", path.display())?;
            match name {
                None => Ok(()),
                Some(ImageName::Digest(digest)) => write!(f, "@{digest}"),
                Some(ImageName::Tag(tag)) => write!(f, ":{tag}"),
                Some(ImageName::Index(index)) => write!(f, ":@{index}"),
            }
        };
        match self {
            Reference::Registry(reference) => write!(f, "{reference}"),
            Reference::OciLayout { directory, name } => named(f, "oci", directory, name),
            Reference::OciArchive { file, name } => named(f, "oci-archive", file, name),
            Reference::DockerArchive { file, name } => named(f, "docker-archive", file, name),
            Reference::Tar(TarSource::File(file)) => named(f, "tar", file, &None),
            Reference::Tar(TarSource::Stdin) => write!(f, "tar:-"),
            Reference::Directory(directory) => named(f, "rootfs", directory, &None),
            Reference::Installed(name) => write!(f, "nex:{name}"),
            Reference::Scratch => write!(f, "scratch"),
        }
    }
}

#[cfg(test)]
mod tests {
    use nex_fault::{Fault, Remedy};

    use super::*;

    const DIGEST: &str = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

    #[test]
    fn every_transport_is_read_and_printed_back() {
        for text in [
            "oci:dir",
            "oci:dir:3.20",
            "oci:/a/b:docker.io/library/alpine:3.20",
            &format!("oci:dir@{DIGEST}"),
            "oci-archive:x.tar:tag",
            "docker-archive:x.tar",
            "docker-archive:x.tar:alpine:3.20",
            "docker-archive:x.tar:@1",
            "tar:x.tar.gz",
            "tar:-",
            "rootfs:/some/dir",
            "nex:default",
            "scratch",
            "docker.io/library/alpine:latest",
            "docker.io/library/nex:default",
        ] {
            assert_eq!(text.parse::<Reference>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn a_path_may_be_any_bytes() {
        let reference = Reference::parse(OsStr::from_bytes(b"rootfs:/tmp/\xff")).expect("a reference");
        assert_eq!(reference, Reference::Directory(OsStr::from_bytes(b"/tmp/\xff").into()));
    }

    #[test]
    fn other_tools_transports_name_the_way_around() {
        for (text, way) in [
            ("containers-storage:alpine", "podman save"),
            ("docker-daemon:alpine:latest", "docker save"),
            ("dir:/tmp/x", "skopeo copy"),
        ] {
            let error = text.parse::<Reference>().expect_err(text);
            let remedy = error.remedy().map(|remedy| remedy.words(|_| String::new())).unwrap_or_default();
            assert!(
                error.to_string().contains("reads no image by the transport") && remedy.contains(way),
                "{error}; {remedy}"
            );
        }
    }

    #[test]
    fn a_transport_needs_a_path_and_an_index_a_number() {
        for text in ["", "oci:", "oci-archive::tag", "docker-archive:", "tar:", "rootfs:", "docker-archive:x:@one"] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_registry_s_image_of_the_reserved_name_is_spelt_out() {
        let installed = "nex:default".parse::<Reference>().expect("an installed image");
        assert_eq!(installed, Reference::Installed(InstalledName::of_nex()));
        for text in ["docker://nex:default", "library/nex:default", "docker.io/library/nex:default"] {
            assert_eq!(text.parse::<Reference>().expect(text).to_string(), "docker.io/library/nex:default");
        }
        // Without a tag there is no scheme.
        assert_eq!("nex".parse::<Reference>().expect("a name").to_string(), "docker.io/library/nex:latest");
        let error = "nex:a/b".parse::<Reference>().expect_err("no name").to_string();
        assert_eq!(error, "'a/b' is no name of an installed image");
    }

    #[test]
    fn a_local_path_is_never_guessed() {
        let error = "/proc/self".parse::<Reference>().expect_err("a directory");
        let meant = "did you mean rootfs:/proc/self? (docker:///proc/self asks a registry)";
        assert_eq!(error.remedy(), Some(Remedy::say(meant)));
        let error = "./no-such-file".parse::<Reference>().expect_err("nothing").to_string();
        assert!(error.contains("does not exist"), "{error}");
    }
}
