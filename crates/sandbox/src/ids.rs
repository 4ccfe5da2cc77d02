//! Which ids of the host stand for those of the tree.
//!
//! None of them is an id that anybody uses: a script that gets out of its world owns nothing and may signal nobody.
//! Only a caller without subordinate ids has but his own to give.

use std::io;
use std::process::Command;

use crate::error::Error;

/// Where root takes ids from: above what distributions, containers and directory services give away.
const ROOT_FIRST: u32 = 0x6000_0000;

/// How many; 28 bits, so that images with the ids of a directory service work too.
const ROOT_COUNT: u32 = 0x1000_0000;

/// The most extents that `/proc/PID/uid_map` takes (`UID_GID_MAP_MAX_EXTENTS`).
const MAX_EXTENTS: usize = 340;

/// The ids of a user namespace. Inside, they count from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids {
    users: Vec<Extent>,
    groups: Vec<Extent>,
    writer: Writer,
}

/// Consecutive ids of the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Extent {
    first: u32,
    count: u32,
}

/// Who may write the maps.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Writer {
    /// The caller, who is root.
    Root,
    /// The setuid programs newuidmap and newgidmap.
    Tools,
    /// The caller, for his own id alone. The reason why there are no others.
    Single(String),
}

impl Ids {
    /// What the caller may give away.
    pub fn choose() -> Self {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        if uid == 0 {
            return Self::of_root();
        }
        let single = |why: String| {
            let own = |first| vec![Extent { first, count: 1 }];
            Self { users: own(uid), groups: own(gid), writer: Writer::Single(why) }
        };
        let name = user_name(&read("/etc/passwd"), uid);
        let users = subordinate(&read("/etc/subuid"), uid, name.as_deref());
        let groups = subordinate(&read("/etc/subgid"), uid, name.as_deref());
        if users.is_empty() || groups.is_empty() {
            let file = if users.is_empty() { "/etc/subuid" } else { "/etc/subgid" };
            let name = name.unwrap_or_else(|| uid.to_string());
            return single(format!(
                "{file} gives '{name}' no subordinate ids; have root run 'usermod --add-subuids 100000-165535 \
                 --add-subgids 100000-165535 {name}' with numbers that nobody else has"
            ));
        }
        if let Some(missing) = ["newuidmap", "newgidmap"].into_iter().find(|tool| !is_installed(tool)) {
            return single(format!("{missing} is not installed; it comes with the package uidmap or shadow-utils"));
        }
        Self { users, groups, writer: Writer::Tools }
    }

    /// A range of its own. Root of a container may not have it, and gives what he has.
    fn of_root() -> Self {
        let extents = |map: &str| {
            let reach = map.lines().filter_map(MapLine::parse).collect::<Vec<_>>();
            let wanted = Extent { first: ROOT_FIRST, count: ROOT_COUNT };
            let has =
                |line: &MapLine| line.first <= wanted.first && line.end() >= u64::from(wanted.first + wanted.count);
            if reach.iter().any(has) {
                return vec![wanted];
            }
            let count = reach.iter().find(|line| line.first == 0).map_or(1, |line| line.count);
            vec![Extent { first: 0, count }]
        };
        let users = extents(&read("/proc/self/uid_map"));
        let groups = extents(&read("/proc/self/gid_map"));
        Self { users, groups, writer: Writer::Root }
    }

    /// The tree can have user and group ids below this.
    pub fn count(&self) -> u32 {
        total(&self.users).min(total(&self.groups))
    }

    /// Why there is only one id, if that is so, and what to do about it.
    pub fn only_one(&self) -> Option<&str> {
        match &self.writer {
            Writer::Single(why) => Some(why),
            _ => None,
        }
    }

    /// Sets the ids of the user namespace that a process has just made.
    ///
    /// # Errors
    /// When the system does not let us.
    pub fn give(&self, pid: u32) -> Result<(), Error> {
        let maps = [("uid_map", "newuidmap", &self.users), ("gid_map", "newgidmap", &self.groups)];
        match &self.writer {
            Writer::Tools => maps.into_iter().try_for_each(|(_, tool, extents)| run_tool(tool, pid, extents)),
            Writer::Root | Writer::Single(_) => {
                if self.only_one().is_some() {
                    // Without this, a group that denies access could be dropped (user_namespaces(7)).
                    write_map(pid, "setgroups", "deny")?;
                }
                maps.into_iter().try_for_each(|(file, _, extents)| write_map(pid, file, &lines(extents)))
            }
        }
    }
}

/// Why scripts of the caller have only one user id, if that is so, and what to do about it.
pub fn only_one_id() -> Option<String> {
    Ids::choose().only_one().map(str::to_owned)
}

/// A line of `/proc/PID/uid_map`.
struct MapLine {
    first: u32,
    count: u32,
}

impl MapLine {
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split_ascii_whitespace().map(str::parse);
        let (first, _, count) = (fields.next()?.ok()?, fields.next()?.ok()?, fields.next()?.ok()?);
        let _: u32 = count;
        Some(Self { first, count })
    }

    fn end(&self) -> u64 {
        u64::from(self.first) + u64::from(self.count)
    }
}

fn total(extents: &[Extent]) -> u32 {
    extents.iter().fold(0, |sum: u32, extent| sum.saturating_add(extent.count))
}

/// The extents as triples: inside, outside, how many.
fn triples(extents: &[Extent]) -> Vec<[u32; 3]> {
    let mut inside = 0;
    let each = extents.iter().map(|extent| {
        let triple = [inside, extent.first, extent.count];
        inside = inside.saturating_add(extent.count);
        triple
    });
    each.collect()
}

fn lines(extents: &[Extent]) -> String {
    triples(extents).iter().map(|[inside, outside, count]| format!("{inside} {outside} {count}\n")).collect()
}

fn write_map(pid: u32, file: &str, text: &str) -> Result<(), Error> {
    std::fs::write(format!("/proc/{pid}/{file}"), text).map_err(|cause| {
        Error::Ids(format!("cannot write /proc/PID/{file}: {cause}; run nex as another user or as root"))
    })
}

fn run_tool(tool: &str, pid: u32, extents: &[Extent]) -> Result<(), Error> {
    let numbers = triples(extents).into_iter().flatten().map(|number| number.to_string());
    let output = Command::new(tool).arg(pid.to_string()).args(numbers).output();
    let why = match output {
        Ok(output) if output.status.success() => return Ok(()),
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(cause) => cause.to_string(),
    };
    Err(Error::Ids(format!(
        "{tool} says '{}'; it must be setuid root and /etc/subuid must agree",
        nex_text::excerpt(why)
    )))
}

/// The lines of `/etc/subuid` that name the user by number or name: `name:first:count`.
fn subordinate(text: &str, uid: u32, name: Option<&str>) -> Vec<Extent> {
    let number = uid.to_string();
    let extents = text.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let owner = fields.next()?;
        let extent = Extent { first: fields.next()?.parse().ok()?, count: fields.next()?.parse().ok()? };
        let is_valid = extent.count > 0 && extent.first.checked_add(extent.count).is_some();
        (is_valid && (owner == number || Some(owner) == name)).then_some(extent)
    });
    extents.take(MAX_EXTENTS).collect()
}

fn user_name(passwd: &str, uid: u32) -> Option<String> {
    let number = uid.to_string();
    let mut lines = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    lines.find(|fields| fields.get(2) == Some(&number.as_str())).map(|fields| fields[0].to_owned())
}

fn is_installed(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(tool).is_file())
}

fn read(path: &str) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

/// Why a user namespace cannot be had, and what to do about it.
pub fn way_out(cause: &io::Error) -> String {
    let says = |path: &str, value: &str| read(path).trim() == value;
    if says("/proc/sys/kernel/unprivileged_userns_clone", "0") {
        "kernel.unprivileged_userns_clone is 0; have root run 'sysctl -w kernel.unprivileged_userns_clone=1'".into()
    } else if says("/proc/sys/user/max_user_namespaces", "0") {
        "user.max_user_namespaces is 0; have root run 'sysctl -w user.max_user_namespaces=10000'".into()
    } else if let Some(hint) = app_armor() {
        hint.into()
    } else if cause.raw_os_error() == Some(libc::ENOSPC) {
        "user.max_user_namespaces is reached, or namespaces are nested too deep; have root raise the setting".into()
    } else if cause.raw_os_error() == Some(libc::EINVAL) {
        "the kernel was built without CONFIG_USER_NS; use another".into()
    } else {
        "a container's seccomp filter or a security module forbids it; in Docker, run the container with \
         '--security-opt seccomp=unconfined'"
            .into()
    }
}

/// Ubuntu's setting: the namespace is given, and then nothing is allowed in it.
pub fn app_armor() -> Option<&'static str> {
    (read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").trim() == "1").then_some(
        "AppArmor restricts it (kernel.apparmor_restrict_unprivileged_userns is 1); give nex a profile that allows \
         userns, or have root run 'sysctl -w kernel.apparmor_restrict_unprivileged_userns=0'",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subordinate_ids_go_by_name_and_number() {
        let text = "other:1:2\nme:100000:65536\n1000:300000:10\n# no line\nme:x:1\nme:4294967295:2\nme:5:0\n";
        let wanted = [Extent { first: 100_000, count: 65536 }, Extent { first: 300_000, count: 10 }];
        assert_eq!(subordinate(text, 1000, Some("me")), wanted);
        assert_eq!(subordinate(text, 7, None), []);
        assert_eq!(lines(&wanted), "0 100000 65536\n65536 300000 10\n");
        assert_eq!(total(&wanted), 65546);
    }

    #[test]
    fn a_user_has_a_name() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nme:x:1000:1000::/home/me:/bin/sh\nbroken\n";
        assert_eq!(user_name(passwd, 1000).as_deref(), Some("me"));
        assert_eq!(user_name(passwd, 1), None);
    }
}
