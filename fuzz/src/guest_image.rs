//! A small image of ours that has a bit of everything that the contract check looks at.

use std::fs::{self, File};

use nex_ext4::{
    Directory, Inode, InodeId, Journal, Kind, Layout, Metadata, Options, Reserved, Size, Sizes, Timestamp, Tree, Writer,
};

use crate::place;

/// A dynamic program that every machine has.
const PROGRAM: &str = "/bin/true";

/// The kinds of guests.
pub const GUESTS: usize = 3;

const TABLE: &str = "::sysinit:/sbin/openrc sysinit\n::wait:/etc/rc\nttyS0::respawn:/sbin/agetty -L ttyS0\n";
const SERVICE: &str = "#!/sbin/openrc-run\ncommand=/usr/local/bin/agent\ncommand_user=\"nex:nex\"\n";
const UNIT: &str = "[Service]\nExecStart=-/usr/local/bin/agent --flag\nUser=nex\nGroup=nex\n";

/// What all of them have, and what each has beside it; `->` makes a symlink, and `+` a program.
const FILES: [&[(&str, &str)]; GUESTS + 1] = [
    &[
        ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnex:x:1000:1000::/home/nex:/bin/sh\n"),
        ("etc/group", "root:x:0:\nnex:x:1000:\n"),
        ("etc/shadow", "root:*::0:::::\nnex:!::0:::::\n"),
        ("etc/resolv.conf", "->../run/systemd/resolve/stub-resolv.conf"),
        ("etc/machine-id", "0123456789abcdef0123456789abcdef\n"),
        ("etc/fstab", "UUID=07070707-0707-0707-0707-070707070707 / ext4\n/dev/sda1 /boot ext4 defaults 0 2\n"),
        ("etc/securetty", "tty1\n"),
        ("etc/ld.so.conf", "include /etc/ld.so.conf.d/*.conf\n/opt/lib\n"),
        ("etc/ld.so.conf.d/x.conf", "/usr/local/lib\n"),
        ("home/nex/.profile", ""),
        ("dev/null", ""),
        ("proc/x", ""),
        ("lib64", "->usr/lib64"),
        ("usr/lib64/ld-linux-x86-64.so.2", "+"),
        ("usr/lib64/libc.so.6", "+"),
        ("bin/sh", "#!/sbin/sash -x\n"),
    ],
    &[("sbin/init", "->../usr/local/bin/agent"), ("usr/local/bin/agent", "+")],
    &[
        ("sbin/init", "+"),
        ("sbin/openrc", "+"),
        ("etc/inittab", TABLE),
        ("etc/rc", "#!/bin/sh\nopenrc boot\n"),
        ("etc/init.d/agent", SERVICE),
        ("etc/runlevels/boot/agent", "->/etc/init.d/agent"),
        ("etc/runlevels/default/agetty.ttyS0", "->/etc/init.d/agent"),
        ("usr/local/bin/agent", "#!/usr/bin/env python3\n"),
        ("usr/bin/env", "+"),
    ],
    &[
        ("sbin/init", "->/usr/lib/systemd/systemd"),
        ("usr/lib/systemd/systemd", "+"),
        ("usr/lib/systemd/system/default.target", "->multi-user.target"),
        ("usr/lib/systemd/system/serial-getty@.service", "[Service]\n"),
        ("usr/lib/systemd/system-generators/systemd-getty-generator", "+"),
        ("etc/systemd/system/agent.service", UNIT),
        ("etc/systemd/system/multi-user.target.wants/agent.service", "->/etc/systemd/system/agent.service"),
        ("etc/systemd/system/other.service", "->/dev/null"),
        ("usr/local/bin/agent", "+"),
    ],
];

/// One of the guests.
pub fn image(guest: usize) -> Vec<u8> {
    const ROOM: u64 = 16 << 20;
    let path = place::directory().join("guest.ext4");
    let file =
        File::options().read(true).write(true).create(true).truncate(true).open(&path).expect("our own directory");
    let mut writer = Writer::new(file, &Layout { size_limit: Some(ROOM), ..Layout::default() }).expect("an empty file");
    let mut tree = Tree::new(metadata());
    let program = fs::read(PROGRAM).expect("a small program");
    for (path, content) in FILES[0].iter().chain(FILES[guest % GUESTS + 1]) {
        let kind = match (*content, content.strip_prefix("->")) {
            (_, Some(target)) => Kind::Symlink(target.as_bytes().into()),
            ("+", _) => Kind::File(write(&mut writer, &program)),
            (text, _) => {
                // BusyBox's init is known by the name of its table.
                Kind::File(write(&mut writer, text.as_bytes()))
            }
        };
        place_at(&mut tree, path, kind);
    }
    let options = Options {
        sizes: Sizes {
            size: Size::Exact(ROOM),
            journal: Journal::None,
            reserved: Reserved::default(),
            inodes: Some(256),
        },
        uuid: [7; 16],
        hash_seed: [8; 16],
        label: [0; 16],
        time: 1_700_000_000,
    };
    writer.finish(&tree, &options).expect("a small file system");
    fs::read(&path).expect("our own directory")
}

fn write(writer: &mut Writer, bytes: &[u8]) -> nex_ext4::Content {
    let mut file = writer.file();
    file.write(bytes).expect("room");
    file.finish().expect("room")
}

/// Adds what stands at a path, with the directories above it.
fn place_at(tree: &mut Tree, path: &str, kind: Kind) {
    let mut parent = Tree::ROOT;
    let (directories, name) = path.rsplit_once('/').unwrap_or(("", path));
    for directory in directories.split('/').filter(|part| !part.is_empty()) {
        let known = tree.directory_mut(parent).expect("a directory").get(directory.as_bytes()).copied();
        parent = known.unwrap_or_else(|| add(tree, parent, directory, Kind::Directory(Directory::new())));
    }
    add(tree, parent, name, kind);
}

fn add(tree: &mut Tree, parent: InodeId, name: &str, kind: Kind) -> InodeId {
    let id = tree.add(Inode { metadata: metadata(), kind, xattrs: Box::default() });
    tree.directory_mut(parent).expect("a directory").insert(name.as_bytes().into(), id);
    id
}

fn metadata() -> Metadata {
    Metadata { mode: 0o755, uid: 0, gid: 0, time: Timestamp { seconds: 1_700_000_000, nanoseconds: 0 } }
}
