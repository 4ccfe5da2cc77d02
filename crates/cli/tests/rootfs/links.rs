//! Files with more names than ext4 counts.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nex_testkit::kernel::{self, Access, Mount};
use nex_testkit::layer::Entry;
use nex_testkit::layout::{Compression, Image};
use nex_testkit::nex::{self, rootfs};
use nex_testkit::{Result, command, fsck};
use serde_json::Value;

/// `EXT4_LINK_MAX`.
const LINK_MAX: u32 = 65_000;

/// Names of the same length stand in the order of their numbers.
fn name(number: u32) -> String {
    format!("{number:06}")
}

/// An image with a file of so many names, in two directories: the names of `a` come first, and those of `b/c` last.
fn image(names: u32, content: &[u8]) -> Result<Image> {
    let mut entries = vec![Entry::directory("a"), Entry::directory("b"), Entry::directory("b/c")];
    entries.push(Entry::file("b/c/999999", content).mode(0o640).owner(7, 8).xattr("user.x", "y"));
    let directory = |number| if number < names / 2 { "a" } else { "b/c" };
    entries.extend((0..names - 1).map(|n| Entry::hard_link(format!("{}/{}", directory(n), name(n)), "b/c/999999")));
    Ok(Image::of(&[entries])?.compressed(Compression::Zstd))
}

#[test]
fn names_past_the_limit_lead_to_copies() -> Result<()> {
    let content: Vec<u8> = (0..9_000u32).flat_map(|number| number.to_le_bytes()).collect();
    for (names, links) in [(65_000, &[65_000][..]), (65_001, &[65_000, 1]), (130_001, &[65_000, 65_000, 1])] {
        let directory = nex::directory()?;
        image(names, &content)?.write(&directory.path().join("layout"), "image")?;
        let output = directory.path().join("out.ext4");
        let reference = format!("oci:{}:image", directory.path().join("layout").display());
        let report = command::run(rootfs(&reference, &output)?.args(["--size", "auto", "--format", "json"]))?;
        let report: Value = serde_json::from_slice(&report)?;
        fsck::judge(&output)?;
        let notes: Vec<&str> = report["notes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let note = notes.iter().find(|note| note.contains("ext4 counts to 65000"));
        let expected = match links.len() {
            1 => None,
            2 => Some("/a/000000 has 65001 names, and ext4 counts to 65000: 1 of them leads to a copy"),
            _ => Some("/a/000000 has 130001 names, and ext4 counts to 65000: 65001 of them lead to 2 copies"),
        };
        assert_eq!(note, expected.as_ref());
        if kernel::is_available() {
            in_kernel(&output, names, links, &content)?;
        }
    }
    Ok(())
}

/// Each inode has as many names as it says, in order, and all are alike but for their number.
fn in_kernel(output: &Path, names: u32, links: &[u64], content: &[u8]) -> Result<()> {
    let mount = Mount::new(output, Access::ReadOnly)?;
    let path = |number: u32| match number {
        _ if number == names - 1 => mount.path().join("b/c/999999"),
        _ => mount.path().join(if number < names / 2 { "a" } else { "b/c" }).join(name(number)),
    };
    let mut first = 0;
    for count in links {
        let expected = path(first).metadata()?;
        assert_eq!((expected.nlink(), expected.mode() & 0o7777), (*count, 0o640));
        assert_eq!((expected.uid(), expected.gid()), (7, 8));
        assert!(fs::read(path(first))? == content, "name {first} has other bytes");
        let end = first + u32::try_from(*count)?;
        for number in first..end {
            assert_eq!(path(number).metadata()?.ino(), expected.ino(), "name {number} of {names}");
        }
        let xattr = mount.run(&format!("getfattr --only-values -n user.x {}", path(end - 1).display()))?;
        assert_eq!(xattr, "y");
        first = end;
    }
    mount.unmount()
}

#[test]
fn copies_past_the_limit_of_an_image_are_refused() -> Result<()> {
    let directory = nex::directory()?;
    image(2 * LINK_MAX + 1, &vec![1; 100 << 20])?.write(&directory.path().join("layout"), "image")?;
    let reference = format!("oci:{}:image", directory.path().join("layout").display());
    let mut build = rootfs(&reference, &directory.path().join("out.ext4"))?;
    // The layer takes 100 MiB of content and 130,000 headers of half a KiB each; two copies take 200 MiB more.
    build.args(["--size", "auto", "--max-unpacked", "190MiB"]);
    nex::fails(&mut build, directory.path(), &["/a/000000", "199229440", "--max-unpacked"])
}
