//! The protocol of docker's credential helpers: `docker-credential-NAME get`, the registry on its standard input, the
//! answer as JSON on its standard output.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nex_text::excerpt;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::Deserialize;

use crate::auth_file::DOCKER_HUB_KEY;
use crate::credential::Credential;
use crate::secret::Secret;

/// Bytes of an answer that are read at most.
const MAX_ANSWER: u64 = 1 << 20;

/// How long a helper may take. Some ask the user to unlock a key ring.
const PATIENCE: Duration = Duration::from_secs(60);

/// The user name by which a helper says that the secret is an identity token.
const TOKEN_USER: &str = "<token>";

/// What a helper prints when it has nothing.
const NOT_FOUND: &str = "credentials not found";

/// Why a helper gave nothing. The messages hold nothing that a successful helper printed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HelperError {
    #[error("not a helper's name")]
    Name,
    #[error("docker-credential-{0} is not on PATH")]
    Missing(String),
    #[error("docker-credential-{name} could not be run: {source}")]
    Run { name: String, source: io::Error },
    #[error("docker-credential-{name} did not answer and end within {} s", patience.as_secs())]
    Slow { name: String, patience: Duration },
    #[error("docker-credential-{0} has no entry")]
    NoEntry(String),
    #[error("docker-credential-{name} failed: {said}")]
    Failed { name: String, said: String },
    #[error("docker-credential-{0} gave an answer that is not understood")]
    Answer(String),
}

/// The answer of a helper.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// Asks the helper `name` for the registry's credential. `path` replaces `PATH` when given.
pub(crate) fn get(name: &str, registry: &str, path: Option<&OsStr>) -> Result<Credential, HelperError> {
    get_within(PATIENCE, name, registry, path)
}

fn get_within(patience: Duration, name: &str, registry: &str, path: Option<&OsStr>) -> Result<Credential, HelperError> {
    // The name comes from a file and becomes a program's: it must not lead to another directory.
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if name.is_empty() || !name.chars().all(is_plain) {
        return Err(HelperError::Name);
    }
    let (success, output) = run(patience, name, registry, path)?;
    if !success {
        let said = String::from_utf8_lossy(&output);
        return Err(if said.to_ascii_lowercase().contains(NOT_FOUND) {
            HelperError::NoEntry(name.to_owned())
        } else {
            HelperError::Failed { name: name.to_owned(), said: excerpt(&output) }
        });
    }
    let answer: Answer = serde_json::from_slice(&output).map_err(|_| HelperError::Answer(name.to_owned()))?;
    let secret = Secret::new(answer.secret);
    Ok(if answer.username == TOKEN_USER {
        Credential::IdentityToken(secret)
    } else {
        Credential::Password { user: answer.username, password: secret }
    })
}

/// Runs the helper; gives whether it succeeded, and its output.
fn run(patience: Duration, name: &str, registry: &str, path: Option<&OsStr>) -> Result<(bool, Vec<u8>), HelperError> {
    let end = Instant::now() + patience;
    let failed = |source: io::Error| HelperError::Run { name: name.to_owned(), source };
    let mut child = spawn(name, path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => HelperError::Missing(name.to_owned()),
        _ => failed(source),
    })?;
    let key = if registry == "docker.io" { DOCKER_HUB_KEY } else { registry };
    if let Some(mut input) = child.stdin.take() {
        // A helper that does not read its input says by its exit code what is wrong.
        let _ = input.write_all(key.as_bytes());
    }
    // One that has closed its output may still go on for ever.
    let output = read_output(&mut child, end);
    if output.is_none() || !has_ended(&child, end).map_err(failed)? {
        let _ = child.kill();
        let _ = child.wait();
        return Err(HelperError::Slow { name: name.to_owned(), patience });
    }
    let output = output.unwrap_or_else(|| Ok(Vec::new())).map_err(failed);
    let status = child.wait().map_err(failed)?;
    Ok((status.success(), output?))
}

fn spawn(name: &str, path: Option<&OsStr>) -> io::Result<Child> {
    let mut command = Command::new(format!("docker-credential-{name}"));
    command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    if let Some(path) = path {
        command.env("PATH", path);
    }
    command.spawn()
}

/// Waits for the child to end; false when it takes too long.
fn has_ended(child: &Child, end: Instant) -> io::Result<bool> {
    let process = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    loop {
        let left = Timespec::try_from(end.saturating_duration_since(Instant::now())).map_err(io::Error::other)?;
        match poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&left)) {
            Err(Errno::INTR) => {}
            ended => return Ok(ended? > 0),
        }
    }
}

/// Everything that the child prints; `None` when it takes too long.
fn read_output(child: &mut Child, end: Instant) -> Option<io::Result<Vec<u8>>> {
    let output = child.stdout.take()?;
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let result = output.take(MAX_ANSWER).read_to_end(&mut bytes).map(|_| bytes);
        // The receiver is gone when the helper was too slow; nobody wants the answer then.
        let _ = sender.send(result);
    });
    receiver.recv_timeout(end.saturating_duration_since(Instant::now())).ok()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::{Credential, HelperError, PATIENCE, get, get_within};

    /// Asks a helper that is this shell script.
    fn ask(script: &str, registry: &str) -> Result<Credential, HelperError> {
        ask_within(PATIENCE, script, registry)
    }

    fn ask_within(patience: Duration, script: &str, registry: &str) -> Result<Credential, HelperError> {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("docker-credential-test");
        nex_testkit::program::write(program, format!("#!/bin/sh\n{script}\n")).unwrap();
        let mut path = directory.path().as_os_str().to_owned();
        path.push(":/usr/bin:/bin");
        get_within(patience, "test", registry, Some(&path))
    }

    #[test]
    fn the_registry_goes_in_and_the_password_comes_out() {
        let script = r#"test "$1" = get && printf '{"ServerURL":"x","Username":"u","Secret":"%s"}' "$(cat)""#;
        let Ok(Credential::Password { user, password }) = ask(script, "r.example:5000") else { panic!() };
        assert_eq!((user.as_str(), password.reveal()), ("u", "r.example:5000"));
        let Ok(Credential::Password { password, .. }) = ask(script, "docker.io") else { panic!() };
        assert_eq!(password.reveal(), "https://index.docker.io/v1/");
    }

    #[test]
    fn the_user_token_means_an_identity_token() {
        let credential = ask(r#"echo '{"Username":"<token>","Secret":"t"}'"#, "r.example").unwrap();
        assert!(matches!(credential, Credential::IdentityToken(token) if token.reveal() == "t"));
    }

    #[test]
    fn nothing_found_is_told_from_a_failure() {
        let missing = ask("echo 'credentials not found in native keychain'; exit 1", "r.example");
        assert!(matches!(missing, Err(HelperError::NoEntry(_))));
        let failed = ask("printf 'key ring \\033[2Jlocked'; exit 1", "r.example").unwrap_err().to_string();
        assert!(failed.contains(r"key ring \u{1b}[2Jlocked"), "{failed}");
        assert!(matches!(ask("echo hello", "r.example"), Err(HelperError::Answer(_))));
    }

    #[test]
    fn a_helper_that_hangs_is_cut_off() {
        let answer = r#"echo '{"Username":"u","Secret":"s"}'"#;
        for hanging in
            ["exec sleep 60".to_owned(), format!("{answer}; exec sleep 60 >&-"), "exec sleep 60 >&-".to_owned()]
        {
            let start = Instant::now();
            let slow = ask_within(Duration::from_millis(500), &hanging, "r.example");
            assert!(matches!(slow, Err(HelperError::Slow { .. })), "{hanging}");
            assert!(start.elapsed() < Duration::from_secs(30), "{hanging}");
        }
        assert!(ask_within(Duration::from_secs(60), &format!("{answer}; exec >&-; sleep 0.2"), "r.example").is_ok());
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        assert!(matches!(get("../evil", "r.example", None), Err(HelperError::Name)));
        assert!(matches!(get("surely-not-installed", "r.example", None), Err(HelperError::Missing(_))));
    }
}
