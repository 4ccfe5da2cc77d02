//! Extended attributes in the inode and in a block, judged by e2fsck and by the kernel.

mod support;

use nex_ext4::{Error, InodeId, Layout, Size, Tree, Xattr, XattrError};
use nex_testkit::kernel::{self, Access, Mount};
use support::{Builder, MIB, assert_fsck_is_silent, debugfs, e2fsck, flip_byte, have, text};

const ROOM: Size = Size::Auto { free: Some(8 * MIB) };

/// `u::rwx,u:1000:rw-,g::r-x,g:4:r-x,m::rwx,o::r-x` as `getxattr(2)` gives it.
const ACL: &[u8] = b"\x02\0\0\0\
    \x01\0\x07\0\xff\xff\xff\xff\x02\0\x06\0\xe8\x03\0\0\x04\0\x05\0\xff\xff\xff\xff\
    \x08\0\x05\0\x04\0\0\0\x10\0\x07\0\xff\xff\xff\xff\x20\0\x05\0\xff\xff\xff\xff";

/// `cap_net_raw=ep`, as `getxattr(2)` gives it (`struct vfs_cap_data`, revision 2).
const CAPABILITY: &[u8] = b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// The same for a user namespace whose root is user 100,000 (revision 3).
const NAMESPACED: &[u8] = b"\x01\0\0\x03\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xa0\x86\x01\0";

/// The longest value that fits a block beside `user.large`.
const LARGEST: usize = 4036;

fn xattr(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Xattr {
    Xattr { name: name.as_ref().into(), value: value.as_ref().into() }
}

fn add_file(builder: &mut Builder, name: &str, xattrs: Vec<Xattr>) -> InodeId {
    let file = builder.add_file(Tree::ROOT, name, b"content");
    builder.tree.inode_mut(file).xattrs = xattrs.into();
    file
}

/// Attributes whose order by name, by length and by prefix differ, of sizes that are no multiples of four.
fn many() -> Vec<Xattr> {
    let mut xattrs = vec![xattr("security.z", b"1"), xattr("trusted.a", b""), xattr("user.é", b"\xff\x80\x7f")];
    xattrs
        .extend((0..12usize).map(|i| xattr(format!("user.{}", "x".repeat(12 - i)), vec![b'0' + i as u8; 10 * i + 1])));
    xattrs.push(xattr("user.empty", b""));
    xattrs
}

#[test]
fn every_attribute_reads_back_wherever_it_is_kept() {
    let cases = [
        ("one", vec![xattr("user.one", b"1")]),
        ("capability", vec![xattr("security.capability", CAPABILITY)]),
        ("many", many()),
        ("full", vec![xattr("user.large", vec![7; LARGEST])]),
        (
            "both",
            vec![xattr("user.large", vec![7; LARGEST]), xattr("security.selinux", b"system_u:object_r:bin_t:s0\0")],
        ),
    ];
    let mut builder = Builder::new(&Layout::default());
    for (name, xattrs) in &cases {
        add_file(&mut builder, name, xattrs.clone());
    }
    let image = builder.finish(ROOM);
    image.assert_clean();
    if !kernel::is_available() {
        return;
    }
    let mount = Mount::new(&image.path(), Access::ReadOnly).unwrap();
    for (file, xattrs) in &cases {
        let said = mount.run(&format!("getfattr --dump --match=- --encoding=hex {file}")).unwrap();
        let mut expected: Vec<String> = xattrs.iter().map(dumped).collect();
        expected.sort_unstable();
        let mut found: Vec<&str> = said.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{file}");
    }
    mount.unmount().unwrap();
}

/// An attribute as `getfattr` shows it.
fn dumped(xattr: &Xattr) -> String {
    let value: String = xattr.value.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{}=0x{value}", String::from_utf8_lossy(&xattr.name))
}

#[test]
fn access_lists_mean_in_the_guest_what_they_meant_in_the_image() {
    let mut builder = Builder::new(&Layout::default());
    add_file(&mut builder, "file", vec![xattr("system.posix_acl_access", ACL)]);
    let directory = builder.add_directory(Tree::ROOT, "journal");
    let both = [xattr("system.posix_acl_access", ACL), xattr("system.posix_acl_default", ACL)];
    builder.tree.inode_mut(directory).xattrs = both.into();
    let image = builder.finish(ROOM);
    image.assert_clean();
    let list = ["user::rwx", "user:1000:rw-", "group::r-x", "group:4:r-x", "mask::rwx", "other::r-x"];
    if !kernel::is_available() {
        return;
    }
    let mount = Mount::new(&image.path(), Access::ReadOnly).unwrap();
    let shown = |name: &str| mount.run(&format!("getfacl --numeric --omit-header {name}")).unwrap();
    assert_eq!(shown("file").split_whitespace().collect::<Vec<_>>(), list);
    let default = list.map(|entry| format!("default:{entry}"));
    let both: Vec<&str> = list.into_iter().chain(default.iter().map(String::as_str)).collect();
    assert_eq!(shown("journal").split_whitespace().collect::<Vec<_>>(), both);
    mount.unmount().unwrap();
}

#[test]
fn capabilities_mean_in_the_guest_what_they_meant_in_the_image() {
    let mut builder = Builder::new(&Layout::default());
    add_file(&mut builder, "ping", vec![xattr("security.capability", CAPABILITY)]);
    add_file(&mut builder, "namespaced", vec![xattr("security.capability", NAMESPACED)]);
    let image = builder.finish(ROOM);
    if !kernel::is_available() {
        return;
    }
    let mount = Mount::new(&image.path(), Access::ReadOnly).unwrap();
    let said = mount.run("PATH=$PATH:/usr/sbin:/sbin getcap -n ping namespaced").unwrap();
    assert_eq!(said, "ping cap_net_raw=ep\nnamespaced cap_net_raw=ep [rootid=100000]\n");
    mount.unmount().unwrap();
}

#[test]
fn the_kernel_can_change_what_was_written() {
    let mut builder = Builder::new(&Layout::default());
    add_file(&mut builder, "file", many());
    let image = builder.finish(ROOM);
    if !kernel::is_available() {
        return;
    }
    let mount = Mount::new(&image.path(), Access::ReadWrite).unwrap();
    let script = "setfattr -n user.new -v value file; setfattr -x user.empty file; setfattr -n user.x -v y file
                  setfacl -m u:7:r file; getfattr --only-values -n user.new file";
    assert_eq!(mount.run(script).unwrap(), "value");
    mount.unmount().unwrap();
    assert_fsck_is_silent(&image.path());
}

#[test]
fn what_does_not_fit_is_refused_with_its_path_and_its_size() {
    let refused = |xattrs: Vec<Xattr>| {
        let mut builder = Builder::new(&Layout::default());
        add_file(&mut builder, "file", xattrs);
        match builder.try_finish(ROOM).err() {
            Some(Error::Xattrs { path, source }) => {
                assert_eq!(path.as_bytes(), b"/file");
                source
            }
            other => panic!("not refused as it should be: {other:?}"),
        }
    };
    let too_large = XattrError::TooLarge { needed: 4064, room: 4060 };
    assert_eq!(refused(vec![xattr("user.large", vec![7; LARGEST + 1])]), too_large);
    for name in [
        "system.data",
        "system.posix_acl_accessory",
        "user.",
        "lustre.lov",
        "nothing",
        &format!("user.{}", "n".repeat(251)),
    ] {
        assert_eq!(refused(vec![xattr(name, b"1")]), XattrError::IllegalName { name: name.as_bytes().into() });
    }
    let name = b"system.posix_acl_access";
    let malformed = refused(vec![xattr(name, &ACL[..ACL.len() - 1])]);
    assert_eq!(malformed, XattrError::IllegalAcl { name: name[..].into() });
}

#[test]
fn e2fsck_objects_to_a_flipped_byte_in_the_block() {
    if !have("e2fsck") || !have("debugfs") {
        return;
    }
    let mut builder = Builder::new(&Layout::default());
    add_file(&mut builder, "file", vec![xattr("user.large", vec![7; LARGEST])]);
    let image = builder.finish(ROOM);
    let shown = debugfs(&image.path(), "stat /file");
    let (_, block) = shown.split_once("File ACL: ").unwrap();
    let block: u64 = block.split_whitespace().next().unwrap().parse().unwrap();
    let copy = image.copy();
    flip_byte(&copy, block * 4096 + 4000);
    let said = text(&e2fsck(&["-fn"], &copy));
    assert!(said.contains("has a hash") && said.contains("checksum does not match block"), "{said}");
}
