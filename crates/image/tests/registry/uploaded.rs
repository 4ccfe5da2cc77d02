//! An image that the client of registries has uploaded is one that is read from there.

use std::fs;
use std::process::Command;
use std::sync::Arc;

use nex_image::{ImageDirectories, Limits, NoProgress, Options, Reference, open};
use nex_registry::transport::Body;
use nex_registry::transport::http::{HeaderMap, HeaderValue, Method, header};
use nex_registry::{Digest, Endpoint, Registry, RegistryReference, Request, Target};
use nex_testkit::distribution::{Distribution, Setup};

use crate::support::options;

fn of_type(media_type: &'static str) -> HeaderMap {
    [(header::CONTENT_TYPE, HeaderValue::from_static(media_type))].into_iter().collect()
}

/// Uploads a blob in one piece; gives it as a manifest names it.
fn upload(registry: &Registry, blob: &[u8]) -> String {
    let begun = registry.send(&Request::new(Method::POST, Target::Endpoint(Endpoint::Uploads))).unwrap();
    let location = begun.location().unwrap();
    let digest = Digest::sha256(blob).to_string();
    let query = &[("digest", digest.as_str())];
    let (headers, body) = (of_type("application/octet-stream"), Body::Bytes(blob));
    let put = Request { query, headers, body, ..Request::new(Method::PUT, Target::Location(&location)) };
    assert_eq!(registry.send(&put).unwrap().status(), 201);
    format!(r#"{{"digest":"{digest}","size":{}}}"#, blob.len())
}

#[test]
fn an_uploaded_image_is_read_again() {
    let Some(server) = Distribution::start(&Setup::default()) else { return };
    let name: RegistryReference = format!("{}/team/made:v1", server.host()).parse().unwrap();
    let registry = Registry::connect(&name, &options()).unwrap();
    let here = tempfile::tempdir().unwrap();
    let script = "head -c 2000000 /dev/urandom >file; tar -czf layer.tar.gz file; gzip -dc layer.tar.gz >layer.tar";
    assert!(Command::new("sh").args(["-ec", script]).current_dir(here.path()).status().unwrap().success());
    let [layer, tar] = ["layer.tar.gz", "layer.tar"].map(|name| fs::read(here.path().join(name)).unwrap());
    let diff_id = Digest::sha256(&tar);
    let config = format!(
        r#"{{"os":"linux","architecture":"amd64","config":{{"User":"5"}},"rootfs":{{"diff_ids":["{diff_id}"]}}}}"#
    );
    let (config, layer) = (upload(&registry, config.as_bytes()), upload(&registry, &layer));
    let kind = "application/vnd.docker.distribution.manifest.v2+json";
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{kind}","config":{},"layers":[{}]}}"#,
        config.replacen('{', r#"{"mediaType":"application/vnd.docker.container.image.v1+json","#, 1),
        layer.replacen('{', r#"{"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip","#, 1),
    );
    let target = Target::Endpoint(Endpoint::Manifest("v1"));
    let (headers, body) = (of_type(kind), Body::Bytes(manifest.as_bytes()));
    registry.send(&Request { headers, body, ..Request::new(Method::PUT, target) }).unwrap();

    let (platform, limits) = ("linux/amd64".parse().unwrap(), Limits::default());
    let settings = Options {
        platform,
        offline: false,
        registry: options(),
        limits,
        cache: None,
        aside: None,
        installed: ImageDirectories::default(),
    };
    let image = open(&Reference::Registry(name), &settings).unwrap();
    assert_eq!(image.manifest_digest, Some(Digest::sha256(manifest.as_bytes())));
    assert_eq!(image.config.user, "5");
    let summary = image.open_layer(0, Arc::new(NoProgress)).and_then(|layer| layer.finish()).unwrap();
    assert_eq!(summary.diff_id, diff_id);
}
