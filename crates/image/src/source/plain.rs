//! Root filesystems without an image around them: a tar, a directory, nothing.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::form::TAR;
use crate::blob::{OpenBlob, plain_blob};
use crate::config::Config;
use crate::directory;
use crate::error::{Error, LayerError};
use crate::image::{Found, Image, Options};
use crate::layer::Layer;

pub(super) fn open_tar(file: &Path, name: String, options: &Options) -> Result<Image, Error> {
    let metadata = fs::metadata(file).map_err(Error::io("open", file))?;
    if metadata.is_dir() {
        return Err(TAR.missing(file, "it is a directory"));
    }
    let size = metadata.is_file().then_some(metadata.len());
    let path = file.to_owned();
    let blob = plain_blob(move || Ok(Box::new(File::open(&path).map_err(Error::io("open", &path))?)));
    one_layer(name, size, blob, options)
}

pub(super) fn open_stdin(name: String, options: &Options) -> Result<Image, Error> {
    let is_taken = AtomicBool::new(false);
    let blob = plain_blob(move || {
        if is_taken.swap(true, Ordering::Relaxed) {
            return Err(Error::Layer { index: 0, digest: None, problem: LayerError::ReadTwice });
        }
        Ok(Box::new(io::stdin()))
    });
    one_layer(name, None, blob, options)
}

pub(super) fn open_directory(path: &Path, name: String, options: &Options) -> Result<Image, Error> {
    let root = Arc::new(directory::open_root(path)?);
    let path = path.to_owned();
    let blob = plain_blob(move || {
        let tar = directory::tar_stream(Arc::clone(&root), path.clone());
        Ok(Box::new(tar.map_err(|problem| Error::Layer { index: 0, digest: None, problem })?))
    });
    one_layer(name, None, blob, options)
}

pub(super) fn scratch(name: String, options: &Options) -> Result<Image, Error> {
    Image::new(Found { name, manifest_digest: None, config: Config::default(), layers: Vec::new() }, options)
}

/// An image of which only a root filesystem is known.
fn one_layer(name: String, size: Option<u64>, blob: OpenBlob, options: &Options) -> Result<Image, Error> {
    let layer = Layer { digest: None, diff_id: None, size, media_type: None, created_by: None };
    let found = Found { name, manifest_digest: None, config: Config::default(), layers: vec![(layer, blob)] };
    Image::new(found, options)
}
