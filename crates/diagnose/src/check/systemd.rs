//! What systemd would start, by its units and the links that enable them; see systemd.unit(5).

use nex_inspect::{View, exists};

use super::service::{Service, is_agent};
use super::text::{lines, shown};
use super::{AGENT, Findings};
use crate::rules;

/// Where units are, the first directory that has one winning.
const DIRECTORIES: [&[u8]; 4] =
    [b"/etc/systemd/system", b"/usr/local/lib/systemd/system", b"/usr/lib/systemd/system", b"/lib/systemd/system"];

/// What a masked unit leads to.
const NOTHING: &[u8] = b"/dev/null";

/// Characters in front of a command that change how it is run.
const PREFIXES: &[u8] = b"@-:+!|";

/// The unit of this name: its path, and its lines.
fn unit(view: &dyn View, name: &[u8]) -> Option<(Vec<u8>, Vec<Vec<u8>>)> {
    let paths = DIRECTORIES.into_iter().map(|directory| join(directory, name));
    let path = paths.into_iter().find(|path| view.lstat(path).is_some())?;
    let is_masked = view.read_link(&path).is_some_and(|target| target == NOTHING);
    (!is_masked && exists(view, &path)).then(|| (path.clone(), lines(view, &path)))
}

/// Whether a unit is masked.
pub(super) fn is_masked(view: &dyn View, name: &[u8]) -> bool {
    view.read_link(&join(DIRECTORIES[0], name)).is_some_and(|target| target == NOTHING)
}

/// Whether systemd has a unit of this name.
pub(super) fn has_unit(view: &dyn View, name: &[u8]) -> bool {
    unit(view, name).is_some()
}

/// Whether one of systemd's own programs is there.
pub(super) fn has_program(view: &dyn View, name: &str) -> bool {
    ["/usr/lib/systemd", "/lib/systemd"].iter().any(|directory| exists(view, format!("{directory}/{name}").as_bytes()))
}

/// The names of the units that links enable.
pub(super) fn enabled(view: &dyn View) -> Vec<Vec<u8>> {
    let mut names = Vec::new();
    for directory in DIRECTORIES {
        let is_wants = |name: &[u8]| name.ends_with(b".wants") || name.ends_with(b".requires");
        for wants in asked(view, view.list_matching(directory, &is_wants).unwrap_or_default()) {
            names.extend(view.list(&join(directory, &wants)).unwrap_or_default());
        }
    }
    names.sort();
    names.dedup();
    names
}

/// The service that starts the agent, or why there is none.
pub(super) fn agent(view: &dyn View) -> Result<Service, String> {
    let find = |names| {
        let mut units = asked(view, names).filter_map(|name| unit(view, &name));
        units.find_map(|unit| service(view, unit))
    };
    if let Some(service) = find(enabled(view)) {
        return Ok(service);
    }
    let services = view.list_matching(DIRECTORIES[0], &|name| name.ends_with(b".service"));
    let idle = find(services.unwrap_or_default());
    Err(match idle {
        Some(idle) => format!("{} starts {}, and no link enables it", shown(&idle.file), shown(AGENT)),
        None => format!("no enabled unit of systemd starts {}", shown(AGENT)),
    })
}

/// The unit as a service, if it starts the agent.
fn service(view: &dyn View, (file, lines): (Vec<u8>, Vec<Vec<u8>>)) -> Option<Service> {
    let value = |key: &[u8]| lines.iter().rev().find_map(|line| value(line, key)).filter(|value| !value.is_empty());
    let mut commands = lines.iter().filter_map(|line| value_of_exec(line));
    commands.find(|command| is_agent(view, command))?;
    Some(Service { user: value(b"User").map(<[u8]>::to_vec), group: value(b"Group").map(<[u8]>::to_vec), file })
}

fn value<'a>(line: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    Some(line.strip_prefix(key)?.trim_ascii_start().strip_prefix(b"=")?.trim_ascii())
}

/// The program of a line `ExecStart=`.
fn value_of_exec(line: &[u8]) -> Option<&[u8]> {
    let mut command = value(line, b"ExecStart")?;
    while let Some((first, rest)) = command.split_first().filter(|(first, _)| PREFIXES.contains(first)) {
        _ = first;
        command = rest;
    }
    command.split(u8::is_ascii_whitespace).next()
}

/// Reports a boot without an aim.
pub(super) fn check_target(view: &dyn View, findings: &mut Findings) {
    if !has_unit(view, b"default.target") {
        let evidence = "default.target is in none of systemd's directories, or leads nowhere";
        let remedy = "link it: ln -s /lib/systemd/system/multi-user.target /etc/systemd/system/default.target";
        findings.report(&rules::SYSTEMD_TARGET, evidence, remedy);
    }
}

/// The names, as long as anything is found by them.
fn asked(view: &dyn View, names: Vec<Vec<u8>>) -> impl Iterator<Item = Vec<u8>> {
    names.into_iter().take_while(|_| !view.is_spent())
}

fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    [directory, b"/", name].concat()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io;

    use nex_inspect::Stat;

    use super::*;

    /// A directory of units in which nothing is found after so many questions.
    struct Units {
        asked: Cell<u64>,
        most: u64,
    }

    impl View for Units {
        fn stat(&self, _: &[u8]) -> Option<Stat> {
            None
        }

        fn lstat(&self, _: &[u8]) -> Option<Stat> {
            self.asked.set(self.asked.get() + 1);
            None
        }

        fn read_link(&self, _: &[u8]) -> Option<Vec<u8>> {
            None
        }

        fn read(&self, _: &[u8], _: u64) -> io::Result<Option<Vec<u8>>> {
            Ok(None)
        }

        fn list_matching(&self, path: &[u8], is_wanted: &dyn Fn(&[u8]) -> bool) -> Option<Vec<Vec<u8>>> {
            let names = (0..1000).map(|number| format!("{number}.service").into_bytes());
            (path == DIRECTORIES[0]).then(|| names.filter(|name| is_wanted(name)).collect())
        }

        fn is_spent(&self) -> bool {
            self.asked.get() >= self.most
        }
    }

    #[test]
    fn units_are_looked_for_as_long_as_anything_is_found() {
        for (most, asked) in [(u64::MAX, 4000), (100, 100), (0, 0)] {
            let units = Units { asked: Cell::new(0), most };
            assert!(agent(&units).is_err());
            assert_eq!(units.asked.get(), asked);
        }
    }
}
