//! The files that `docker login` and `podman login` write.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;

use crate::credential::Credential;
use crate::secret::Secret;

/// Bytes of a file that are read at most.
const MAX_BYTES: u64 = 1 << 20;

/// The name under which docker keeps the credentials of Docker Hub.
pub(crate) const DOCKER_HUB_KEY: &str = "https://index.docker.io/v1/";

/// Docker Hub's names for itself. Credentials kept under one serve all.
const DOCKER_HUB_NAMES: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];

/// Which of the two forms a file has.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Form {
    /// `config.json` and `auth.json`.
    Config,
    /// `.dockercfg`: what stands in `auths` today.
    Dockercfg,
}

/// The settings of a file that concern credentials.
#[derive(Deserialize)]
pub(crate) struct AuthFile {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default, rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
    #[serde(default, rename = "credsStore")]
    store: Option<String>,
}

/// One registry's or namespace's credentials.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

/// Why a file says nothing. The messages hold nothing of the content, which is secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("no such file")]
    Missing,
    #[error("cannot be read: {0}")]
    Io(io::Error),
    #[error("larger than {MAX_BYTES} bytes")]
    TooLarge,
    #[error("not understood (line {line}, column {column}: not the JSON expected)")]
    Json { line: usize, column: usize },
}

impl AuthFile {
    /// Reads a file.
    pub(crate) fn read(path: &Path, form: Form) -> Result<AuthFile, Unreadable> {
        let content = nex_file::read_given_within(path, MAX_BYTES).map_err(Unreadable::from)?;
        let mut content = content.ok_or(Unreadable::TooLarge)?;
        // An empty file is what `podman login` and some CI set-ups leave behind.
        if content.trim_ascii().is_empty() {
            content = b"{}".to_vec();
        }
        AuthFile::parse(&content, form)
    }

    fn parse(content: &[u8], form: Form) -> Result<AuthFile, Unreadable> {
        let parsed = match form {
            Form::Config => serde_json::from_slice(content),
            Form::Dockercfg => {
                serde_json::from_slice(content).map(|auths| AuthFile { auths, helpers: BTreeMap::new(), store: None })
            }
        };
        parsed.map_err(|error| Unreadable::Json { line: error.line(), column: error.column() })
    }

    /// The helper program's name for one registry.
    pub(crate) fn helper_of(&self, registry: &str) -> Option<&str> {
        aliases(registry).iter().find_map(|name| self.helpers.get(*name)).map(String::as_str)
    }

    /// The helper program's name for every registry.
    pub(crate) fn store(&self) -> Option<&str> {
        self.store.as_deref().filter(|name| !name.is_empty())
    }

    /// The entry that fits best: the longest namespace first, the registry alone last.
    pub(crate) fn entry(&self, registry: &str, repository: &str) -> Result<Option<Credential>, String> {
        for name in aliases(registry) {
            for key in namespaces(name, repository) {
                let entry = self.auths.iter().find(|(candidate, _)| bare_key(candidate) == key);
                if let Some(credential) = entry.map(|(_, entry)| entry.credential()).transpose()?.flatten() {
                    return Ok(Some(credential));
                }
            }
        }
        Ok(None)
    }
}

impl Entry {
    /// The credential in an entry; `None` when it only marks that a store has it.
    fn credential(&self) -> Result<Option<Credential>, String> {
        let given = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        if let Some(token) = given(&self.identitytoken) {
            return Ok(Some(Credential::IdentityToken(Secret::new(token))));
        }
        if let Some(token) = given(&self.registrytoken) {
            return Ok(Some(Credential::RegistryToken(Secret::new(token))));
        }
        if let Some(auth) = given(&self.auth) {
            return decode(&auth).map(Some).ok_or_else(|| "an auth value is not user:password in base64".to_owned());
        }
        let pair = given(&self.username).zip(given(&self.password));
        Ok(pair.map(|(user, password)| Credential::Password { user, password: Secret::new(password) }))
    }
}

/// `auth` is `user:password` in base64; docker ends some passwords with NUL characters.
fn decode(auth: &str) -> Option<Credential> {
    let text = String::from_utf8(BASE64.decode(auth.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    let password = Secret::new(password.trim_end_matches('\0'));
    (!user.is_empty()).then(|| Credential::Password { user: user.to_owned(), password })
}

/// The names under which one registry's credentials may be kept.
fn aliases(registry: &str) -> Vec<&str> {
    if DOCKER_HUB_NAMES.contains(&registry) {
        [&[DOCKER_HUB_KEY][..], &DOCKER_HUB_NAMES[..]].concat()
    } else {
        vec![registry]
    }
}

/// `r.example/a/b`, `r.example/a`, `r.example` for the repository `a/b`.
fn namespaces(registry: &str, repository: &str) -> Vec<String> {
    let full = format!("{}/{repository}", bare_key(registry));
    let ends = full.match_indices('/').map(|(at, _)| at).chain([full.len()]);
    let mut keys: Vec<String> = ends.map(|end| full[..end].to_owned()).collect();
    keys.reverse();
    keys
}

/// A key without its scheme, and without the `/v1/` or `/v2/` that old docker versions wrote.
fn bare_key(key: &str) -> &str {
    let key = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    let key = key.trim_end_matches('/');
    key.strip_suffix("/v1").or_else(|| key.strip_suffix("/v2")).unwrap_or(key)
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Unreadable {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Unreadable::Missing,
            _ => Unreadable::Io(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AuthFile, Credential, Form};

    /// The user of the entry that is chosen.
    fn user(json: &str, registry: &str, repository: &str) -> Option<String> {
        let file = AuthFile::parse(json.as_bytes(), Form::Config).ok()?;
        match file.entry(registry, repository).unwrap() {
            Some(Credential::Password { user, .. }) => Some(user),
            _ => None,
        }
    }

    #[test]
    fn the_longest_namespace_wins() {
        let json = r#"{"auths": {
            "r.example": {"username": "host", "password": "p"},
            "r.example/a": {"username": "team", "password": "p"},
            "r.example/a/b": {"username": "repository", "password": "p"}}}"#;
        assert_eq!(user(json, "r.example", "a/b").as_deref(), Some("repository"));
        assert_eq!(user(json, "r.example", "a/other").as_deref(), Some("team"));
        assert_eq!(user(json, "r.example", "ab").as_deref(), Some("host"));
        assert_eq!(user(json, "r.example:5000", "a/b"), None);
    }

    #[test]
    fn docker_hub_is_found_under_all_its_names() {
        for key in ["https://index.docker.io/v1/", "docker.io", "index.docker.io", "docker.io/library"] {
            let json = format!(r#"{{"auths": {{"{key}": {{"username": "u", "password": "p"}}}}}}"#);
            assert_eq!(user(&json, "docker.io", "library/alpine").as_deref(), Some("u"), "{key}");
        }
    }

    #[test]
    fn a_registry_with_a_scheme_and_an_api_version_is_recognised() {
        let json = r#"{"auths": {"https://r.example:5000/v2/": {"username": "u", "password": "p"}}}"#;
        assert_eq!(user(json, "r.example:5000", "a").as_deref(), Some("u"));
    }

    #[test]
    fn empty_entries_leave_the_question_to_the_store() {
        let json = r#"{"auths": {"r.example": {}}, "credsStore": "desktop"}"#;
        let file = AuthFile::parse(json.as_bytes(), Form::Config).ok().unwrap();
        assert_eq!(file.entry("r.example", "a"), Ok(None));
        assert_eq!(file.store(), Some("desktop"));
    }

    #[test]
    fn tokens_are_told_from_passwords() {
        let json =
            r#"{"auths": {"r.example": {"auth": "dTpw", "identitytoken": "t"}, "q.example": {"registrytoken": "t"}}}"#;
        let file = AuthFile::parse(json.as_bytes(), Form::Config).ok().unwrap();
        assert!(matches!(file.entry("r.example", "a"), Ok(Some(Credential::IdentityToken(_)))));
        assert!(matches!(file.entry("q.example", "a"), Ok(Some(Credential::RegistryToken(_)))));
    }

    #[test]
    fn a_wrong_auth_value_is_not_repeated() {
        let json = r#"{"auths": {"r.example": {"auth": "hunter2!"}}}"#;
        let file = AuthFile::parse(json.as_bytes(), Form::Config).ok().unwrap();
        let message = file.entry("r.example", "a").unwrap_err();
        assert!(!message.contains("hunter2"), "{message}");
    }
}
