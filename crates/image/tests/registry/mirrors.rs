//! Mirrors, and what only the registry itself gets: by a real registry and by servers that fail.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nex_fault::whole;
use nex_image::{Image, ImageDirectories, Limits, Options, Platform, Reference, open};
use nex_registry::transport::{CertificatePlaces, Security};
use nex_registry::{CredentialPlaces, Digest, MirrorPlaces, Options as RegistryOptions, RegistryReference};
use nex_testkit::distribution::{Distribution, Setup, USER, certificates, has_openssl};
use nex_testkit::http_server::{Server, answer};

use crate::support::options;

/// A `registries.conf` with these tables.
fn conf(directory: &Path, text: &str) -> MirrorPlaces {
    let file = directory.join("registries.conf");
    fs::write(&file, text).unwrap();
    MirrorPlaces { files: vec![file], ..MirrorPlaces::default() }
}

fn find(name: &str, registry: RegistryOptions) -> Result<Image, nex_image::Error> {
    let (platform, limits) = (Platform::host(), Limits::default());
    let options = Options {
        platform,
        offline: false,
        registry,
        limits,
        cache: None,
        aside: None,
        installed: ImageDirectories::default(),
    };
    open(&name.parse::<RegistryReference>().map(Reference::Registry).unwrap(), &options)
}

#[test]
fn a_mirror_is_asked_first_and_gets_nothing_that_is_the_registrys() {
    let Some(mirror) = Distribution::start(&Setup { with_password: false, ..Setup::default() }) else { return };
    let layout = mirror.push("copies/team/image", "v1", 10_000);
    let own = Server::start(|_, _| answer("404 Not Found", &[], b"{}"));
    let watched = Server::start(|_, _| answer("401 Unauthorized", &[("WWW-Authenticate", "Basic realm=r")], b""));
    let place = tempfile::tempdir().unwrap();
    let mirrors = conf(
        place.path(),
        &format!(
            "[[registry]]\nlocation = '{}'\n[[registry.mirror]]\nlocation = '{}/x'\ninsecure = true\n\
             [[registry.mirror]]\nlocation = '{}/copies'\ninsecure = true\n",
            own.host(),
            watched.host(),
            mirror.host()
        ),
    );
    let name = format!("{}/team/image:v1", own.host());
    let credentials = CredentialPlaces::given(USER.0, USER.1);
    let image = find(&name, RegistryOptions { mirrors: mirrors.clone(), credentials, ..options() }).unwrap();
    assert_eq!(image.mirror, Some(format!("{}/copies/team/image:v1", mirror.host())));
    assert_eq!(image.name, name, "the image keeps its name");
    let pushed = fs::read(layout.join("index.json")).unwrap();
    assert!(String::from_utf8_lossy(&pushed).contains(&image.manifest_digest.unwrap().to_string()));
    assert!(own.requests().is_empty());
    assert!(
        watched.requests().iter().all(|request| request.header("authorization").is_none()),
        "no mirror gets --creds"
    );
    assert!(!watched.requests().is_empty());

    // What skopeo makes of the same file.
    let found = Command::new("skopeo")
        .arg("--registries-conf")
        .arg(&mirrors.files[0])
        .args(["inspect", "--raw", "--tls-verify=false", &format!("docker://{name}")])
        .output()
        .unwrap();
    let by_skopeo = Digest::sha256(&found.stdout);
    assert_eq!(Some(by_skopeo), image.manifest_digest, "{}", String::from_utf8_lossy(&found.stderr));
}

#[test]
fn what_mirrors_lack_is_asked_for_at_home_and_all_failures_are_told() {
    let Some(own) = Distribution::start(&Setup::default()) else { return };
    own.push("team/image", "v1", 10_000);
    let lacking = Server::start(|_, _| answer("404 Not Found", &[], b"{}"));
    let place = tempfile::tempdir().unwrap();
    let text = format!(
        "[[registry]]\nlocation = '{}'\n[[registry.mirror]]\nlocation = '{}'\ninsecure = true\n\
         [[registry.mirror]]\nlocation = 'localhost:1'\n",
        own.host(),
        lacking.host()
    );
    let options = || RegistryOptions { mirrors: conf(place.path(), &text), ..options() };
    let image = find(&format!("{}/team/image:v1", own.host()), options()).unwrap();
    assert_eq!(image.mirror, None);
    let error = whole(&find(&format!("{}/team/image:v2", own.host()), options()).map(drop).unwrap_err());
    for word in ["no image v2", "it has v1", "its mirrors failed before", &lacking.host(), "localhost:1"] {
        assert!(error.contains(word), "{word}: {error}");
    }
}

#[test]
fn a_mirror_cannot_give_another_image_than_the_digest_says() {
    let lying = Server::start(|_, _| answer("200 OK", &[], b"{}"));
    let own = Server::start(|_, _| answer("404 Not Found", &[], b"{}"));
    let place = tempfile::tempdir().unwrap();
    let text = format!(
        "[[registry]]\nlocation = '{}'\n[[registry.mirror]]\nlocation = '{}'\ninsecure = true\n",
        own.host(),
        lying.host()
    );
    let name = format!("{}/team/image@{}", own.host(), Digest::sha256(b"another"));
    let options = RegistryOptions { mirrors: conf(place.path(), &text), ..options() };
    let error = whole(&find(&name, options).map(drop).unwrap_err());
    assert!(error.contains("its mirrors failed before") && !own.requests().is_empty(), "{error}");
}

#[test]
fn a_mirror_that_says_nonsense_keeps_nobody_from_the_registry_and_changes_nothing_that_is_kept() {
    let Some(own) = Distribution::start(&Setup::default()) else { return };
    own.push("team/image", "v1", 10_000);
    let place = tempfile::tempdir().unwrap();
    let index = br#"{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","size":2,
        "digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","platform":{"os":"plan9","architecture":"amd64"}}]}"#;
    for nonsense in [&b"<html>log in</html>"[..], b"", index] {
        let mirror = Server::start(move |_, _| answer("200 OK", &[("Content-Type", "text/html")], nonsense));
        let text = format!(
            "[[registry]]\nlocation = '{}'\n[[registry.mirror]]\nlocation = '{}'\ninsecure = true\n",
            own.host(),
            mirror.host()
        );
        let options = RegistryOptions { mirrors: conf(place.path(), &text), ..options() };
        let image = find(&format!("{}/team/image:v1", own.host()), options).unwrap();
        assert_eq!(image.mirror, None);
        assert!(!mirror.requests().is_empty());
    }
}

#[test]
fn another_location_gets_nothing_that_is_the_registrys() {
    let elsewhere = Server::start(|_, _| answer("401 Unauthorized", &[("WWW-Authenticate", "Basic realm=r")], b""));
    let place = tempfile::tempdir().unwrap();
    let text = format!("[[registry]]\nprefix = 'a.example'\nlocation = '{}/x'\ninsecure = true\n", elsewhere.host());
    for security in [Security::Tls, Security::PlainHttp] {
        let (mirrors, credentials) = (conf(place.path(), &text), CredentialPlaces::given(USER.0, USER.1));
        let mut options = RegistryOptions { mirrors, credentials, ..options() };
        options.transport.security = security;
        find("a.example/b", options).map(drop).unwrap_err();
    }
    assert!(elsewhere.requests().iter().all(|request| request.header("authorization").is_none()));
    assert!(!elsewhere.requests().is_empty());
}

#[test]
fn who_has_spoken_tls_is_asked_for_nothing_without_it() {
    if !has_openssl() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let broken = Server::start_tls(&certificates(directory.path()), |_, _| b"HTTP/1.1 200 OK\r\nContent-Le".to_vec());
    let text = format!("[[registry]]\nlocation = 'localhost:{}'\ninsecure = true\n", broken.port());
    let mut options = RegistryOptions { mirrors: conf(directory.path(), &text), ..options() };
    options.transport.security = Security::Tls;
    find(&format!("localhost:{}/a", broken.port()), options).map(drop).unwrap_err();
    assert!(broken.requests().iter().all(|request| request.line.starts_with("GET ")) && !broken.requests().is_empty());
}

/// A registry's directory, as in certs.d, whose owner is somebody that the authority knows.
fn client(directory: &Path, [authority, certificate, key]: &[PathBuf; 3]) -> PathBuf {
    let place = directory.join("client");
    fs::create_dir(&place).unwrap();
    for (file, name) in [(authority, "ca.crt"), (certificate, "we.cert"), (key, "we.key")] {
        fs::copy(file, place.join(name)).unwrap();
    }
    place
}

#[test]
fn a_certificate_opens_a_registry_that_asks_for_one() {
    if !has_openssl() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let files = certificates(directory.path());
    let place = client(directory.path(), &files);
    let [authority, certificate, key] = files;
    let setup = Setup { tls: Some((certificate, key)), clients: Some((authority, place.clone())), ..Setup::default() };
    let Some(server) = Distribution::start(&setup) else { return };
    server.push("team/image", "v1", 10_000);
    let name = format!("{}/team/image:v1", server.host());
    let with = |certificates| {
        let mut options = options();
        (options.transport.security, options.transport.certificates) = (Security::Tls, certificates);
        find(&name, options)
    };
    with(CertificatePlaces { own: Some(place.clone()), ..CertificatePlaces::default() }).unwrap();

    // In the form of /etc/containers/certs.d.
    let directories = directory.path().join("certs.d");
    fs::create_dir(&directories).unwrap();
    fs::rename(&place, directories.join(server.host())).unwrap();
    let found = CertificatePlaces { directories: vec![directories.clone()], ..CertificatePlaces::default() };
    with(found.clone()).unwrap();

    // The controls: without the certificate, and with half of it.
    let place = directories.join(server.host());
    fs::rename(place.join("we.cert"), place.join("we.old")).unwrap();
    let error = whole(&with(found.clone()).map(drop).unwrap_err());
    assert!(error.contains("we.key") && error.contains("no certificate NAME.cert"), "{error}");
    fs::remove_file(place.join("we.key")).unwrap();
    with(found).map(drop).unwrap_err();
}
