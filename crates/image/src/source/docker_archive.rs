//! What `docker save` and `podman save` write: a tar with `manifest.json`, configs and layers.
//!
//! Two shapes exist: `ID/layer.tar` with links between equal layers, and since Docker 25 an OCI layout with a
//! `manifest.json` beside it. Both are read through `manifest.json`.

use std::path::Path;
use std::sync::Arc;

use nex_registry::{Digest, RegistryReference};
use serde::Deserialize;

use super::archive::Archive;
use super::form::DOCKER_ARCHIVE;
use super::oci::{check_digest, pair_layers};
use crate::blob::{OpenBlob, plain_blob};
use crate::config::Config;
use crate::document::{json, read_document};
use crate::error::Error;
use crate::image::{Found, Image, Options};
use crate::layer::Layer;
use crate::reference::ImageName;

const MANIFEST_FILE: &str = "manifest.json";

/// One image in `manifest.json`.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Item {
    config: String,
    #[serde(default)]
    repo_tags: Vec<String>,
    #[serde(default)]
    layers: Vec<String>,
}

pub(super) fn open(file: &Path, image: Option<&ImageName>, name: &str, options: &Options) -> Result<Image, Error> {
    let archive = Arc::new(Archive::open(&file.into(), &DOCKER_ARCHIVE, options)?);
    let what = format!("{MANIFEST_FILE} in {}", file.display());
    let limit = options.limits.document_bytes;
    let content = read_document(&what, archive.mark(MANIFEST_FILE, &DOCKER_ARCHIVE)?, limit)?;
    let items: Vec<Item> = json(&what, &content)?;
    let item = choose(&items, image, &file.display().to_string())?;

    let what = format!("config {} in {}", nex_text::short_name(&item.config), file.display());
    let content = read_document(&what, archive.member(item.config.as_bytes())?, limit)?;
    if let Some(digest) = digest_in_name(&item.config) {
        check_digest(&what, &content, digest)?;
    }
    let (config, diff_ids) = Config::parse(&what, &content)?;
    let layers = pair_layers((&what, name), &config, &diff_ids, item.layers.len())?;
    let layers = layers.into_iter().zip(&item.layers).map(|(layer, member)| open_layer(&archive, layer, member));
    let layers = layers.collect::<Result<_, Error>>()?;
    Image::new(Found { name: name.to_owned(), manifest_digest: None, config, layers }, options)
}

fn open_layer(archive: &Arc<Archive>, layer: Layer, member: &str) -> Result<(Layer, OpenBlob), Error> {
    let size = archive.member(member.as_bytes())?.len();
    let (archive, member) = (Arc::clone(archive), member.to_owned());
    let blob = plain_blob(move || Ok(Box::new(archive.member(member.as_bytes())?)));
    Ok((Layer { size: Some(size), ..layer }, blob))
}

/// A config's name is its digest: `HEX.json`, or `blobs/sha256/HEX`.
fn digest_in_name(name: &str) -> Option<Digest> {
    let last = name.rsplit('/').next()?;
    format!("sha256:{}", last.strip_suffix(".json").unwrap_or(last)).parse().ok()
}

fn choose<'a>(items: &'a [Item], image: Option<&ImageName>, place: &str) -> Result<&'a Item, Error> {
    let available = || items.iter().flat_map(|item| item.repo_tags.iter().cloned()).collect::<Vec<_>>();
    let (found, wanted) = match image {
        None if items.len() > 1 => {
            return Err(Error::SeveralImages { place: place.to_owned(), available: available() });
        }
        None => (items.first(), "at all".to_owned()),
        Some(ImageName::Index(index)) => (items.get(*index), format!("@{index}")),
        Some(ImageName::Tag(tag)) => (items.iter().find(|item| has_tag(item, tag)), tag.clone()),
        Some(ImageName::Digest(digest)) => (None, digest.to_string()),
    };
    found.ok_or_else(|| Error::NoSuchImage { wanted, place: place.to_owned(), available: available() })
}

/// Docker writes `alpine:3.20` and podman `docker.io/library/alpine:3.20`, and a user may write either.
fn has_tag(item: &Item, tag: &str) -> bool {
    let canonical = |name: &str| name.parse::<RegistryReference>().ok();
    let wanted = canonical(tag);
    item.repo_tags.iter().any(|held| held == tag || (wanted.is_some() && canonical(held) == wanted))
}
