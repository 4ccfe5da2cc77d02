//! A real registry, as those who pull and push find one: open, or with a password.

use std::fs;
use std::net::SocketAddr;

use crate::Result;
use crate::docker_registry::DockerRegistry;

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
    server: DockerRegistry,
    protection: Protection,
}

impl Registry {
    /// Starts a registry with an empty storage, and waits until it listens.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(protection: Protection) -> Result<Self> {
        let server = DockerRegistry::start(|directory| match protection {
            Protection::Open => Ok(String::new()),
            Protection::Password => {
                let users = directory.join("htpasswd");
                fs::write(&users, HTPASSWD)?;
                Ok(format!("auth: {{htpasswd: {{realm: tests, path: {}}}}}\n", users.display()))
            }
        })?;
        Ok(Self { server, protection })
    }

    /// Host and port, as a reference has them.
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// User and password, when the registry asks for them.
    pub fn credentials(&self) -> Option<(&'static str, &'static str)> {
        (self.protection == Protection::Password).then_some((USER, PASSWORD))
    }
}
