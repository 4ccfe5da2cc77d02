//! Users of the guest, by name or number.

use crate::start::{NOT_STARTED, Root, Unstarted};

/// Far above any such file, in bytes.
const LONGEST: u64 = 4 << 20;

/// Whom a program runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The user.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// The groups beside that.
    pub groups: Vec<u32>,
    /// The home directory.
    pub home: String,
}

impl User {
    /// Finds `USER` or `USER:GROUP`, as images write it, in the guest's passwd(5) and group(5).
    ///
    /// As in other container tools, a number need not be in the files; a user who is not there has the group 0. An empty part is
    /// as none: no user is root, and no group is the user's.
    ///
    /// # Errors
    /// When a name is in neither file, or one of them cannot be read.
    pub fn find(text: &str, root: &dyn Root) -> Result<Self, Unstarted> {
        let found = read("/etc/passwd", root)
            .and_then(|passwd| Ok((passwd, read("/etc/group", root)?)))
            .and_then(|(passwd, group)| Self::find_in(text, &passwd, &group));
        found.map_err(|reason| Unstarted::new(NOT_STARTED, reason))
    }

    fn find_in(text: &str, passwd: &str, group: &str) -> Result<Self, String> {
        let (user, own_group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group).filter(|group| !group.is_empty())),
            None => (text, None),
        };
        let user = if user.is_empty() { "0" } else { user };
        let number = user.parse::<u32>().ok();
        let by_name = entries(passwd).find(|fields| fields.first() == Some(&user));
        let by_number = || entries(passwd).find(|fields| number.is_some() && self::number(fields, 2) == number);
        let entry = by_name.or_else(by_number);
        let uid = entry.as_ref().and_then(|fields| self::number(fields, 2)).or(number);
        let uid = uid.ok_or_else(|| format!("there is no user '{}' in /etc/passwd", nex_text::short_name(user)))?;
        let gid = match own_group {
            None => entry.as_ref().and_then(|fields| self::number(fields, 3)).unwrap_or(0),
            Some(name) => find_group(name, group)?,
        };
        let name = entry.as_ref().and_then(|fields| fields.first().copied());
        let home = entry.as_ref().and_then(|fields| fields.get(5).copied()).filter(|home| !home.is_empty());
        // A group that is named is the only one.
        let groups = match own_group {
            None => groups_of(name, group),
            Some(_) => Vec::new(),
        };
        Ok(Self { uid, gid, groups, home: home.unwrap_or("/").into() })
    }
}

fn find_group(name: &str, group: &str) -> Result<u32, String> {
    let entry = entries(group).find(|fields| fields.first() == Some(&name));
    let found = entry.and_then(|fields| number(&fields, 2)).or_else(|| name.parse().ok());
    found.ok_or_else(|| format!("there is no group '{}' in /etc/group", nex_text::short_name(name)))
}

/// The groups that list a user.
fn groups_of(name: Option<&str>, group: &str) -> Vec<u32> {
    let Some(name) = name else { return Vec::new() };
    let listed = entries(group).filter(|fields| fields.get(3).is_some_and(|all| all.split(',').any(|one| one == name)));
    listed.filter_map(|fields| number(&fields, 2)).collect()
}

fn entries(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().map(|line| line.split(':').collect())
}

fn number(fields: &[&str], index: usize) -> Option<u32> {
    fields.get(index)?.parse().ok()
}

/// A text file; nothing where there is none.
fn read(path: &str, root: &dyn Root) -> Result<String, String> {
    let bytes = root.read(path, LONGEST)?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/srv/www:\n1500:x:7:8::/odd:\n";
    const GROUP: &str = "root:x:0:root\nwww:x:34:\nlogs:x:50:web,other\ntape:x:51:web\n";

    fn found(text: &str) -> (u32, u32, Vec<u32>, String) {
        let user = User::find_in(text, PASSWD, GROUP).unwrap();
        (user.uid, user.gid, user.groups, user.home)
    }

    #[test]
    fn users_are_found_as_other_container_tools_find_them() {
        assert_eq!(found("web"), (33, 34, vec![50, 51], "/srv/www".into()));
        assert_eq!(found("33"), (33, 34, vec![50, 51], "/srv/www".into()));
        assert_eq!(found("web:logs"), (33, 50, vec![], "/srv/www".into()));
        assert_eq!(found("4711"), (4711, 0, vec![], "/".into()));
        assert_eq!(found("web:"), found("web"));
        assert_eq!(found(":logs"), (0, 50, vec![], "/root".into()));
        assert_eq!(found("4711:4712"), (4711, 4712, vec![], "/".into()));
        // A name goes before a number.
        assert_eq!(found("1500"), (7, 8, vec![], "/odd".into()));
    }

    #[test]
    fn who_is_not_there_is_named() {
        assert!(User::find_in("nobody", PASSWD, GROUP).unwrap_err().contains("no user 'nobody'"));
        assert!(User::find_in("web:wheel", PASSWD, GROUP).unwrap_err().contains("no group 'wheel'"));
    }
}
