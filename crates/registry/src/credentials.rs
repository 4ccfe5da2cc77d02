//! Finds the credentials for a registry where podman and docker keep them.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use crate::auth_file::{AuthFile, Form};
use crate::credential::Credential;
use crate::credential_helper;
use crate::secret::Secret;

/// Where credentials are looked for, first place first.
#[derive(Debug, Clone, Default)]
pub struct CredentialPlaces {
    /// A user and a password for the registry that a reference names, in the place of all that is found. No mirror gets them.
    given: Option<Credential>,
    /// Files with credentials.
    pub files: Vec<CredentialFile>,
    /// `PATH` for the programs `docker-credential-*`; `None` keeps the one of this process.
    pub helper_path: Option<OsString>,
}

/// One file that may hold credentials.
#[derive(Debug, Clone)]
pub struct CredentialFile {
    /// The place as a user knows it, such as `$REGISTRY_AUTH_FILE`.
    pub name: String,
    /// The file; `None` when the variable that names it is unset.
    pub path: Option<PathBuf>,
    /// True for the old `~/.dockercfg`, which is the content of `auths` alone.
    pub is_dockercfg: bool,
}

impl CredentialPlaces {
    /// The places in podman's order: `$REGISTRY_AUTH_FILE`, `auth.json` of the runtime and of the configuration
    /// directory, docker's `config.json`, `~/.dockercfg`.
    #[must_use]
    pub fn from_environment() -> CredentialPlaces {
        let home = directory("HOME");
        let below = |base: &Option<PathBuf>, path: &str| base.as_ref().map(|base| base.join(path));
        let configuration = directory("XDG_CONFIG_HOME").or_else(|| below(&home, ".config"));
        let docker = match directory("DOCKER_CONFIG") {
            Some(docker) => CredentialFile::new("$DOCKER_CONFIG/config.json", Some(docker.join("config.json"))),
            None => CredentialFile::new("~/.docker/config.json", below(&home, ".docker/config.json")),
        };
        let runtime = below(&directory("XDG_RUNTIME_DIR"), "containers/auth.json");
        let files = vec![
            CredentialFile::new("$REGISTRY_AUTH_FILE", directory("REGISTRY_AUTH_FILE")),
            CredentialFile::new("$XDG_RUNTIME_DIR/containers/auth.json", runtime),
            CredentialFile::new("$XDG_CONFIG_HOME/containers/auth.json", below(&configuration, "containers/auth.json")),
            docker,
            CredentialFile { is_dockercfg: true, ..CredentialFile::new("~/.dockercfg", below(&home, ".dockercfg")) },
        ];
        CredentialPlaces { files, ..CredentialPlaces::default() }
    }

    /// Credentials that the user has named.
    #[must_use]
    pub fn given(user: &str, password: &str) -> CredentialPlaces {
        let given = Credential::Password { user: user.to_owned(), password: Secret::new(password) };
        CredentialPlaces { given: Some(given), ..CredentialPlaces::default() }
    }

    /// Whether the user has named them.
    pub(crate) fn is_given(&self) -> bool {
        self.given.is_some()
    }

    /// Those for another place than the registry that a reference names: what is found for the place's own name.
    pub(crate) fn elsewhere(&self) -> CredentialPlaces {
        match self.given {
            Some(_) => CredentialPlaces::from_environment(),
            None => self.clone(),
        }
    }

    /// Looks for what opens `repository` at `registry`. The first place that has something wins; every place looked
    /// at is remembered.
    pub(crate) fn look_up(&self, registry: &str, repository: &str) -> Lookup {
        let mut lookup = Lookup::default();
        if let Some(given) = &self.given {
            lookup.places.push(Place { name: "the settings".to_owned(), outcome: "given".to_owned() });
            lookup.found = Some(given.clone());
            return lookup;
        }
        for file in &self.files {
            let (outcome, found) = self.look_into(file, registry, repository);
            lookup.places.push(Place { name: file.to_string(), outcome });
            if found.is_some() {
                lookup.found = found;
                break;
            }
        }
        lookup
    }

    /// What one file says: the outcome in words, and the credential if it has one.
    fn look_into(&self, file: &CredentialFile, registry: &str, repository: &str) -> (String, Option<Credential>) {
        let Some(path) = &file.path else {
            return ("unset".to_owned(), None);
        };
        let form = if file.is_dockercfg { Form::Dockercfg } else { Form::Config };
        let content = match AuthFile::read(path, form) {
            Ok(content) => content,
            Err(problem) => return (problem.to_string(), None),
        };
        let mut missed = vec!["no entry".to_owned()];
        if let Some(helper) = content.helper_of(registry) {
            match self.ask_helper("credHelpers", helper, registry) {
                Ok(credential) => return ("found by credHelpers".to_owned(), Some(credential)),
                Err(problem) => missed.push(problem),
            }
        }
        match content.entry(registry, repository) {
            Ok(Some(credential)) => return ("found in auths".to_owned(), Some(credential)),
            Ok(None) => {}
            Err(problem) => missed.push(problem),
        }
        if let Some(helper) = content.store() {
            match self.ask_helper("credsStore", helper, registry) {
                Ok(credential) => return ("found by credsStore".to_owned(), Some(credential)),
                Err(problem) => missed.push(problem),
            }
        }
        (missed.join("; "), None)
    }

    fn ask_helper(&self, setting: &str, helper: &str, registry: &str) -> Result<Credential, String> {
        credential_helper::get(helper, registry, self.helper_path.as_deref())
            .map_err(|problem| format!("{setting} '{}': {problem}", nex_text::short_name(helper)))
    }
}

impl CredentialFile {
    /// A file in the present form (`auths`, `credHelpers`, `credsStore`).
    #[must_use]
    pub fn new(name: impl Into<String>, path: Option<PathBuf>) -> CredentialFile {
        CredentialFile { name: name.into(), path, is_dockercfg: false }
    }
}

impl fmt::Display for CredentialFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            // A name that begins with ~ says the path already.
            Some(path) if self.name.starts_with('$') => write!(f, "{} ({})", self.name, path.display()),
            _ => f.write_str(&self.name),
        }
    }
}

/// A variable that holds a path. An empty value counts as unset.
fn directory(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// What looking for credentials gave.
#[derive(Debug, Default)]
pub(crate) struct Lookup {
    pub(crate) found: Option<Credential>,
    pub(crate) places: Vec<Place>,
}

/// A place that was looked at. Holds no secret, so that it can be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The place as a user knows it.
    pub name: String,
    /// What was found there, in words.
    pub outcome: String,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.outcome)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Credential, CredentialFile, CredentialPlaces, Secret};

    fn place(directory: &tempfile::TempDir, name: &str, content: &str) -> CredentialFile {
        let path = directory.path().join(name);
        fs::write(&path, content).unwrap();
        CredentialFile::new(name, Some(path))
    }

    #[test]
    fn the_first_place_with_an_entry_wins_and_all_are_remembered() {
        let directory = tempfile::tempdir().unwrap();
        let files = vec![
            CredentialFile::new("$REGISTRY_AUTH_FILE", None),
            CredentialFile::new("~/missing", Some(directory.path().join("missing"))),
            place(&directory, "broken", r#"{"auths": {"r.example": {"auth": 5, "password": "hunter2"}}}"#),
            place(&directory, "other", r#"{"auths": {"other.example": {"auth": "dTpw"}}, "credsStore": "nowhere"}"#),
            place(&directory, "good", r#"{"auths": {"r.example": {"auth": "YWxpY2U6b3BlbjpzZXNhbWU="}}}"#),
            place(&directory, "late", r#"{"auths": {"r.example": {"auth": "dTpw"}}}"#),
        ];
        let lookup = CredentialPlaces { files, helper_path: Some("".into()), given: None }.look_up("r.example", "a/b");
        let expected = Credential::Password { user: "alice".into(), password: Secret::new("open:sesame") };
        assert_eq!(lookup.found, Some(expected));
        let places: Vec<_> = lookup.places.iter().map(ToString::to_string).collect();
        assert_eq!(places.len(), 5);
        assert_eq!(places[0], "$REGISTRY_AUTH_FILE: unset");
        assert_eq!(places[1], "~/missing: no such file");
        assert!(places[2].contains("not understood"), "{}", places[2]);
        assert!(places[3].contains("docker-credential-nowhere is not on PATH"), "{}", places[3]);
        assert_eq!(places[4], "good: found in auths");
        assert!(!format!("{lookup:?}").contains("sesame") && !format!("{lookup:?}").contains("hunter2"));
    }

    #[test]
    fn the_old_dockercfg_is_read_too() {
        let directory = tempfile::tempdir().unwrap();
        let mut file = place(&directory, "dockercfg", r#"{"https://r.example/v1/": {"auth": "dTpw", "email": "x"}}"#);
        file.is_dockercfg = true;
        let lookup = CredentialPlaces { files: vec![file], ..CredentialPlaces::default() }.look_up("r.example", "a");
        assert!(matches!(lookup.found, Some(Credential::Password { user, .. }) if user == "u"));
    }
}
