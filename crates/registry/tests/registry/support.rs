//! Repositories for tests, with settings that do not depend on the environment.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nex_fault::{Fault, advised};
use nex_registry::transport::{self, CertificatePlaces, Proxies, RetryPolicy, Security, Timeouts};
use nex_registry::{CredentialFile, CredentialPlaces, MirrorPlaces, Options, Registry, RegistryReference};
use nex_testkit::http_server::Server;

/// A server as a registry.
pub trait Repository {
    /// The repository `a/b` at this server, over plain HTTP.
    fn repository(&self, change: impl FnOnce(&mut Options)) -> Registry;
}

impl Repository for Server {
    fn repository(&self, change: impl FnOnce(&mut Options)) -> Registry {
        connect(&self.host(), change)
    }
}

/// The repository `a/b` at a host, over plain HTTP, without credentials, proxies or long waits.
pub fn connect(host: &str, change: impl FnOnce(&mut Options)) -> Registry {
    let mut options = options();
    change(&mut options);
    Registry::connect(&reference(host, "a/b"), &options).unwrap()
}

/// Settings that do not depend on the environment.
pub fn options() -> Options {
    let transport = transport::Options {
        security: Security::PlainHttp,
        certificates: CertificatePlaces::default(),
        proxies: Proxies::default(),
        retry: RetryPolicy { first_wait: Duration::from_millis(1), ..RetryPolicy::default() },
        timeouts: Timeouts { connect: Duration::from_secs(5), idle: Duration::from_secs(5), ..Timeouts::default() },
    };
    Options { transport, credentials: CredentialPlaces::default(), mirrors: MirrorPlaces::default() }
}

/// What a user is shown: the fact with its causes, and what to do about it, settings by the names of flags.
pub fn shown(error: &dyn Fault) -> String {
    advised(error, nex_fault::Setting::flag)
}

/// A reference without a tag.
pub fn reference(host: &str, repository: &str) -> RegistryReference {
    RegistryReference { registry: host.to_owned(), repository: repository.to_owned(), tag: None, digest: None }
}

/// Credentials in a file of docker's form. The file lives as long as the directory that is returned.
pub fn credentials(json: &str) -> (tempfile::TempDir, CredentialPlaces) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("config.json");
    std::fs::write(&path, json).unwrap();
    let files = vec![CredentialFile::new("test/config.json", Some(path))];
    let mut places = CredentialPlaces::default();
    (places.files, places.helper_path) = (files, Some("".into()));
    (directory, places)
}

/// A registry's directory, as in certs.d, whose owner is somebody that the authority knows.
pub fn client(directory: &Path, [authority, certificate, key]: &[PathBuf; 3]) -> PathBuf {
    let place = directory.join("client");
    fs::create_dir(&place).unwrap();
    for (file, name) in [(authority, "ca.crt"), (certificate, "we.cert"), (key, "we.key")] {
        fs::copy(file, place.join(name)).unwrap();
    }
    place
}
