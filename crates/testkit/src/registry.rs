//! A real registry: Debian's docker-registry on a free port of the loopback address.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::failure::Context;
use crate::{Failure, Result};

/// How long the server may take to answer.
const START: Duration = Duration::from_secs(20);
/// The user that a protected registry knows.
const USER: &str = "ali";
/// That user's password.
const PASSWORD: &str = "open sesame";
/// The line of an htpasswd file for the two (bcrypt, the only kind that docker-registry reads).
const HTPASSWD: &str = "ali:$2b$05$abcdefghijklmnopqrstuupx2xBUC4954936wVIjyyPHmUBFu0wCW\n";

/// Who may read and write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// Everybody.
    Open,
    /// One user with a password, by basic authentication.
    Password,
}

/// A running registry; dropped, it ends, and its storage goes.
pub struct Registry {
    server: Child,
    address: SocketAddr,
    protection: Protection,
    // Held for its `Drop`, which deletes the storage.
    _storage: tempfile::TempDir,
}

impl Registry {
    /// Starts a registry with an empty storage, and waits until it listens.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(protection: Protection) -> Result<Self> {
        let storage = tempfile::tempdir()?;
        let address = free_address()?;
        let config = storage.path().join("config.yml");
        let users = storage.path().join("htpasswd");
        fs::write(&users, HTPASSWD)?;
        let mut text = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp: {{addr: '{address}'}}\n",
            storage.path().join("data").display()
        );
        if protection == Protection::Password {
            text.push_str(&format!("auth: {{htpasswd: {{realm: tests, path: {}}}}}\n", users.display()));
        }
        fs::write(&config, text)?;
        let mut command = Command::new("docker-registry");
        command.arg("serve").arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let server = command.spawn().context("docker-registry (scripts/setup-tests installs it)")?;
        let mut registry = Self { server, address, protection, _storage: storage };
        registry.wait()?;
        Ok(registry)
    }

    /// Host and port, as a reference has them.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// User and password, when the registry asks for them.
    pub fn credentials(&self) -> Option<(&'static str, &'static str)> {
        (self.protection == Protection::Password).then_some((USER, PASSWORD))
    }

    fn wait(&mut self) -> Result<()> {
        let begin = Instant::now();
        while begin.elapsed() < START {
            if TcpStream::connect(self.address).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.server.try_wait()? {
                return Err(Failure::new(format!("docker-registry ended at once: {status}")));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Err(Failure::new(format!("docker-registry does not listen on {} after {START:?}", self.address)))
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It is our own child, so its id cannot be another process's until `wait` has taken its end.
        let ended = self.server.kill().and_then(|()| self.server.wait());
        if let Err(error) = ended {
            eprintln!("docker-registry {}: {error}", self.server.id());
        }
    }
}

/// An address that nobody listens on at this moment.
fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}
