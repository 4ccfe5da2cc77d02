//! Whom we trust: the machine's certificate authorities, and those that docker keeps for one registry.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use ureq::tls::{Certificate, RootCerts, TlsConfig};

use super::error::Error;

/// Where certificate authorities are found, beside the system's own (and `SSL_CERT_FILE`, `SSL_CERT_DIR`, which
/// replace the system's).
#[derive(Debug, Clone, Default)]
pub struct CertificatePlaces {
    /// PEM files trusted for every host.
    pub files: Vec<PathBuf>,
    /// Directories in the form of `/etc/docker/certs.d`: `HOST[:PORT]/*.crt`, trusted while we talk to that registry,
    /// also for its token server and for the storage that it redirects to.
    pub directories: Vec<PathBuf>,
}

impl CertificatePlaces {
    /// The directories of docker and podman.
    #[must_use]
    pub fn from_environment() -> CertificatePlaces {
        let configuration = env::var_os("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".config")));
        let own = configuration.map(|directory| directory.join("containers/certs.d"));
        let system = ["/etc/containers/certs.d", "/etc/docker/certs.d"].map(PathBuf::from);
        CertificatePlaces { files: Vec::new(), directories: own.into_iter().chain(system).collect() }
    }

    /// Every authority trusted when talking to `registry`.
    ///
    /// # Errors
    /// A file that was named or found and holds no certificates.
    pub(super) fn load(&self, registry: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
        let mut certificates = system_certificates()?;
        for file in &self.files {
            certificates.extend(read(file)?);
        }
        for directory in &self.directories {
            for file in certificate_files(&directory.join(registry))? {
                certificates.extend(read(&file)?);
            }
        }
        Ok(certificates)
    }
}

/// The TLS settings for these authorities. The provider of the algorithms is ring: unlike aws-lc it builds with a C
/// compiler alone.
pub(super) fn configuration(authorities: &[CertificateDer<'static>]) -> TlsConfig {
    let roots = authorities.iter().map(|authority| Certificate::from_der(authority).to_owned());
    TlsConfig::builder()
        .root_certs(RootCerts::from(roots))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build()
}

/// The machine's authorities. Single files that cannot be read are passed over, unless the user named them.
fn system_certificates() -> Result<Vec<CertificateDer<'static>>, Error> {
    let loaded = rustls_native_certs::load_native_certs();
    let named = env::var_os("SSL_CERT_FILE").or_else(|| env::var_os("SSL_CERT_DIR"));
    match (named, loaded.errors.first()) {
        (Some(path), Some(error)) if loaded.certs.is_empty() => {
            Err(Error::Certificates { path: path.into(), reason: error.to_string() })
        }
        _ => Ok(loaded.certs),
    }
}

/// The `*.crt` files of a registry's directory, in order.
fn certificate_files(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let failed = |error: io::Error| Error::Certificates { path: directory.to_owned(), reason: error.to_string() };
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(failed(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|extension| extension == "crt") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The certificates of one PEM file; at least one.
fn read(file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let failed = |reason: String| Error::Certificates { path: file.to_owned(), reason };
    let certificates: Vec<_> = CertificateDer::pem_file_iter(file)
        .map_err(|error| failed(error.to_string()))?
        .collect::<Result<_, _>>()
        .map_err(|error| failed(error.to_string()))?;
    if certificates.is_empty() { Err(failed("no certificate in it".to_owned())) } else { Ok(certificates) }
}
