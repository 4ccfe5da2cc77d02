//! Mirrors of registries, other places for names, and registries that are blocked: `registries.conf` of version 2, by the rules
//! of containers-registries.conf(5).
//!
//! A table `[[registry]]` is about all references that begin with its `prefix`. They are asked for at its mirrors, one after
//! the other, and then at its `location`: what stands behind the prefix is put behind each of these.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::candidate::Candidate;
use crate::error::Error;
use crate::reference::RegistryReference;

/// Bytes of a file that are read at most.
const MAX_BYTES: u64 = 1 << 20;

/// Where mirrors are named, the less important place first. None of them has to be there.
#[derive(Debug, Clone, Default)]
pub struct MirrorPlaces {
    /// A file that the user has named in the place of all others. It must be there.
    pub named: Option<PathBuf>,
    /// Files like `/etc/containers/registries.conf`.
    pub files: Vec<PathBuf>,
    /// Directories like `/etc/containers/registries.conf.d`, with files that end in `.conf`. What they say of a prefix takes the
    /// place of all that was said of it before.
    pub directories: Vec<PathBuf>,
}

impl MirrorPlaces {
    /// The places of podman and skopeo: the file of the user or else of the machine, and the directories of both; or the
    /// file that `CONTAINERS_REGISTRIES_CONF` names alone.
    #[must_use]
    pub fn from_environment() -> MirrorPlaces {
        let variable = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        if let Some(file) = variable("CONTAINERS_REGISTRIES_CONF") {
            return MirrorPlaces { named: Some(file), ..MirrorPlaces::default() };
        }
        let own = variable("XDG_CONFIG_HOME").or_else(|| Some(variable("HOME")?.join(".config")));
        let places = [Some(PathBuf::from("/etc/containers")), own.map(|own| own.join("containers"))];
        let places: Vec<_> = places.into_iter().flatten().collect();
        let files = places.iter().map(|place| place.join("registries.conf")).filter(|file| file.exists());
        MirrorPlaces {
            named: None,
            files: files.rev().take(1).collect(),
            directories: places.iter().map(|place| place.join("registries.conf.d")).collect(),
        }
    }

    /// The mirrors of an image, in the order in which they are asked, and its own place, which is asked last.
    ///
    /// # Errors
    /// A registry that is blocked, or a file that cannot be read.
    pub fn candidates(&self, reference: &RegistryReference) -> Result<(Vec<Candidate>, Candidate), Error> {
        let name = reference.to_string();
        let Some((file, table, length)) = self.table_for(&name)? else {
            return Ok((
                Vec::new(),
                Candidate { reference: reference.clone(), is_mirror: false, is_elsewhere: false, is_insecure: false },
            ));
        };
        if table.blocked {
            return Err(Error::Blocked { name, file });
        }
        let rest = &name[length..];
        let wanted = if reference.digest.is_some() { Pull::DigestOnly } else { Pull::TagOnly };
        let mirrors = table.mirrors.iter().filter(|mirror| mirror.serves(wanted, table.mirror_by_digest_only));
        let place = |location: &str, is_mirror, is_insecure| -> Result<Candidate, Error> {
            let found = if location.is_empty() { Ok(reference.clone()) } else { placed(location, rest) };
            let found = found.map_err(|problem| unusable(&file, &problem))?;
            let is_elsewhere = found.registry != reference.registry;
            Ok(Candidate { reference: found, is_mirror, is_elsewhere, is_insecure })
        };
        let mirrors = mirrors.map(|mirror| place(&mirror.location, true, mirror.insecure)).collect::<Result<_, _>>()?;
        Ok((mirrors, place(&table.location, false, table.insecure)?))
    }

    /// The table with the longest prefix of a name: the file that it stands in, and how much of the name the prefix is.
    fn table_for(&self, name: &str) -> Result<Option<(PathBuf, Table, usize)>, Error> {
        let mut tables = BTreeMap::new();
        if let Some(named) = self.named.as_ref().filter(|named| !named.exists()) {
            return Err(unusable(named, "CONTAINERS_REGISTRIES_CONF names it, and it is not there"));
        }
        for file in self.all_files()? {
            for table in read(&file)? {
                tables.insert(table.prefix().to_owned(), (file.clone(), table));
            }
        }
        let found = tables.into_iter().filter_map(|(prefix, found)| Some((matched(name, &prefix)?, found)));
        Ok(found.max_by_key(|(length, _)| *length).map(|(length, (file, table))| (file, table, length)))
    }

    fn all_files(&self) -> Result<Vec<PathBuf>, Error> {
        let mut files: Vec<_> = self.named.iter().chain(&self.files).cloned().collect();
        for directory in &self.directories {
            let entries = match fs::read_dir(directory) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(unusable(directory, &error.to_string())),
            };
            let paths: io::Result<Vec<_>> = entries.map(|entry| Ok(entry?.path())).collect();
            let mut paths = paths.map_err(|error| unusable(directory, &error.to_string()))?;
            paths.retain(|path| path.extension().is_some_and(|extension| extension == "conf"));
            paths.sort();
            files.extend(paths);
        }
        Ok(files)
    }
}

/// What this program reads of a file.
#[derive(Deserialize)]
struct File {
    #[serde(default, rename = "registry")]
    tables: Vec<Table>,
    /// What version 1 had in the place of all.
    registries: Option<toml::Table>,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
struct Table {
    prefix: String,
    location: String,
    insecure: bool,
    blocked: bool,
    mirror_by_digest_only: bool,
    #[serde(rename = "mirror")]
    mirrors: Vec<Mirror>,
}

impl Table {
    fn prefix(&self) -> &str {
        if self.prefix.is_empty() { &self.location } else { &self.prefix }
    }
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Mirror {
    location: String,
    #[serde(default)]
    insecure: bool,
    #[serde(default)]
    pull_from_mirror: Pull,
}

impl Mirror {
    fn serves(&self, wanted: Pull, by_digest_only: bool) -> bool {
        let served = if by_digest_only { Pull::DigestOnly } else { self.pull_from_mirror };
        served == Pull::All || served == wanted
    }
}

/// Which references a mirror is asked for.
#[derive(Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Pull {
    #[default]
    All,
    DigestOnly,
    TagOnly,
}

/// The tables of a file; none where there is no file.
fn read(file: &Path) -> Result<Vec<Table>, Error> {
    let content = match nex_file::read_regular_within(file, MAX_BYTES) {
        Ok(content) => content.ok_or_else(|| unusable(file, "it has more than 1 MiB"))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unusable(file, &error.to_string())),
    };
    let content = String::from_utf8(content).map_err(|_| unusable(file, "it is not UTF-8"))?;
    let content: File = toml::from_str(&content).map_err(|error| unusable(file, &of_toml(&content, &error)))?;
    if content.registries.is_some() {
        return Err(unusable(
            file,
            "[registries] is of version 1, which other tools refuse too; write [[registry]] tables",
        ));
    }
    match content.tables.iter().find(|table| table.prefix().is_empty()) {
        Some(_) => Err(unusable(file, "a [[registry]] has neither a prefix nor a location")),
        None => Ok(content.tables),
    }
}

/// What is wrong with a file, and where.
fn of_toml(content: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| content.get(..span.start)).unwrap_or_default();
    format!("line {}: {}", before.matches('\n').count() + 1, nex_text::excerpt(error.message()))
}

/// How many bytes of a name a prefix is; `None` where the name does not begin with it. `*.example.com` is each name below.
fn matched(name: &str, prefix: &str) -> Option<usize> {
    let ends = |length: usize| matches!(name.as_bytes().get(length), None | Some(b'/' | b':' | b'@'));
    match prefix.strip_prefix('*') {
        None => (name.starts_with(prefix) && ends(prefix.len())).then_some(prefix.len()),
        Some(domain) => {
            let host = name.split(['/', ':']).next().unwrap_or_default();
            let rest = domain.find(['/', ':']).map_or("", |at| &domain[at..]);
            let is_below =
                host.len() > domain.len() - rest.len() && host.ends_with(&domain[..domain.len() - rest.len()]);
            let length = host.len() + rest.len();
            (is_below && name[host.len()..].starts_with(rest) && ends(length)).then_some(length)
        }
    }
}

/// The reference with a location in the place of its prefix.
fn placed(location: &str, rest: &str) -> Result<RegistryReference, String> {
    let shown = shown(location);
    let location = location.trim_end_matches('/');
    let reference: RegistryReference =
        format!("{location}{rest}").parse().map_err(|error| format!("{shown}: {error}"))?;
    // A name without a host would be one of Docker Hub's.
    let host = location.split('/').next().unwrap_or_default().to_ascii_lowercase();
    if reference.registry == host { Ok(reference) } else { Err(format!("the location {shown} begins with no host")) }
}

/// A location for a message: without what may be secret in an address, which none should be.
fn shown(location: &str) -> String {
    const SCHEME: &str = "https://";
    match location.contains("://") {
        true => nex_text::url(location),
        false => nex_text::url(format!("{SCHEME}{location}")).split_off(SCHEME.len()),
    }
}

fn unusable(path: &Path, reason: &str) -> Error {
    Error::Mirrors { path: path.to_owned(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(text: &str) -> (tempfile::TempDir, MirrorPlaces) {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("registries.conf");
        fs::write(&file, text).unwrap();
        let drop_ins = directory.path().join("registries.conf.d");
        (directory, MirrorPlaces { named: None, files: vec![file], directories: vec![drop_ins] })
    }

    /// The names that are asked for, mirrors with an `m` in front, insecure ones with an `i`.
    fn asked(places: &MirrorPlaces, name: &str) -> Result<Vec<String>, Error> {
        let mark = |is: bool, mark: &str| if is { mark.to_owned() } else { String::new() };
        let shown = |found: &Candidate| {
            format!("{}{}{}", mark(found.is_mirror, "m "), mark(found.is_insecure, "i "), found.reference)
        };
        let (mirrors, own) = places.candidates(&name.parse().unwrap())?;
        Ok(mirrors.iter().chain([&own]).map(shown).collect())
    }

    const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn a_location_that_is_refused_is_shown_without_its_user() {
        for location in ["user:sesame@mirror.example/x", "https://user:sesame@mirror.example/x?token=sesame"] {
            let refused = placed(location, "/a:1").expect_err("it is refused");
            assert!(refused.contains("mirror.example") && !refused.contains("sesame"), "{refused}");
        }
    }

    #[test]
    fn mirrors_come_first_and_keep_what_is_behind_the_prefix() {
        let (_directory, places) = places(
            r#"
            unqualified-search-registries = ["docker.io"]
            [[registry]]
            location = "docker.io"
            [[registry.mirror]]
            location = "mirror.example:5000/hub"
            insecure = true
            [[registry.mirror]]
            location = "by-digest.example"
            pull-from-mirror = "digest-only"
            [[registry]]
            prefix = "a.example/team"
            location = "b.example/other/"
            [[registry]]
            prefix = "*.wild.example"
            [[registry.mirror]]
            location = "c.example/wild"
            [[registry]]
            prefix = "a.example/team/app:1"
            location = "d.example/one:2"
            "#,
        );
        let asked = |name: &str| asked(&places, name).unwrap();
        assert_eq!(
            asked("alpine"),
            ["m i mirror.example:5000/hub/library/alpine:latest", "docker.io/library/alpine:latest"]
        );
        assert_eq!(asked(&format!("alpine@{DIGEST}"))[1], format!("m by-digest.example/library/alpine@{DIGEST}"));
        assert_eq!(asked("a.example/team/app:3"), ["b.example/other/app:3"]);
        assert_eq!(asked("a.example/team/app:1"), ["d.example/one:2"], "the longest prefix counts");
        assert_eq!(asked("a.example/teams/app:3"), ["a.example/teams/app:3"], "no prefix ends in a word");
        assert_eq!(asked("x.y.wild.example/a"), ["m c.example/wild/a:latest", "x.y.wild.example/a:latest"]);
        assert_eq!(asked("wild.example/a"), ["wild.example/a:latest"]);
        assert_eq!(asked("e.example/a"), ["e.example/a:latest"]);
    }

    #[test]
    fn a_later_file_replaces_what_was_said_of_a_prefix() {
        let (directory, places) =
            places("[[registry]]\nlocation = 'a.example'\n[[registry.mirror]]\nlocation = 'm.example'\n");
        let drop_ins = directory.path().join("registries.conf.d");
        fs::create_dir(&drop_ins).unwrap();
        fs::write(drop_ins.join("ignored"), "nonsense").unwrap();
        assert_eq!(asked(&places, "a.example/x").unwrap().len(), 2);
        fs::write(drop_ins.join("50.conf"), "[[registry]]\nlocation = 'a.example'\nblocked = true\n").unwrap();
        let error = asked(&places, "a.example/x").unwrap_err().to_string();
        assert!(error.contains("a.example/x:latest is blocked") && error.contains("50.conf"), "{error}");
        assert_eq!(asked(&places, "b.example/x").unwrap().len(), 1);
    }

    #[test]
    fn a_file_that_is_wrong_is_named_with_what_is_wrong() {
        for (text, reason) in [
            ("[[registry]]\nlocation = 5\n", "invalid type"),
            ("[[registry", "line 1"),
            ("[[registry]]\ninsecure = true\n", "neither a prefix nor a location"),
            ("[registries.search]\nregistries = []\n", "version 1"),
            ("[[registry]]\nlocation = 'a.example'\n[[registry.mirror]]\nlocation = 'https://m'\n", "https://m"),
            ("[[registry]]\nlocation = 'a.example'\n[[registry.mirror]]\nlocation = 'm/x'\n", "begins with no host"),
            (
                "[[registry]]\nlocation = 'a.example'\n[[registry.mirror]]\nlocation = 'm.example'\npull-from-mirror = 'no'\n",
                "unknown variant",
            ),
        ] {
            let (_directory, places) = places(text);
            let error = asked(&places, "a.example/x").unwrap_err().to_string();
            assert!(error.contains(reason) && error.contains("registries.conf"), "{error}");
        }
        let file = || PathBuf::from("/nowhere/registries.conf");
        let nothing = MirrorPlaces { named: None, files: vec![file()], directories: vec!["/nowhere".into()] };
        let named = MirrorPlaces { named: Some(file()), ..MirrorPlaces::default() };
        assert!(asked(&named, "a.example/x").unwrap_err().to_string().contains("it is not there"));
        assert_eq!(asked(&nothing, "a.example/x").unwrap(), ["a.example/x:latest"]);
    }
}
