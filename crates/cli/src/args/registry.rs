//! The arguments that say how a registry is talked to.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use nex_registry::transport::{Security, Throughput, Timeouts};
use nex_registry::{CredentialPlaces, Options};

use super::{duration, size};
use crate::codes::INPUT;
use crate::diagnostic::Diagnostic;

/// The registry.
#[derive(Debug, Args)]
#[command(next_help_heading = "Registry")]
pub struct RegistryArgs {
    /// Use HTTP instead of HTTPS for the registry; for registries under test.
    #[arg(long)]
    pub plain_http: bool,

    /// A user and a password for the registry, in place of the logins of podman and docker.
    ///
    /// A colon separates the two. Other users of the machine can see command lines; they cannot see the variable.
    #[arg(long, value_name = "USER:PASSWORD")]
    pub creds: Option<String>,

    /// A directory with certificates for the registry, in place of certs.d.
    ///
    /// nex trusts the authorities in *.crt, and sends the client certificate NAME.cert, with the key NAME.key.
    #[arg(long, value_name = "DIR")]
    pub cert_dir: Option<PathBuf>,

    /// The most time for a manifest, a config, a list or a token, and for a layer's first byte; 0 is no limit.
    #[arg(long, value_name = "TIME", value_parser = patience, default_value = "2m")]
    pub registry_timeout: Patience,

    /// The least throughput of a layer, such as 1MiB/30s; 0 is no limit.
    #[arg(long, value_name = "SIZE/TIME", value_parser = throughput, default_value = "64KiB/60s")]
    pub min_throughput: Least,
}

/// The value of `--registry-timeout`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience(Option<Duration>);

/// The value of `--min-throughput`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Least(Option<Throughput>);

impl RegistryArgs {
    /// How the registry is reached.
    ///
    /// # Errors
    /// Credentials without a colon, which the message does not show, or a directory that is not there.
    pub fn options(&self) -> Result<Options, Diagnostic> {
        let (document, blob) = (self.registry_timeout.0, self.min_throughput.0);
        let mut options = Options::default();
        options.transport.timeouts = Timeouts { document, blob, ..options.transport.timeouts };
        options.transport.security = if self.plain_http { Security::PlainHttp } else { Security::Tls };
        if let Some(directory) = self.cert_dir.as_ref().filter(|directory| !directory.is_dir()) {
            let directory = nex_text::name(directory.as_os_str().as_bytes());
            return Err(Diagnostic::new(INPUT, format!("--cert-dir names {directory}, which is no directory")));
        }
        options.transport.certificates.own.clone_from(&self.cert_dir);
        if let Some(creds) = &self.creds {
            let parts = creds.split_once(':').filter(|(user, _)| !user.is_empty());
            let (user, password) = parts.ok_or_else(|| Diagnostic::usage("--creds wants USER:PASSWORD"))?;
            options.credentials = CredentialPlaces::given(user, password);
        }
        Ok(options)
    }
}

fn patience(text: &str) -> Result<Patience, String> {
    if text == "0" { Ok(Patience(None)) } else { duration::parse(text).map(|time| Patience(Some(time))) }
}

fn throughput(text: &str) -> Result<Least, String> {
    if text == "0" {
        return Ok(Least(None));
    }
    let (bytes, time) = text.split_once('/').ok_or("a size and a time for it, such as 1MiB/30s; or 0")?;
    let (bytes, time) = (size::parse(bytes)?, duration::parse(time)?);
    Ok(Least(Some(Throughput { bytes, time }).filter(|least| least.bytes > 0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_throughput_is_a_size_and_a_time() {
        let least = |bytes, seconds| Ok(Least(Some(Throughput { bytes, time: Duration::from_secs(seconds) })));
        assert_eq!(throughput("64KiB/60s"), least(65_536, 60));
        assert_eq!(throughput("1/1m"), least(1, 60));
        assert_eq!((throughput("0"), throughput("0/1s")), (Ok(Least(None)), Ok(Least(None))));
        for text in ["", "1MiB", "1MiB/", "/1s", "1MiB/0", "1MiB/s", "-1/1s"] {
            assert!(throughput(text).is_err(), "{text}");
        }
    }

    #[test]
    fn no_time_is_no_limit() {
        assert_eq!((patience("0"), patience("2m")), (Ok(Patience(None)), Ok(Patience(Some(Duration::from_secs(120))))));
        assert!(patience("soon").is_err());
    }

    /// The defaults of the flags are those of the library, which says why.
    #[test]
    fn the_defaults_are_the_library_s() {
        let defaults = Timeouts::default();
        assert_eq!(patience("2m"), Ok(Patience(defaults.document)));
        assert_eq!(throughput("64KiB/60s"), Ok(Least(defaults.blob)));
    }
}
