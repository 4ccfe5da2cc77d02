//! What goes into a real registry comes out of it: by this client, and by skopeo.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::Command;

use nex_registry::transport::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use nex_registry::transport::{Body, FilePart};
use nex_registry::{Access, Digest, Endpoint, Error, Options, Registry, Request, Scope, Target};
use nex_testkit::distribution::{Distribution, Setup, USER};

use crate::support::{credentials, options, reference};

const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";

fn of_type(media_type: &'static str) -> HeaderMap {
    [(header::CONTENT_TYPE, HeaderValue::from_static(media_type))].into_iter().collect()
}

/// Uploads a file as a blob, in two pieces.
fn upload(registry: &Registry, file: &File) -> Result<Digest, Error> {
    let mut content = Vec::new();
    (&mut &*file).read_to_end(&mut content).unwrap();
    let (digest, length) = (Digest::sha256(&content), content.len() as u64);
    let missing = registry.send(&Request::new(Method::HEAD, Target::Endpoint(Endpoint::Blob(&digest))));
    assert!(matches!(missing, Err(Error::BlobNotFound { .. })), "it is there already");

    let begun = registry.send(&Request::new(Method::POST, Target::Endpoint(Endpoint::Uploads)))?;
    assert_eq!(begun.status(), StatusCode::ACCEPTED);
    let mut location = begun.location()?;
    for (start, end) in [(0, length / 3), (length / 3, length)] {
        let part = FilePart { file, start, length: end - start };
        let mut headers = of_type("application/octet-stream");
        headers.insert(header::CONTENT_RANGE, format!("{start}-{}", end - 1).parse().unwrap());
        let body = Body::Content(&part);
        let patch = Request { headers, body, ..Request::new(Method::PATCH, Target::Location(&location)) };
        let next = registry.send(&patch)?.location()?;
        location = next;
    }
    let digest_text = digest.to_string();
    let query = &[("digest", digest_text.as_str())];
    let done = registry.send(&Request { query, ..Request::new(Method::PUT, Target::Location(&location)) })?;
    assert_eq!(done.status(), StatusCode::CREATED);
    Ok(digest)
}

fn push_manifest(registry: &Registry, tag: &str, manifest: &[u8]) -> Result<(), Error> {
    let (headers, body) = (of_type(MANIFEST_TYPE), Body::Bytes(manifest));
    let target = Target::Endpoint(Endpoint::Manifest(tag));
    registry.send(&Request { headers, body, ..Request::new(Method::PUT, target) }).map(drop)
}

/// A config and a layer of some 3 MB, as files, and the manifest of both.
fn image(place: &Path) -> ([File; 2], String) {
    let script = "head -c 3000000 /dev/urandom >random; tar -cf layer.tar random";
    assert!(Command::new("sh").args(["-ec", script]).current_dir(place).status().unwrap().success());
    let layer = fs::read(place.join("layer.tar")).unwrap();
    let diff_id = Digest::sha256(&layer);
    let config = format!(
        r#"{{"os":"linux","architecture":"amd64","config":{{}},"rootfs":{{"type":"layers","diff_ids":["{diff_id}"]}}}}"#
    );
    fs::write(place.join("config.json"), &config).unwrap();
    let inside = |media_type: &str, bytes: &[u8]| {
        format!(r#"{{"mediaType":"{media_type}","digest":"{}","size":{}}}"#, Digest::sha256(bytes), bytes.len())
    };
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST_TYPE}","config":{},"layers":[{}]}}"#,
        inside("application/vnd.oci.image.config.v1+json", config.as_bytes()),
        inside("application/vnd.oci.image.layer.v1.tar", &layer),
    );
    (["config.json", "layer.tar"].map(|name| File::open(place.join(name)).unwrap()), manifest)
}

fn logged_in(host: &str) -> (tempfile::TempDir, Options) {
    let (user, password) = USER;
    let entry = format!(r#"{{"auths":{{"{host}":{{"username":"{user}","password":"{password}"}}}}}}"#);
    let (directory, credentials) = credentials(&entry);
    (directory, Options { credentials, ..options() })
}

#[test]
fn an_image_that_was_uploaded_is_read_by_us_and_by_skopeo() {
    let Some(server) = Distribution::start(&Setup { with_password: true, ..Setup::default() }) else { return };
    let (_directory, options) = logged_in(&server.host());
    let registry = Registry::connect(&reference(&server.host(), "team/new"), &options).unwrap();
    let place = tempfile::tempdir().unwrap();
    let (files, manifest) = image(place.path());

    // A manifest without its blobs is refused, in the registry's own words.
    let early = push_manifest(&registry, "v1", manifest.as_bytes()).unwrap_err();
    assert!(
        matches!(&early, Error::Status { status: 400 | 404, said, .. } if said.contains("BLOB_UNKNOWN")),
        "{early}"
    );

    let digests = files.each_ref().map(|file| upload(&registry, file).unwrap());
    push_manifest(&registry, "v1", manifest.as_bytes()).unwrap();

    let (media_type, content) = registry.manifest("v1").unwrap();
    assert_eq!((media_type.as_deref(), content.as_slice()), (Some(MANIFEST_TYPE), manifest.as_bytes()));
    for digest in &digests {
        let mut content = Vec::new();
        registry.blob(digest, None).unwrap().read_to_end(&mut content).unwrap();
        assert_eq!(Digest::sha256(&content), *digest);
    }
    let copied = Command::new("skopeo")
        .args(["copy", "--insecure-policy", "--src-tls-verify=false", "--src-creds"])
        .arg(format!("{}:{}", USER.0, USER.1))
        .arg(format!("docker://{}/team/new:v1", server.host()))
        .arg("dir:copy")
        .current_dir(place.path())
        .output()
        .unwrap();
    assert!(copied.status.success(), "{}", String::from_utf8_lossy(&copied.stderr));
    assert_eq!(fs::read(place.path().join("copy/manifest.json")).unwrap(), manifest.as_bytes());
    for (digest, name) in digests.iter().zip(["config.json", "layer.tar"]) {
        let copied = fs::read(place.path().join("copy").join(digest.hex())).unwrap();
        assert!(copied == fs::read(place.path().join(name)).unwrap(), "{name}");
    }
}

#[test]
fn a_blob_is_mounted_from_another_repository() {
    let Some(server) = Distribution::start(&Setup { with_password: true, ..Setup::default() }) else { return };
    let (_directory, options) = logged_in(&server.host());
    let base = Registry::connect(&reference(&server.host(), "team/base"), &options).unwrap();
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("blob"), "some bytes that are there already").unwrap();
    let digest = upload(&base, &File::open(place.path().join("blob")).unwrap()).unwrap();

    let other = Registry::connect(&reference(&server.host(), "team/other"), &options).unwrap();
    let mount = |digest: &str| {
        let from = [Scope { repository: "team/base".to_owned(), access: Access::Pull }];
        let query = &[("mount", digest), ("from", "team/base")];
        let target = Target::Endpoint(Endpoint::Uploads);
        other.send(&Request { query, others: &from, ..Request::new(Method::POST, target) }).unwrap().status()
    };
    assert_eq!(mount(&digest.to_string()), StatusCode::CREATED);
    let mut content = String::new();
    other.blob(&digest, None).unwrap().read_to_string(&mut content).unwrap();
    assert_eq!(content, "some bytes that are there already");
    // The control: what is not there begins an upload.
    assert_eq!(mount(&Digest::sha256(b"nowhere").to_string()), StatusCode::ACCEPTED);
}

#[test]
fn who_may_not_write_is_told() {
    let Some(server) = Distribution::start(&Setup { with_password: true, ..Setup::default() }) else { return };
    let registry = Registry::connect(&reference(&server.host(), "team/new"), &options()).unwrap();
    let error = push_manifest(&registry, "v1", b"{}").unwrap_err();
    assert!(matches!(error, Error::Unauthorized { status: 401, .. }), "{error}");
}
