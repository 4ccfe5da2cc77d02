//! Which ids of the host stand for those of the tree.
//!
//! None of them is an id that anybody uses: a script that gets out of its world owns nothing and may signal nobody, and what
//! `--mount` shows belongs to others. Only a caller without any other id has but his own to give.

mod ranges;

use std::borrow::Cow;
use std::io;
use std::process::Command;

use serde::{Deserialize, Serialize};

use self::ranges::{Extent, Inside, Range};
use crate::error::Error;

/// Where root takes ids from: above what distributions, containers and directory services give away.
const ROOT_FIRST: u32 = 0x6000_0000;

/// How many; 28 bits, so that images with the ids of a directory service work too.
const ROOT_COUNT: u32 = 0x1000_0000;

/// The ids of a user namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids {
    users: Vec<Extent>,
    groups: Vec<Extent>,
    writer: Writer,
}

/// The ids that a tree can have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeIds {
    /// Its users.
    pub users: Inside,
    /// Its groups.
    pub groups: Inside,
    /// How to have more.
    pub remedy: String,
}

#[cfg(feature = "fuzz")]
impl TreeIds {
    /// So many users and groups, from root on.
    pub fn first(count: u32) -> Self {
        let inside = Inside::of(&[Extent { inside: 0, outside: 0, count }]);
        Self { users: inside.clone(), groups: inside, remedy: "there are no more".into() }
    }
}

/// Who may write the maps.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Writer {
    /// The caller, who is root.
    Root,
    /// The setuid programs newuidmap and newgidmap.
    Tools,
    /// The caller, for his own id alone. The reason why there are no others.
    Single(WayOut),
}

impl Ids {
    /// What the caller may give away.
    pub fn choose() -> Self {
        let uid = rustix::process::geteuid().as_raw();
        if uid == 0 {
            return Self::of_root();
        }
        let name = user_name(&read("/etc/passwd"), uid);
        let shown = name.clone().unwrap_or_else(|| uid.to_string());
        let remedy = add_subordinate(&shown);
        let mut kinds = Vec::new();
        for (file, map) in [("/etc/subuid", "/proc/self/uid_map"), ("/etc/subgid", "/proc/self/gid_map")] {
            let given = subordinate(&read(file), uid, name.as_deref());
            let spare = ranges::spare(&ranges::common(&given, &ranges::of_map(&read(map))));
            if given.is_empty() {
                return Self::single(format!("{file} gives '{shown}' no subordinate ids"), remedy);
            }
            if spare.is_empty() {
                let why = format!(
                    "of the subordinate ids that {file} gives '{shown}' there are not two in this user namespace ({map})"
                );
                return Self::single(why, remedy);
            }
            kinds.push(ranges::number(spare));
        }
        if let Some(missing) = ["newuidmap", "newgidmap"].into_iter().find(|tool| !is_installed(tool)) {
            let remedy = "it comes with the package uidmap or shadow-utils";
            return Self::single(format!("{missing} is not installed"), remedy);
        }
        let groups = kinds.pop().unwrap_or_default();
        Self { users: kinds.pop().unwrap_or_default(), groups, writer: Writer::Tools }
    }

    /// The caller's own ids, as there are no others.
    fn single(why: impl Into<Cow<'static, str>>, remedy: impl Into<Cow<'static, str>>) -> Self {
        let why = WayOut { why: why.into(), remedy: remedy.into() };
        let own = |outside| vec![Extent { inside: 0, outside, count: 1 }];
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        Self { users: own(uid), groups: own(gid), writer: Writer::Single(why) }
    }

    /// A range of its own. Root of a container may not have it, and gives what nobody has there.
    fn of_root() -> Self {
        let [users, groups] = ["/proc/self/uid_map", "/proc/self/gid_map"].map(|map| of_root(&read(map)));
        if users.is_empty() || groups.is_empty() {
            return Self::single("this user namespace has no ids but root's (/proc/self/uid_map)", CONTAINER);
        }
        Self { users: ranges::number(users), groups: ranges::number(groups), writer: Writer::Root }
    }

    /// What the tree can have.
    pub fn in_tree(&self) -> TreeIds {
        let remedy = match self.writer {
            Writer::Root => CONTAINER.into(),
            Writer::Tools | Writer::Single(_) => "have root give you more in /etc/subuid and /etc/subgid".into(),
        };
        TreeIds { users: Inside::of(&self.users), groups: Inside::of(&self.groups), remedy }
    }

    /// Why there is only one id, if that is so, and what to do about it.
    pub fn only_one(&self) -> Option<&WayOut> {
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
                maps.into_iter().try_for_each(|(file, _, extents)| write_map(pid, file, &ranges::lines(extents)))
            }
        }
    }
}

/// Why scripts of the caller have only one user id, if that is so, and what to do about it.
pub fn only_one_id() -> Option<String> {
    Ids::choose().only_one().map(|WayOut { why, remedy }| format!("{why}; {remedy}"))
}

/// What root of a container can do about too few ids.
const CONTAINER: &str = "run nex outside of the container, or give the container more ids: rootless Podman and Docker have those \
                         that /etc/subuid and /etc/subgid of the machine give to their user";

/// What root of a user namespace with this map gives.
fn of_root(map: &str) -> Vec<Range> {
    let there = ranges::of_map(map);
    let own = ranges::common(&[Range { first: ROOT_FIRST, count: ROOT_COUNT }], &there);
    if ranges::total(&own) == ROOT_COUNT.into() { own } else { ranges::spare(&there) }
}

fn add_subordinate(name: &str) -> String {
    format!(
        "have root run 'usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {name}' with numbers that nobody \
         else has"
    )
}

fn write_map(pid: u32, file: &str, text: &str) -> Result<(), Error> {
    std::fs::write(format!("/proc/{pid}/{file}"), text).map_err(|cause| {
        let what = format!("cannot write /proc/PID/{file}: {cause}");
        Error::Ids { what, remedy: "run nex as another user or as root" }
    })
}

fn run_tool(tool: &str, pid: u32, extents: &[Extent]) -> Result<(), Error> {
    let map = ranges::lines(extents);
    let output = Command::new(tool).arg(pid.to_string()).args(map.split_ascii_whitespace()).output();
    let why = match output {
        Ok(output) if output.status.success() => return Ok(()),
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(cause) => cause.to_string(),
    };
    let what = format!("{tool} says '{}'", nex_text::excerpt(why));
    Err(Error::Ids { what, remedy: "it must be setuid root and /etc/subuid must agree" })
}

/// The lines of `/etc/subuid` that name the user by number or name: `name:first:count`.
fn subordinate(text: &str, uid: u32, name: Option<&str>) -> Vec<Range> {
    let number = uid.to_string();
    let ranges = text.lines().filter_map(|line| {
        let mut fields = line.trim().split(':');
        let owner = fields.next()?;
        let range = Range { first: fields.next()?.parse().ok()?, count: fields.next()?.parse().ok()? };
        let is_valid = range.count > 0 && range.first.checked_add(range.count).is_some();
        (is_valid && (owner == number || Some(owner) == name)).then_some(range)
    });
    ranges.collect()
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

/// Why a user namespace, or ids for it, cannot be had, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WayOut {
    /// What forbids it.
    pub why: Cow<'static, str>,
    /// What to do.
    pub remedy: Cow<'static, str>,
}

/// Why a user namespace cannot be had, and what to do about it.
pub fn way_out(cause: &io::Error) -> WayOut {
    let says = |path: &str, value: &str| read(path).trim() == value;
    let (why, remedy) = if says("/proc/sys/kernel/unprivileged_userns_clone", "0") {
        ("kernel.unprivileged_userns_clone is 0", "have root run 'sysctl -w kernel.unprivileged_userns_clone=1'")
    } else if says("/proc/sys/user/max_user_namespaces", "0") {
        ("user.max_user_namespaces is 0", "have root run 'sysctl -w user.max_user_namespaces=10000'")
    } else if let Some(way_out) = app_armor() {
        return way_out;
    } else if cause.raw_os_error() == Some(libc::ENOSPC) {
        ("user.max_user_namespaces is reached, or namespaces are nested too deep", "have root raise the setting")
    } else if cause.raw_os_error() == Some(libc::EINVAL) {
        ("the kernel was built without CONFIG_USER_NS", "use another")
    } else {
        (
            "a container's seccomp filter or a security module forbids it",
            "in Docker, run the container with '--security-opt seccomp=unconfined'",
        )
    };
    WayOut { why: why.into(), remedy: remedy.into() }
}

/// Ubuntu's setting: the namespace is given, and then nothing is allowed in it.
pub fn app_armor() -> Option<WayOut> {
    (read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns").trim() == "1").then_some(WayOut {
        why: "AppArmor restricts it (kernel.apparmor_restrict_unprivileged_userns is 1)".into(),
        remedy: "give nex a profile that allows userns, or have root run 'sysctl -w \
                 kernel.apparmor_restrict_unprivileged_userns=0'"
            .into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subordinate_ids_go_by_name_and_number() {
        let text = "other:1:2\nme:100000:65536\n1000:300000:10\n# no line\nme:x:1\nme:4294967295:2\nme:5:0\n";
        let wanted = [Range { first: 100_000, count: 65536 }, Range { first: 300_000, count: 10 }];
        assert_eq!(subordinate(text, 1000, Some("me")), wanted);
        assert_eq!(subordinate(text, 7, None), []);
    }

    #[test]
    fn root_gives_a_range_of_its_own_and_in_a_container_never_its_own_id() {
        let map = |map: &str| ranges::lines(&ranges::number(of_root(map)));
        assert_eq!(map("0 0 4294967295\n"), "0 1610612736 268435456\n");
        // The parent's extents may meet in the range.
        assert_eq!(
            map("0 0 1700000000\n1700000000 1700000000 2000000000\n"),
            "0 1610612736 89387264\n89387264 1700000000 179048192\n"
        );
        assert_eq!(map("0 1000 1\n1 100000 65536\n"), "0 1000 64534\n64534 65535 1\n65534 65536 1\n");
        assert_eq!(map("0 1000 1\n"), "");
    }

    #[test]
    fn a_user_has_a_name() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nme:x:1000:1000::/home/me:/bin/sh\nbroken\n";
        assert_eq!(user_name(passwd, 1000).as_deref(), Some("me"));
        assert_eq!(user_name(passwd, 1), None);
    }
}
