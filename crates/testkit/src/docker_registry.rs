//! Debian's `docker-registry` (the distribution project's server), started for one test on a free port of the loopback address.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::failure::Context;
use crate::{Failure, Result};

/// How long the server may take to answer.
const START: Duration = Duration::from_secs(20);

/// A running server with a storage of its own; ends with the value, also when a test fails.
pub struct DockerRegistry {
    child: Child,
    address: SocketAddr,
    directory: TempDir,
}

impl DockerRegistry {
    /// Starts one with an empty storage, and waits until it listens. `more` gives the configuration behind the address, where the section
    /// `http` still goes on; it may write files into the directory that it gets.
    ///
    /// # Errors
    /// When the server is not installed, or does not start.
    pub fn start(more: impl FnOnce(&Path) -> Result<String>) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let (place, log) = (directory.path(), directory.path().join("log"));
        // Nobody listens there at this moment.
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let storage = place.join("storage");
        let configuration = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp:\n  addr: '{address}'\n{}",
            storage.display(),
            more(place)?
        );
        let file = place.join("config.yml");
        fs::write(&file, configuration)?;
        let mut server = Command::new("docker-registry");
        server.arg("serve").arg(file).env("OTEL_TRACES_EXPORTER", "none");
        server.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&log)?);
        let child = server.spawn().context("docker-registry (scripts/setup-tests installs it)")?;
        let mut server = Self { child, address, directory };
        server.wait(&log)?;
        Ok(server)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A directory that goes with it.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    fn wait(&mut self, log: &Path) -> Result<()> {
        let begin = Instant::now();
        let said = || fs::read_to_string(log).unwrap_or_default();
        while TcpStream::connect(self.address).is_err() {
            if let Some(status) = self.child.try_wait()? {
                return Err(Failure::new(format!("docker-registry ended at once ({status}):\n{}", said())));
            }
            if begin.elapsed() > START {
                let address = self.address;
                return Err(Failure::new(format!(
                    "docker-registry does not listen on {address} after {START:?}:\n{}",
                    said()
                )));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

impl Drop for DockerRegistry {
    fn drop(&mut self) {
        // It is our own child, so its id cannot be another process's until `wait` has taken its end.
        let ended = self.child.kill().and_then(|()| self.child.wait());
        if let Err(error) = ended {
            eprintln!("docker-registry {}: {error}", self.child.id());
        }
    }
}
