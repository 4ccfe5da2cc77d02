//! A registry on the loopback address that serves an image of a layout, and fails where a test wants it to, as no real one
//! does.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use crate::failure::Context;
use crate::fault_server::{self, FaultServer, Reply};
use crate::{Failure, Result};

/// A request for something of the image.
#[derive(Clone, Debug)]
pub struct Request {
    /// The layer that it is for, 0 being the lowest.
    pub layer: Option<usize>,
    request: fault_server::Request,
}

impl Deref for Request {
    type Target = fault_server::Request;

    fn deref(&self) -> &fault_server::Request {
        &self.request
    }
}

/// A listening registry.
pub struct FaultRegistry {
    server: FaultServer,
    image: Arc<Image>,
}

impl FaultRegistry {
    /// Serves the only image of a layout, under every name and tag. `answer` gets each request that has content, and the
    /// content.
    ///
    /// # Errors
    /// When the layout cannot be read.
    pub fn start(
        layout: &Path,
        answer: impl Fn(&Request, &[u8], &mut Reply) -> io::Result<()> + Send + Sync + 'static,
    ) -> Result<Self> {
        let image = Arc::new(Image::read(layout)?);
        let served = Arc::clone(&image);
        let server = FaultServer::start(move |request, reply| match served.content(&request.path) {
            Some(content) => answer(&served.request(request), content, reply),
            None => reply.refuse("404 Not Found", &[]),
        })?;
        Ok(Self { server, image })
    }

    /// Host and port, as a reference has them.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// All requests that had content so far.
    pub fn requests(&self) -> Vec<Request> {
        let has_content = |request: &fault_server::Request| self.image.content(&request.path).is_some();
        self.server
            .requests()
            .iter()
            .filter(|request| has_content(request))
            .map(|request| self.image.request(request))
            .collect()
    }

    /// Bytes sent of each layer that was asked for.
    pub fn sent(&self) -> BTreeMap<usize, u64> {
        let mut sent = BTreeMap::new();
        for request in self.requests() {
            request.layer.into_iter().for_each(|layer| *sent.entry(layer).or_default() += request.sent);
        }
        sent
    }
}

/// An image as it is served.
struct Image {
    blobs: BTreeMap<String, Vec<u8>>,
    manifest: Vec<u8>,
    /// The layers' digests.
    layers: Vec<String>,
}

impl Image {
    fn read(layout: &Path) -> Result<Self> {
        let directory = layout.join("blobs/sha256");
        let mut blobs = BTreeMap::new();
        for entry in fs::read_dir(&directory).context(directory.display())? {
            let entry = entry?;
            blobs.insert(format!("sha256:{}", entry.file_name().to_string_lossy()), fs::read(entry.path())?);
        }
        let index: Value = serde_json::from_slice(&fs::read(layout.join("index.json"))?)?;
        let digest = index["manifests"][0]["digest"].as_str().unwrap_or_default();
        let manifest = blobs.get(digest).ok_or_else(|| Failure::new("the layout has no manifest"))?.clone();
        let document: Value = serde_json::from_slice(&manifest)?;
        let layers = document["layers"].as_array().into_iter().flatten();
        let layers = layers.map(|layer| layer["digest"].as_str().unwrap_or_default().to_owned()).collect();
        Ok(Self { blobs, manifest, layers })
    }

    fn request(&self, request: &fault_server::Request) -> Request {
        let layer = self.layers.iter().position(|digest| request.path.ends_with(digest.as_str()));
        Request { layer, request: request.clone() }
    }

    fn content(&self, path: &str) -> Option<&[u8]> {
        let (before, last) = path.rsplit_once('/')?;
        let is_manifest = before.ends_with("/manifests");
        self.blobs.get(last).or(is_manifest.then_some(&self.manifest)).map(Vec::as_slice)
    }
}
