//! POSIX access control lists: between the form that user space sees and the form of the disk.
//!
//! `getxattr(2)` gives version 2, where each entry has an id. The disk has version 1, where only named users and
//! groups have one (`ext4_acl_to_disk`, `ext4_acl_from_disk`).

/// `POSIX_ACL_XATTR_VERSION`.
const USER_VERSION: u32 = 2;
/// `EXT4_ACL_VERSION`.
const DISK_VERSION: u32 = 1;
/// The id of nobody (`ACL_UNDEFINED_ID`), which a named entry must not have.
const UNDEFINED_ID: u32 = u32::MAX;
/// Read, write and execute.
const PERMISSIONS: u16 = 0o7;

/// An entry of version 2: `struct posix_acl_xattr_entry`.
#[derive(Clone, Copy)]
struct Entry {
    tag: u16,
    permissions: u16,
    id: u32,
}

/// What an entry is about (`e_tag`).
mod tag {
    /// The owner.
    pub const USER_OBJ: u16 = 0x01;
    /// A named user.
    pub const USER: u16 = 0x02;
    /// The owning group.
    pub const GROUP_OBJ: u16 = 0x04;
    /// A named group.
    pub const GROUP: u16 = 0x08;
    /// The most that named ones and the owning group may do.
    pub const MASK: u16 = 0x10;
    /// Everybody else.
    pub const OTHER: u16 = 0x20;
}

impl Entry {
    fn parse(bytes: &[u8; 8]) -> Self {
        let [t0, t1, p0, p1, i0, i1, i2, i3] = *bytes;
        Self {
            tag: u16::from_le_bytes([t0, t1]),
            permissions: u16::from_le_bytes([p0, p1]),
            id: u32::from_le_bytes([i0, i1, i2, i3]),
        }
    }

    fn is_named(&self) -> bool {
        matches!(self.tag, tag::USER | tag::GROUP)
    }
}

/// The list in the form of the disk; `None` when `value` is not a list that the kernel would have taken
/// (`posix_acl_from_xattr`, `posix_acl_valid`).
pub(crate) fn to_disk(value: &[u8]) -> Option<Vec<u8>> {
    let entries = parse(value)?;
    if !is_valid(&entries) {
        return None;
    }
    let mut disk = DISK_VERSION.to_le_bytes().to_vec();
    for entry in &entries {
        disk.extend(entry.tag.to_le_bytes());
        disk.extend(entry.permissions.to_le_bytes());
        if entry.is_named() {
            disk.extend(entry.id.to_le_bytes());
        }
    }
    Some(disk)
}

/// The list in the form of user space; `None` when the disk holds none (`ext4_acl_from_disk`).
pub(crate) fn from_disk(disk: &[u8]) -> Option<Vec<u8>> {
    let (version, mut rest) = disk.split_first_chunk()?;
    if u32::from_le_bytes(*version) != DISK_VERSION {
        return None;
    }
    let mut value = USER_VERSION.to_le_bytes().to_vec();
    while !rest.is_empty() {
        let (short, behind) = rest.split_first_chunk::<4>()?;
        let tag = u16::from_le_bytes([short[0], short[1]]);
        let (id, behind) = match tag {
            tag::USER | tag::GROUP => behind.split_first_chunk().map(|(id, behind)| (*id, behind))?,
            tag::USER_OBJ | tag::GROUP_OBJ | tag::MASK | tag::OTHER => (UNDEFINED_ID.to_le_bytes(), behind),
            _ => return None,
        };
        value.extend(short);
        value.extend(id);
        rest = behind;
    }
    Some(value)
}

fn parse(value: &[u8]) -> Option<Vec<Entry>> {
    let (version, entries) = value.split_first_chunk()?;
    let (entries, []) = entries.as_chunks() else { return None };
    (u32::from_le_bytes(*version) == USER_VERSION).then(|| entries.iter().map(Entry::parse).collect())
}

/// The entries stand in the order of their tags, those without a name exactly once; a mask is there when a named one
/// is.
fn is_valid(entries: &[Entry]) -> bool {
    let count = |tag| entries.iter().filter(|entry| entry.tag == tag).count();
    let named = entries.iter().any(Entry::is_named);
    let known = |entry: &Entry| entry.tag.is_power_of_two() && entry.tag <= tag::OTHER;
    let sound =
        |entry: &Entry| entry.permissions & !PERMISSIONS == 0 && !(entry.is_named() && entry.id == UNDEFINED_ID);
    entries.iter().all(|entry| known(entry) && sound(entry))
        && entries.is_sorted_by_key(|entry| entry.tag)
        && [tag::USER_OBJ, tag::GROUP_OBJ, tag::OTHER].iter().all(|tag| count(*tag) == 1)
        && count(tag::MASK) <= 1
        && (!named || count(tag::MASK) == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user_form(entries: &[(u16, u16, u32)]) -> Vec<u8> {
        let mut value = USER_VERSION.to_le_bytes().to_vec();
        for (tag, permissions, id) in entries {
            value.extend(tag.to_le_bytes());
            value.extend(permissions.to_le_bytes());
            value.extend(id.to_le_bytes());
        }
        value
    }

    /// What systemd gives to `/var/log/journal`: `setfacl -m g:adm:rx`, where adm is group 4.
    fn journal() -> Vec<u8> {
        let undefined = UNDEFINED_ID;
        user_form(&[(1, 7, undefined), (4, 5, undefined), (8, 5, 4), (16, 5, undefined), (32, 5, undefined)])
    }

    #[test]
    fn only_named_entries_keep_their_id() {
        let disk = to_disk(&journal()).unwrap();
        assert_eq!(disk, b"\x01\0\0\0\x01\0\x07\0\x04\0\x05\0\x08\0\x05\0\x04\0\0\0\x10\0\x05\0\x20\0\x05\0");
        assert_eq!(from_disk(&disk), Some(journal()));
        assert_eq!(from_disk(&disk[..disk.len() - 1]), None);
    }

    #[test]
    fn a_list_cut_at_any_byte_is_refused() {
        let whole = journal();
        for length in 0..whole.len() {
            assert_eq!(to_disk(&whole[..length]), None, "{length} bytes");
        }
    }

    #[test]
    fn lists_that_the_kernel_would_not_take_are_refused() {
        let none = UNDEFINED_ID;
        let refused: [&[(u16, u16, u32)]; 8] = [
            &[],
            &[(1, 7, none), (4, 5, none)],
            &[(1, 7, none), (32, 5, none), (4, 5, none)],
            &[(1, 7, none), (1, 7, none), (4, 5, none), (32, 5, none)],
            &[(1, 8, none), (4, 5, none), (32, 5, none)],
            &[(1, 7, none), (2, 7, 1000), (4, 5, none), (32, 5, none)],
            &[(1, 7, none), (2, 7, none), (4, 5, none), (16, 7, none), (32, 5, none)],
            &[(1, 7, none), (4, 5, none), (32, 5, none), (64, 5, none)],
        ];
        for entries in refused {
            assert_eq!(to_disk(&user_form(entries)), None, "{entries:?}");
        }
        let mut first_version = journal();
        first_version[0] = 1;
        assert_eq!(to_disk(&first_version), None);
    }
}
