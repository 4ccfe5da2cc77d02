//! What a user sees with a real registry: images pushed by skopeo, passwords, TLS.

use std::env;
use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Command;

use nex_registry::transport::{self, CertificatePlaces, Security};
use nex_registry::{Digest, Error, Options, Registry, RegistryReference};
use nex_testkit::distribution::{Distribution, Setup, USER, certificates, has_openssl};

use crate::support::{credentials, options, reference, shown};

/// Bytes of the file in the test image.
const FILE: usize = 3_000_000;

/// The digest and size of every blob that a manifest names.
fn blobs(manifest: &[u8]) -> Vec<(Digest, u64)> {
    let manifest: serde_json::Value = serde_json::from_slice(manifest).unwrap();
    let layers = manifest["layers"].as_array().unwrap().iter();
    let descriptors = layers.chain([&manifest["config"]]);
    descriptors.map(|d| (d["digest"].as_str().unwrap().parse().unwrap(), d["size"].as_u64().unwrap())).collect()
}

/// Downloads a whole image and compares it with what skopeo pushed.
fn pull(registry: &Registry, tag: &str, layout: &Path) {
    let (media_type, manifest) = registry.manifest(tag).unwrap();
    assert_eq!(media_type.as_deref(), Some("application/vnd.oci.image.manifest.v1+json"));
    let by_digest = registry.manifest(&Digest::sha256(&manifest).to_string()).unwrap().1;
    assert!(by_digest == manifest);
    for (digest, size) in blobs(&manifest) {
        let mut content = Vec::new();
        registry.blob(&digest, Some(size)).unwrap().read_to_end(&mut content).unwrap();
        assert_eq!(Digest::sha256(&content), digest);
        assert!(content == fs::read(layout.join("blobs/sha256").join(digest.hex())).unwrap());
    }
}

fn connect(reference: &RegistryReference, options: &Options) -> Registry {
    Registry::connect(reference, options).unwrap()
}

#[test]
fn an_image_comes_back_as_it_was_pushed() {
    let Some(server) = Distribution::start(&Setup::default()) else { return };
    let layout = server.push("team/image", "v1", FILE);
    let registry = connect(&reference(&server.host(), "team/image"), &options());
    pull(&registry, "v1", &layout);
    assert_eq!(registry.tags().unwrap(), ["v1"]);
}

#[test]
fn missing_things_are_named() {
    let Some(server) = Distribution::start(&Setup::default()) else { return };
    server.push("team/image", "v1", 10);
    let registry = connect(&reference(&server.host(), "team/image"), &options());
    let error = registry.manifest("v2").unwrap_err();
    assert!(matches!(&error, Error::ManifestNotFound { reference, .. } if reference == "v2"), "{error}");
    let blob = registry.blob(&Digest::sha256(b"nowhere"), None).map(|_| ()).unwrap_err();
    assert!(matches!(blob, Error::BlobNotFound { .. }), "{blob}");
    let elsewhere = connect(&reference(&server.host(), "team/other"), &options());
    let tags = elsewhere.tags().unwrap_err();
    assert!(matches!(tags, Error::RepositoryNotFound { .. }), "{tags}");
    assert!(elsewhere.manifest("v1").is_err());
}

#[test]
fn a_password_opens_the_registry_and_its_absence_is_explained() {
    let Some(server) = Distribution::start(&Setup { with_password: true, ..Setup::default() }) else { return };
    let layout = server.push("team/image", "v1", FILE);
    let image = reference(&server.host(), "team/image");
    let with = |json: &str| {
        let (directory, credentials) = credentials(json);
        let registry = connect(&image, &Options { credentials, ..options() });
        (directory, registry)
    };
    let entry = |password: &str| {
        let (host, user) = (server.host(), USER.0);
        format!(r#"{{"auths": {{"{host}/team": {{"username": "{user}", "password": "{password}"}}}}}}"#)
    };
    let (_directory, registry) = with(&entry(USER.1));
    pull(&registry, "v1", &layout);

    let (_directory, registry) = with("{}");
    let message = shown(&registry.manifest("v1").unwrap_err());
    assert!(message.contains("401") && message.contains("test/config.json: no entry"), "{message}");
    assert!(message.contains(&format!("podman login {}", server.host())), "{message}");

    let (_directory, registry) = with(&entry("wrong secret"));
    let message = shown(&registry.manifest("v1").unwrap_err());
    assert!(message.contains("not accepted") && !message.contains("wrong secret"), "{message}");
}

#[test]
fn only_a_known_authority_is_trusted_and_the_error_helps() {
    if !has_openssl() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let [authority, certificate, key] = certificates(directory.path());
    let setup = Setup { tls: Some((certificate, key)), ..Setup::default() };
    let Some(server) = Distribution::start(&setup) else { return };
    let layout = server.push("team/image", "v1", FILE);
    let image = reference(&server.host(), "team/image");
    let secure = |certificates: CertificatePlaces| {
        let mut options = options();
        (options.transport.security, options.transport.certificates) = (Security::Tls, certificates);
        connect(&image, &options)
    };

    let stranger = secure(CertificatePlaces::default()).manifest("v1").unwrap_err();
    assert!(matches!(stranger, Error::Transport(transport::Error::Tls { .. })), "{stranger}");
    assert!(shown(&stranger).contains("SSL_CERT_FILE"), "{stranger}");

    let named = CertificatePlaces { files: vec![authority.clone()], ..CertificatePlaces::default() };
    pull(&secure(named), "v1", &layout);

    // The form of /etc/docker/certs.d.
    let own = directory.path().join("certs.d").join(server.host());
    fs::create_dir_all(&own).unwrap();
    fs::copy(&authority, own.join("ca.crt")).unwrap();
    let directories = vec![directory.path().join("certs.d")];
    pull(&secure(CertificatePlaces { directories, ..CertificatePlaces::default() }), "v1", &layout);

    let plain = connect(&image, &options()).manifest("v1").unwrap_err();
    assert!(plain.to_string().contains("Client sent an HTTP request to an HTTPS server"), "{plain}");
}

/// The registry that [`the_environment_is_honoured`] tells its child about.
const CHILD: &str = "NEX_TEST_REGISTRY";

#[test]
fn the_environment_is_honoured() {
    if let Ok(host) = env::var(CHILD) {
        let registry = connect(&reference(&host, "team/image"), &Options::from_environment());
        registry.manifest("v1").unwrap_or_else(|error| panic!("{error}"));
        return;
    }
    if !has_openssl() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let [authority, certificate, key] = certificates(directory.path());
    let setup = Setup { tls: Some((certificate, key)), with_password: true, clients: None };
    let Some(server) = Distribution::start(&setup) else { return };
    server.push("team/image", "v1", 10);
    let entry = |password: &str| {
        let (host, user) = (server.host(), USER.0);
        format!(r#"{{"auths": {{"https://{host}/v2/": {{"username": "{user}", "password": "{password}"}}}}}}"#)
    };
    fs::create_dir(directory.path().join(".docker")).unwrap();
    fs::write(directory.path().join(".docker/config.json"), entry("wrong")).unwrap();
    fs::write(directory.path().join("auth.json"), entry(USER.1)).unwrap();
    // Variables belong to the process, and other tests run beside this one: a child gets them.
    let child = |authority: &Path, auth: &str| {
        let output = Command::new(env::current_exe().unwrap())
            .args(["--exact", "real_registry::the_environment_is_honoured", "--nocapture"])
            .env_clear()
            .env(CHILD, server.host())
            .env("HOME", directory.path())
            .env("SSL_CERT_FILE", authority)
            .env("REGISTRY_AUTH_FILE", directory.path().join(auth))
            .env("HTTPS_PROXY", "http://127.0.0.1:1")
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (is_good, output) = child(&authority, "auth.json");
    assert!(is_good, "{output}");
    // Without $REGISTRY_AUTH_FILE docker's file is next, and has a wrong password.
    let (is_good, output) = child(&authority, "missing.json");
    assert!(!is_good && output.contains("~/.docker/config.json: found in auths"), "{output}");
    let (is_good, output) = child(Path::new("/nowhere.pem"), "auth.json");
    assert!(!is_good && output.contains("/nowhere.pem"), "{output}");
}

#[test]
fn plain_http_at_localhost_is_asked_for_not_guessed() {
    let Some(server) = Distribution::start(&Setup::default()) else { return };
    let mut secure = options();
    secure.transport.security = Security::Tls;
    let error = connect(&reference(&server.host(), "team/image"), &secure).manifest("v1").unwrap_err();
    assert!(matches!(error, Error::Transport(transport::Error::Tls { .. })), "{error}");
    assert!(shown(&error).ends_with("; if it does, ask for it with --plain-http"), "{error}");
}

#[test]
fn files_without_certificates_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("empty.crt");
    fs::write(&file, "nothing").unwrap();
    let certificates = CertificatePlaces { files: vec![file], ..CertificatePlaces::default() };
    let mut options = options();
    options.transport.certificates = certificates;
    let error = Registry::connect(&reference("r.example", "a"), &options).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("empty.crt"), "{error}");
}
