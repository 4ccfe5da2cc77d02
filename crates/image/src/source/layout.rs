//! OCI image layouts: `oci-layout`, `index.json` and `blobs/ALGORITHM/HEX`, in a directory or in a tar.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nex_file::open_regular;
use nex_file::to_read::ToRead;
use nex_registry::Digest;
use serde::Deserialize;

use super::archive::Archive;
use super::form::{OCI_ARCHIVE, OCI_LAYOUT};
use super::oci::{Provider, Resolver};
use crate::document::{Descriptor, Document, json, read_document};
use crate::error::Error;
use crate::image::{Image, Options};
use crate::reference::ImageName;

const LAYOUT_FILE: &str = "oci-layout";
const INDEX_FILE: &str = "index.json";

/// The file `oci-layout`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Version {
    image_layout_version: String,
}

pub(super) fn open_directory(
    directory: &Path,
    image: Option<&ImageName>,
    name: &str,
    options: &Options,
) -> Result<Image, Error> {
    open(Arc::new(Directory(directory.to_owned())), image, name, options)
}

pub(super) fn open_archive(
    file: &ToRead,
    image: Option<&ImageName>,
    name: &str,
    options: &Options,
) -> Result<Image, Error> {
    open(Arc::new(Archive::open(file, &OCI_ARCHIVE, options)?), image, name, options)
}

/// A place with a layout's files.
trait Layout: Provider {
    /// Opens the file [`LAYOUT_FILE`], by which a layout is known.
    fn mark(&self) -> Result<Box<dyn Read + Send>, Error>;
    /// Opens a file by its name in the layout.
    fn file(&self, name: &str) -> Result<Box<dyn Read + Send>, Error>;
    /// The place's name for messages.
    fn place(&self) -> String;
}

fn open<L: Layout + 'static>(
    layout: Arc<L>,
    image: Option<&ImageName>,
    name: &str,
    options: &Options,
) -> Result<Image, Error> {
    let place = layout.place();
    let limit = options.limits.document_bytes;
    let what = format!("{LAYOUT_FILE} in {place}");
    let content = read_document(&what, layout.mark()?, limit)?;
    let version: Version = json(&what, &content)?;
    if !version.image_layout_version.starts_with("1.") {
        return Err(Error::document(
            what,
            format!("is of version '{}'; only 1.x is known", nex_text::short_name(&version.image_layout_version)),
        ));
    }
    let what = format!("{INDEX_FILE} in {place}");
    let content = read_document(&what, layout.file(INDEX_FILE)?, limit)?;
    let Document::Index(index) = Document::parse(&what, None, &content)? else {
        return Err(Error::document(what, "is no index"));
    };
    let Named { candidates, is_undecided, available } = named(&index.manifests, image, &place)?;
    let resolver = Resolver::new(layout, name, options);
    if !is_undecided {
        return resolver.choose(&candidates);
    }
    resolver.choose_only(&candidates)?.ok_or(Error::SeveralImages { place, available })
}

/// The descriptors that a name means. Several may share a name, one for each platform.
struct Named {
    candidates: Vec<Descriptor>,
    /// Whether neither names nor platforms tell them apart.
    is_undecided: bool,
    /// All names that there are.
    available: Vec<String>,
}

fn named(manifests: &[Descriptor], image: Option<&ImageName>, place: &str) -> Result<Named, Error> {
    let images: Vec<&Descriptor> = manifests.iter().filter(|descriptor| descriptor.may_be_image()).collect();
    let mut available: Vec<String> =
        images.iter().filter_map(|descriptor| descriptor.ref_name()).map(str::to_owned).collect();
    available.sort();
    available.dedup();
    let fits = |descriptor: &&Descriptor| match image {
        None | Some(ImageName::Index(_)) => true,
        Some(ImageName::Tag(tag)) => descriptor.ref_name() == Some(tag),
        Some(ImageName::Digest(digest)) => descriptor.digest == *digest,
    };
    let candidates: Vec<Descriptor> = images.iter().copied().filter(fits).cloned().collect();
    let place = place.to_owned();
    if candidates.is_empty() {
        let wanted = match image {
            Some(ImageName::Tag(tag)) => tag.clone(),
            Some(ImageName::Digest(digest)) => digest.to_string(),
            Some(ImageName::Index(_)) | None => "at all".to_owned(),
        };
        return Err(Error::NoSuchImage { wanted, place, available });
    }
    let is_ambiguous = candidates.iter().any(|other| other.ref_name() != candidates[0].ref_name());
    let has_no_platforms = candidates.len() > 1 && candidates.iter().all(|descriptor| descriptor.platform().is_none());
    let is_one = candidates.iter().all(|other| other.digest == candidates[0].digest);
    if is_one {
        return Ok(Named { candidates: candidates[..1].to_vec(), is_undecided: false, available });
    }
    if image.is_none() && is_ambiguous {
        return Err(Error::SeveralImages { place, available });
    }
    Ok(Named { candidates, is_undecided: image.is_none() && has_no_platforms, available })
}

/// `blobs/sha256/HEX`. A digest is strict hex, so this cannot leave the layout.
fn blob_name(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm().name(), digest.hex())
}

/// A layout directory.
struct Directory(PathBuf);

impl Layout for Directory {
    fn mark(&self) -> Result<Box<dyn Read + Send>, Error> {
        let problem = match fs::metadata(&self.0) {
            Ok(found) if !found.is_dir() => "it is no directory",
            Ok(_) if self.0.join(LAYOUT_FILE).exists() => return self.file(LAYOUT_FILE),
            Ok(_) => "it has no file oci-layout",
            Err(error) if error.kind() == ErrorKind::NotFound => "the directory does not exist",
            Err(error) => return Err(Error::io("open", &self.0)(error)),
        };
        Err(OCI_LAYOUT.missing(&self.0, problem))
    }

    fn file(&self, name: &str) -> Result<Box<dyn Read + Send>, Error> {
        let path = self.0.join(name);
        match open_regular(&path) {
            Ok(file) => Ok(Box::new(file)),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let problem = "is missing, but the image needs it".to_owned();
                Err(Error::Incomplete { what: path.display().to_string(), problem })
            }
            Err(error) => Err(Error::io("open", &path)(error)),
        }
    }

    fn place(&self) -> String {
        self.0.display().to_string()
    }
}

impl Provider for Directory {
    fn blob(&self, digest: &Digest, _size: u64) -> Result<Box<dyn Read + Send>, Error> {
        self.file(&blob_name(digest))
    }
}

impl Layout for Archive {
    fn mark(&self) -> Result<Box<dyn Read + Send>, Error> {
        Ok(Box::new(Archive::mark(self, LAYOUT_FILE, &OCI_ARCHIVE)?))
    }

    fn file(&self, name: &str) -> Result<Box<dyn Read + Send>, Error> {
        Ok(Box::new(self.member(name.as_bytes())?))
    }

    fn place(&self) -> String {
        self.path().display().to_string()
    }
}

impl Provider for Archive {
    fn blob(&self, digest: &Digest, _size: u64) -> Result<Box<dyn Read + Send>, Error> {
        self.file(&blob_name(digest))
    }
}
