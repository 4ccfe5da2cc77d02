//! Random owners, modes, times and extended attributes.

use std::fmt;

use nex_testkit::layer::Entry;
use nex_testkit::manifest::{self, Kind};
use proptest::prelude::*;

/// What a member has beside its name, type and content.
#[derive(Clone)]
pub struct Attributes {
    mode: u32,
    owner: (u32, u32),
    modified: (i64, u32),
    xattrs: Vec<(&'static str, Vec<u8>)>,
}

/// The types of file as far as they decide which attributes the kernel takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Bearer {
    /// Takes all.
    File,
    /// Takes all but capabilities.
    Directory,
    /// Takes none of `user.*`.
    Other,
}

impl Attributes {
    /// An entry with these attributes, as far as it can bear them.
    pub fn apply(&self, entry: Entry, bearer: Bearer) -> Entry {
        let entry = entry.mode(self.mode).owner(self.owner.0, self.owner.1).modified(self.modified.0, self.modified.1);
        let borne = self.xattrs.iter().filter(|(name, _)| bears(bearer, name));
        borne.fold(entry, |entry, (name, value)| entry.xattr(name, value))
    }

    /// What the tree has, of a file of this kind.
    pub fn of_file(&self, kind: Kind, bearer: Bearer) -> manifest::Entry {
        let borne = self.xattrs.iter().filter(|(name, _)| bears(bearer, name));
        manifest::Entry {
            mode: if matches!(kind, Kind::Symlink(_)) { SYMLINK_MODE } else { self.mode },
            uid: self.owner.0,
            gid: self.owner.1,
            modified: self.modified,
            xattrs: borne.map(|(name, value)| (name.as_bytes().to_vec(), value.clone())).collect(),
            linked: None,
            kind,
        }
    }

    /// When it was changed last: seconds since 1970, and nanoseconds.
    pub fn modified(&self) -> (i64, u32) {
        self.modified
    }
}

fn bears(bearer: Bearer, xattr: &str) -> bool {
    match bearer {
        Bearer::File => true,
        Bearer::Directory => xattr != CAPABILITY,
        Bearer::Other => xattr.starts_with("trusted.") || xattr == "security.nex",
    }
}

/// What symlink(2) gives to every symbolic link, and nothing changes.
const SYMLINK_MODE: u32 = 0o777;
const CAPABILITY: &str = "security.capability";
/// `cap_net_raw+ep`, as `struct vfs_cap_data` of revision 2.
const NET_RAW: [u8; 20] = [1, 0, 0, 2, 0, 0x20, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

impl fmt::Debug for Attributes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:04o} {}:{} {:?}", self.mode, self.owner.0, self.owner.1, self.modified)?;
        self.xattrs.iter().try_for_each(|(name, value)| write!(formatter, " {name}={} bytes", value.len()))
    }
}

/// Attributes of every kind; the plain ones are the most frequent.
pub fn attributes() -> impl Strategy<Value = Attributes> {
    (mode(), (id(), id()), time(), xattrs()).prop_map(|(mode, owner, modified, xattrs)| Attributes {
        mode,
        owner,
        modified,
        xattrs,
    })
}

fn mode() -> impl Strategy<Value = u32> {
    prop_oneof![3 => prop::sample::select(vec![0o644, 0o755, 0o600, 0o4755, 0o2755, 0o1777]), 1 => 0..0o10000u32]
}

/// Without the last id, which `chown(2)` takes for "as it is".
fn id() -> impl Strategy<Value = u32> {
    prop_oneof![3 => Just(0), 1 => 1..1000u32, 1 => 65_530..70_000u32, 1 => 0..u32::MAX]
}

/// Within what ext4 and Go's nanoseconds both hold.
fn time() -> impl Strategy<Value = (i64, u32)> {
    const FIRST: i64 = -(1 << 31);
    const LAST: i64 = 1 << 33;
    let seconds =
        prop_oneof![3 => 1_000_000_000..1_700_000_000i64, 1 => FIRST..0, 1 => (1i64 << 31)..LAST, 1 => -2..2i64];
    (seconds, prop_oneof![Just(0), Just(999_999_999), 0..1_000_000_000u32])
}

fn xattrs() -> impl Strategy<Value = Vec<(&'static str, Vec<u8>)>> {
    let values = prop::collection::vec(any::<u8>(), 1..40);
    let xattr = prop_oneof![
        (Just("user.small"), values.clone()),
        (Just("user.large"), Just(vec![b'x'; 3000])),
        (Just("trusted.nex"), values.clone()),
        (Just("security.nex"), values),
        (Just(CAPABILITY), Just(NET_RAW.to_vec())),
    ];
    let several = prop::collection::vec(xattr, 1..3).prop_map(|mut all| {
        all.sort();
        all.dedup_by_key(|(name, _)| *name);
        all
    });
    prop_oneof![4 => Just(Vec::new()), 1 => several]
}
