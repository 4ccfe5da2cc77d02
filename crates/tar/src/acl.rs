//! Access lists in PAX records: `SCHILY.acl.access` and `SCHILY.acl.default`, as star, GNU tar and bsdtar write them.
//!
//! They are texts in the long form of acl(5), `user::rw-,user:1000:r--,group::r--,mask::r--,other::---`, parted by commas or
//! lines. A named user or group has its number in the place of its name, or in a field of its own behind the rights.

use crate::entry::{Kind, Metadata, Xattr};
use crate::pax::{Pax, PaxError};

/// The form in which system calls give a list (`POSIX_ACL_XATTR_VERSION`).
const VERSION: u32 = 2;

/// The id of an entry that is about nobody by name (`ACL_UNDEFINED_ID`).
const NOBODY: u32 = u32::MAX;

/// What an entry is about (`e_tag`).
const OWNER: u16 = 0x01;
const USER: u16 = 0x02;
const OWNING_GROUP: u16 = 0x04;
const GROUP: u16 = 0x08;
const MASK: u16 = 0x10;
const OTHER: u16 = 0x20;

/// An entry: what it is about, and what that may do. `None` as an id stands for a name without a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    tag: u16,
    rights: u16,
    id: Option<u32>,
}

/// A list that has the three entries of each file's mode.
struct List {
    entries: Vec<Entry>,
    owner: u16,
    group: u16,
    other: u16,
    mask: Option<u16>,
}

/// Makes attributes of an entry's access lists, as `setfacl` would, and sets its mode as the kernel does with them.
///
/// A list that names somebody without a number means nothing on another machine. It is kept under its archive's name, which no
/// file system holds, and the group gets its own rights in the place of the list's mask.
///
/// # Errors
/// When a list is none.
pub fn apply(pax: &mut Pax, kind: &Kind, metadata: &mut Metadata, xattrs: &mut Vec<Xattr>) -> Result<(), PaxError> {
    if matches!(kind, Kind::Symlink(_) | Kind::HardLink(_)) {
        return Ok(());
    }
    if let Some(text) = pax.access_list.take() {
        let list = List::parse("SCHILY.acl.access", &text)?;
        let Some(value) = list.value() else {
            metadata.mode = list.mode(metadata.mode, list.group & list.mask.unwrap_or(list.group));
            xattrs.push(kept(b"SCHILY.acl.access", text));
            return Ok(());
        };
        metadata.mode = list.mode(metadata.mode, list.mask.unwrap_or(list.group));
        if !list.is_a_mode() {
            add(xattrs, b"system.posix_acl_access", value);
        }
    }
    if let Some(text) = pax.default_list.take().filter(|_| *kind == Kind::Directory) {
        match List::parse("SCHILY.acl.default", &text)?.value() {
            Some(value) => add(xattrs, b"system.posix_acl_default", value),
            None => xattrs.push(kept(b"SCHILY.acl.default", text)),
        }
    }
    Ok(())
}

fn kept(name: &[u8], value: Vec<u8>) -> Xattr {
    Xattr { name: name.to_vec(), value }
}

/// The same list in the form of system calls, from a record of its own, says it more exactly.
fn add(xattrs: &mut Vec<Xattr>, name: &[u8], value: Vec<u8>) {
    if xattrs.iter().all(|xattr| xattr.name != name) {
        xattrs.push(kept(name, value));
    }
}

impl List {
    fn parse(key: &'static str, text: &[u8]) -> Result<Self, PaxError> {
        let texts = text.split(|&byte| matches!(byte, b',' | b'\n')).map(<[u8]>::trim_ascii);
        let entries: Option<Vec<_>> = texts.filter(|text| !text.is_empty()).map(entry).collect();
        let list = entries.and_then(|mut entries| {
            // The kernel wants them in this order.
            entries.sort_by_key(|entry| entry.tag);
            let rights = |tag| entries.iter().find(|entry| entry.tag == tag).map(|entry| entry.rights);
            let (owner, group, other, mask) = (rights(OWNER)?, rights(OWNING_GROUP)?, rights(OTHER)?, rights(MASK));
            Some(Self { owner, group, other, mask, entries })
        });
        list.ok_or_else(|| PaxError::AccessList { key, value: nex_text::short_name(text) })
    }

    /// Whether it says no more than a mode does.
    fn is_a_mode(&self) -> bool {
        self.entries.len() == 3
    }

    /// The mode of a file with this list, with these rights for its group.
    fn mode(&self, before: u16, group: u16) -> u16 {
        before & !0o777 | self.owner << 6 | group << 3 | self.other
    }

    /// The list in the form of system calls; `None` where a number is missing.
    fn value(&self) -> Option<Vec<u8>> {
        let mut value = VERSION.to_le_bytes().to_vec();
        for entry in &self.entries {
            value.extend(entry.tag.to_le_bytes());
            value.extend(entry.rights.to_le_bytes());
            value.extend(entry.id?.to_le_bytes());
        }
        Some(value)
    }
}

/// An entry's text: what it is about, whom by name or number, the rights, the number.
fn entry(text: &[u8]) -> Option<Entry> {
    // What libarchive writes in front of entries of default lists.
    let text = text.strip_prefix(b"default:").unwrap_or(text);
    let fields: Vec<_> = text.split(|&byte| byte == b':').collect();
    let (tag, who, rights, number) = match fields[..] {
        // Solaris leaves out the empty field.
        [tag @ (b"mask" | b"m" | b"other" | b"o"), rights] => (tag, &b""[..], rights, None),
        [tag, who, rights] => (tag, who, rights, None),
        [tag, who, rights, number] => (tag, who, rights, Some(number)),
        _ => return None,
    };
    let tag = match (tag, who.is_empty()) {
        (b"user" | b"u", true) => OWNER,
        (b"user" | b"u", false) => USER,
        (b"group" | b"g", true) => OWNING_GROUP,
        (b"group" | b"g", false) => GROUP,
        (b"mask" | b"m", true) => MASK,
        (b"other" | b"o", true) => OTHER,
        _ => return None,
    };
    let id = match (tag, number) {
        (USER | GROUP, Some(number)) => Some(id(number)?),
        (USER | GROUP, None) if who.iter().all(u8::is_ascii_digit) => Some(id(who)?),
        (USER | GROUP, None) => None,
        _ => Some(NOBODY),
    };
    Some(Entry { tag, rights: bits(rights)?, id })
}

/// Digits alone, and not the number of nobody.
fn id(text: &[u8]) -> Option<u32> {
    let text = str::from_utf8(text).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    text.parse().ok().filter(|&id| id != NOBODY)
}

/// Read, write and execute, each by its letter or left out.
fn bits(text: &[u8]) -> Option<u16> {
    text.iter().try_fold(0, |bits, letter| {
        let bit = match letter {
            b'r' => 4,
            b'w' => 2,
            b'x' => 1,
            b'-' => 0,
            _ => return None,
        };
        Some(bits | bit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Time;

    fn metadata() -> Metadata {
        Metadata { mode: 0o4777, uid: 1, gid: 1, time: Time { seconds: 0, nanoseconds: 0 } }
    }

    /// Mode and attributes of a file with such a list.
    fn applied(text: &[u8], kind: &Kind) -> Result<(u16, Vec<Xattr>), PaxError> {
        let mut pax = Pax { access_list: Some(text.to_vec()), ..Pax::default() };
        let (mut after, mut xattrs) = (metadata(), Vec::new());
        apply(&mut pax, kind, &mut after, &mut xattrs)?;
        Ok((after.mode, xattrs))
    }

    fn value(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut value = 2u32.to_le_bytes().to_vec();
        for (tag, rights, id) in entries {
            value.extend(tag.to_le_bytes());
            value.extend(rights.to_le_bytes());
            value.extend(id.to_le_bytes());
        }
        value
    }

    fn on_disk(xattr: &Xattr) -> nex_ext4::Xattr {
        nex_ext4::Xattr { name: xattr.name.clone().into(), value: xattr.value.clone().into() }
    }

    #[test]
    fn the_forms_of_all_writers_mean_the_same() {
        let expected =
            value(&[(1, 6, NOBODY), (2, 4, 1000), (4, 0, NOBODY), (8, 7, 50), (16, 6, NOBODY), (32, 0, NOBODY)]);
        for text in [
            &b"user::rw-,user:1000:r--,group::---,group:50:rwx,mask::rw-,other::---"[..],
            b"user::rw-\nuser:1000:r--\ngroup::---\ngroup:50:rwx\nmask::rw-\nother::---\n",
            b"user::rw-,group::---,other::---,user:lisa:r--:1000,group:staff:rwx:50,mask::rw-",
            b"u::rw,u:1000:r,g::,g:50:xwr,m:rw,o:-",
        ] {
            let (mode, xattrs) = applied(text, &Kind::File).unwrap();
            assert_eq!(mode, 0o4660, "{}", text.escape_ascii());
            assert_eq!((&*xattrs[0].name, &xattrs[0].value), (&b"system.posix_acl_access"[..], &expected));
            nex_ext4::check_xattrs(&xattrs.iter().map(on_disk).collect::<Vec<_>>()).unwrap();
        }
    }

    #[test]
    fn a_list_with_names_alone_gives_the_group_no_more_than_it_says() {
        let (mode, xattrs) = applied(b"user::rwx,user:lisa:rwx,group::r-x,mask::rwx,other::---", &Kind::File).unwrap();
        assert_eq!(mode, 0o4750);
        assert!(nex_ext4::check_xattrs(&[on_disk(&xattrs[0])]).is_err(), "no file system holds it");
    }

    #[test]
    fn a_list_that_says_what_a_mode_says_is_a_mode() {
        assert_eq!(applied(b"user::rw-,group::r--,other::---", &Kind::File).unwrap(), (0o4640, Vec::new()));
        assert_eq!(applied(b"nonsense", &Kind::Symlink(b"x".to_vec())).unwrap(), (0o4777, Vec::new()));
    }

    #[test]
    fn only_directories_have_default_lists() {
        for (kind, count) in [(Kind::Directory, 1), (Kind::File, 0)] {
            let text = b"default:user::rwx,default:group::r-x,default:other::---".to_vec();
            let mut pax = Pax { default_list: Some(text), ..Pax::default() };
            let (mut unchanged, mut xattrs) = (metadata(), Vec::new());
            apply(&mut pax, &kind, &mut unchanged, &mut xattrs).unwrap();
            assert_eq!((xattrs.len(), unchanged), (count, metadata()));
        }
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in [
            &b""[..],
            b"user::rwx,group::r-x",
            b"user::rwx,group::r-x,other::rwz",
            b"user::rwx,group::r-x,other::r--,somebody:1:r--",
            b"user::rwx,group::r-x,other::r--,user:4294967295:r--",
            b"user::rwx,group::r-x,other::r--,user:x:r--:x",
            b"user::rwx,group::r-x,other::r--,mask:1:r--",
            b"user::rwx:1:2:3,group::r-x,other::r--",
            b"\xff",
        ] {
            assert!(applied(text, &Kind::File).is_err(), "{}", text.escape_ascii());
        }
    }
}
