//! Whom we trust: the machine's certificate authorities, and those that docker keeps for one server; and who we are for a server
//! that asks for a certificate.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};

use super::error::Error;
use super::security::Security;

/// Bytes of a file that are read at most: a hundred times the certificates of all authorities there are.
const MAX_BYTES: u64 = 16 << 20;

/// Where certificate authorities are found, beside the system's own (and `SSL_CERT_FILE`, `SSL_CERT_DIR`, which
/// replace the system's).
#[derive(Debug, Clone, Default)]
pub struct CertificatePlaces {
    /// PEM files trusted for every host.
    pub files: Vec<PathBuf>,
    /// Directories in the form of `/etc/docker/certs.d`: `HOST[:PORT]/*.crt`, trusted while we talk to that server,
    /// also for its token server and for the storage that it redirects to. A certificate for us and its key, `NAME.cert` and
    /// `NAME.key`, are shown to the server itself, and to nobody else.
    pub directories: Vec<PathBuf>,
    /// A directory with such files for the server that was named, in the place of those below `directories`.
    pub own: Option<PathBuf>,
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
        CertificatePlaces { directories: own.into_iter().chain(system).collect(), ..CertificatePlaces::default() }
    }

    /// Those for another place than the server that was named, which has directories of its own.
    pub(crate) fn elsewhere(&self) -> CertificatePlaces {
        CertificatePlaces { own: None, ..self.clone() }
    }

    /// Every authority that is trusted for all servers.
    ///
    /// # Errors
    /// A file that was named and holds no certificates.
    pub(crate) fn machines(&self) -> Result<Vec<CertificateDer<'static>>, Error> {
        let mut certificates = system_certificates()?;
        for file in &self.files {
            certificates.extend(read(file)?);
        }
        Ok(certificates)
    }

    /// Those that are trusted beside them when talking to `server`, its token server and its storage.
    ///
    /// # Errors
    /// A file that was found and holds no certificates.
    pub(crate) fn servers(&self, server: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
        let mut certificates = Vec::new();
        for directory in self.of_server(server) {
            for file in files_with(&directory, "crt")? {
                certificates.extend(read(&file)?);
            }
        }
        Ok(certificates)
    }

    /// The certificate that we show to `server`, with its key: the first one that is there.
    ///
    /// # Errors
    /// One without the other, or one that cannot be read.
    pub(crate) fn identity(&self, server: &str) -> Result<Option<ClientCert>, Error> {
        for directory in self.of_server(server) {
            let [certificates, keys] = ["cert", "key"].map(|extension| files_with(&directory, extension));
            let (certificates, keys) = (certificates?, keys?);
            if let Some(key) = keys.iter().find(|key| !certificates.contains(&key.with_extension("cert"))) {
                return Err(unusable(key, "there is no certificate NAME.cert for it"));
            }
            let Some(certificate) = certificates.first() else { continue };
            let key = certificate.with_extension("key");
            if !keys.contains(&key) {
                return Err(unusable(certificate, "there is no key NAME.key for it"));
            }
            let chain: Vec<_> = read(certificate)?.iter().map(owned).collect();
            let key = PrivateKey::from_pem(&content(&key)?).map_err(|_| unusable(&key, "there is no key in it"))?;
            return Ok(Some(ClientCert::new_with_certs(&chain, key)));
        }
        Ok(None)
    }

    /// The directories of one server.
    fn of_server(&self, server: &str) -> Vec<PathBuf> {
        match &self.own {
            Some(own) => vec![own.clone()],
            None => self.directories.iter().map(|directory| directory.join(server)).collect(),
        }
    }
}

fn owned(certificate: &CertificateDer<'static>) -> Certificate<'static> {
    Certificate::from_der(certificate).to_owned()
}

/// The TLS settings for these authorities, and for this certificate of ours. The provider of the algorithms is ring: unlike aws-lc it
/// builds with a C compiler alone.
pub(crate) fn configuration(
    authorities: &[CertificateDer<'static>],
    identity: Option<ClientCert>,
    security: Security,
) -> TlsConfig {
    TlsConfig::builder()
        .root_certs(RootCerts::from(authorities.iter().map(owned)))
        .client_cert(identity)
        .disable_verification(security == Security::Unverified)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .build()
}

/// The machine's authorities, or those that the user has named in their place, by OpenSSL's variables.
fn system_certificates() -> Result<Vec<CertificateDer<'static>>, Error> {
    let (file, directories) = (env::var_os("SSL_CERT_FILE"), env::var_os("SSL_CERT_DIR"));
    if file.is_none() && directories.is_none() {
        // What cannot be read there is not the user's fault.
        return Ok(rustls_native_certs::load_native_certs().certs);
    }
    named_certificates(file.map(PathBuf::from), directories.iter().flat_map(env::split_paths))
}

/// What cannot be read is passed over, as long as there is something else.
fn named_certificates(
    file: Option<PathBuf>,
    directories: impl Iterator<Item = PathBuf>,
) -> Result<Vec<CertificateDer<'static>>, Error> {
    let mut outcomes = Vec::new();
    let mut read_all = |file: &Path| match sections(file) {
        Ok(sections) => outcomes.extend(sections),
        Err(error) => outcomes.push(Err(error)),
    };
    file.iter().for_each(|file| read_all(file));
    for directory in directories.filter(|directory| !directory.as_os_str().is_empty()) {
        // Others stand there too: links of `openssl rehash`, lists of what is revoked.
        let files = files_in(&directory).map_err(|error| unreadable(&directory, error))?;
        files.iter().filter(|file| file.is_file()).for_each(|file| read_all(file));
    }
    let (mut found, mut failure) = (Vec::new(), Ok(()));
    for outcome in outcomes {
        match outcome {
            Ok(certificate) => found.push(certificate),
            Err(error) => failure = failure.and(Err(error)),
        }
    }
    found.sort_unstable_by(|one, other| one.as_ref().cmp(other.as_ref()));
    found.dedup();
    if found.is_empty() { failure.map(|()| found) } else { Ok(found) }
}

/// The files of a server's directory with this extension, in order.
fn files_with(directory: &Path, extension: &str) -> Result<Vec<PathBuf>, Error> {
    match files_in(directory) {
        Ok(mut files) => {
            files.retain(|path| path.extension().is_some_and(|found| found == extension));
            Ok(files)
        }
        // A directory that others keep for themselves is none of the caller's.
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::PermissionDenied
            ) =>
        {
            Ok(Vec::new())
        }
        Err(error) => Err(unreadable(directory, error)),
    }
}

/// What stands in a directory, in order.
fn files_in(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory)?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}

/// The certificates of one PEM file; at least one.
fn read(file: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let certificates = sections(file)?.into_iter().collect::<Result<Vec<_>, _>>()?;
    if certificates.is_empty() { Err(unusable(file, "no certificate in it")) } else { Ok(certificates) }
}

/// What stands in a PEM file, certificate by certificate.
fn sections(file: &Path) -> Result<Vec<Result<CertificateDer<'static>, Error>>, Error> {
    let content = content(file)?;
    let sections = CertificateDer::pem_slice_iter(&content);
    Ok(sections.map(|section| section.map_err(|error| unusable(file, &error.to_string()))).collect())
}

fn content(file: &Path) -> Result<Vec<u8>, Error> {
    let content = nex_file::read_regular_within(file, MAX_BYTES).map_err(|error| unreadable(file, error))?;
    content.ok_or_else(|| unusable(file, "it has more than 16 MiB"))
}

fn unusable(path: &Path, reason: &str) -> Error {
    Error::Certificates { path: path.to_owned(), reason: reason.to_owned() }
}

fn unreadable(path: &Path, error: io::Error) -> Error {
    unusable(path, &error.to_string())
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    /// A certificate as far as it is looked at before it is used.
    const PEM: &str = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";

    #[test]
    fn whatever_is_named_in_the_place_of_certificates_keeps_nobody_waiting() {
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        mknodat(CWD, path("fifo.crt"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        fs::File::create(path("endless")).unwrap().set_len(1 << 40).unwrap();
        for (file, reason) in [
            (path("fifo.crt"), "it is a FIFO, but must be a regular file"),
            (PathBuf::from("/dev/zero"), "it is a device"),
            (path("endless"), "it has more than 16 MiB"),
            (path("missing"), "No such file"),
        ] {
            let said = named_certificates(Some(file.clone()), std::iter::empty()).unwrap_err().to_string();
            assert!(said.contains(&file.display().to_string()) && said.contains(reason), "{said}");
            let places = CertificatePlaces { files: vec![file], ..CertificatePlaces::default() };
            assert!(places.machines().unwrap_err().to_string().contains(reason));
        }
        let places = CertificatePlaces { directories: vec![place.path().into()], ..CertificatePlaces::default() };
        assert!(places.servers(".").unwrap_err().to_string().contains("it is a FIFO"));
        // A directory of the machine's authorities may hold what is none.
        fs::write(path("good"), PEM).unwrap();
        let found = |file| named_certificates(file, [place.path().to_owned()].into_iter()).unwrap();
        assert_eq!(found(None).len(), 1);
        assert_eq!(found(Some(path("fifo.crt"))).len(), 1);
    }
}
