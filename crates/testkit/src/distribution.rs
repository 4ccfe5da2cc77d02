//! A registry with what clients may meet there, and what they need for it: passwords, TLS, certificates of clients.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Result;
use crate::docker_registry::DockerRegistry;

/// A user that the registry knows, and the password: one with a space and a colon.
pub const USER: (&str, &str) = ("alice", "open sesame:x");

/// The line for that user in an htpasswd file; bcrypt at its cheapest.
const HTPASSWD: &str = "alice:$2b$04$suM1Ka9bMmfRV5wz6z1YY.KGMQoUhAtX2bgu7qWcoRdc9ESmOrNC.\n";

/// What the server shall do beyond serving.
#[derive(Default)]
pub struct Setup {
    /// Ask for [`USER`].
    pub with_password: bool,
    /// Serve TLS with this certificate and key.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Serve only who has a certificate of this authority, and push with those of this directory.
    pub clients: Option<(PathBuf, PathBuf)>,
}

/// A running server; ends with the value, also when a test fails.
pub struct Distribution {
    server: DockerRegistry,
    /// What a client needs.
    certificates: Option<PathBuf>,
}

impl Distribution {
    /// Starts a server on a free port of the loopback interface; `None`, with a note, when it is not installed.
    pub fn start(setup: &Setup) -> Option<Distribution> {
        for tool in ["docker-registry", "skopeo", "umoci"] {
            if Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
                eprintln!("LEFT OUT: {tool} is not installed");
                return None;
            }
        }
        let server = DockerRegistry::start(|directory| configuration(directory, setup)).expect("a registry");
        let certificates = setup.clients.as_ref().map(|(_, certificates)| certificates.clone());
        Some(Distribution { server, certificates })
    }

    /// `localhost:PORT`.
    pub fn host(&self) -> String {
        format!("localhost:{}", self.server.address().port())
    }

    /// Pushes a new image whose one layer holds a file of `bytes` bytes that do not compress. Gives the image's
    /// layout directory, made by umoci.
    pub fn push(&self, repository: &str, tag: &str, bytes: usize) -> PathBuf {
        let layout = self.server.directory().join(format!("layout-{tag}"));
        let content = self.server.directory().join("content");
        fs::create_dir_all(&content).unwrap();
        fs::write(content.join("random"), noise(bytes)).unwrap();
        let image = format!("{}:{tag}", layout.display());
        run(Command::new("umoci").arg("init").arg("--layout").arg(&layout));
        run(Command::new("umoci").args(["new", "--image", &image]));
        let insert = ["insert", "--rootless", "--image", &image];
        run(Command::new("umoci").args(insert).arg(content.join("random")).arg("/random"));
        run(Command::new("skopeo")
            .args(["copy", "--insecure-policy", "--dest-tls-verify=false"])
            .args(["--dest-creds", &format!("{}:{}", USER.0, USER.1)])
            .args(self.certificates.iter().flat_map(|place| ["--dest-cert-dir".as_ref(), place.as_os_str()]))
            .arg(format!("oci:{image}"))
            .arg(format!("docker://{}/{repository}:{tag}", self.host())));
        layout
    }
}

/// What the server is told beside its address.
fn configuration(directory: &Path, setup: &Setup) -> Result<String> {
    let mut text = String::new();
    if let Some((certificate, key)) = &setup.tls {
        let (certificate, key) = (certificate.display(), key.display());
        let clients = setup.clients.as_ref().map(|(authority, _)| format!(", clientcas: [{}]", authority.display()));
        text.push_str(&format!("  tls: {{certificate: {certificate}, key: {key}{}}}\n", clients.unwrap_or_default()));
    }
    if setup.with_password {
        let file = directory.join("htpasswd");
        fs::write(&file, HTPASSWD)?;
        text.push_str(&format!("auth: {{htpasswd: {{realm: test, path: {}}}}}\n", file.display()));
    }
    Ok(text)
}

/// Bytes that look random and are the same every time (xorshift64).
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let words = std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().take(length).collect()
}

/// Whether [`certificates`] can work; notes it when not.
pub fn has_openssl() -> bool {
    let is_there = Command::new("openssl").arg("version").output().is_ok();
    if !is_there {
        eprintln!("left out: openssl is not installed");
    }
    is_there
}

/// An authority and a certificate for `localhost` that it signed: the paths of the authority's certificate, the
/// server's certificate and its key.
pub fn certificates(directory: &Path) -> [PathBuf; 3] {
    let files = ["ca.crt", "server.crt", "server.key"].map(|name| directory.join(name));
    let [authority, certificate, key] = &files;
    let authority_key = directory.join("ca.key");
    let new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
    run(Command::new("openssl")
        .args(["req", "-x509", "-subj", "/CN=Test Authority"])
        .args(new_key)
        .arg("-keyout")
        .arg(&authority_key)
        .arg("-out")
        .arg(authority));
    run(Command::new("openssl")
        .args(["req", "-x509", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"])
        .args(new_key)
        .arg("-CA")
        .arg(authority)
        .arg("-CAkey")
        .arg(&authority_key)
        .arg("-keyout")
        .arg(key)
        .arg("-out")
        .arg(certificate));
    files
}

/// Runs a command that must succeed.
fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
