//! Layers mean what umoci says they mean.

use std::path::Path;

use nex_testkit::layer::Entry;
use nex_testkit::layout::{Compression, Image};
use nex_testkit::manifest::Manifest;
use nex_testkit::nex::{self, build, tree_is};
use nex_testkit::{Result, backup, fsck, image_tree, kernel, places, umoci};

/// Builds the image of these layers, each with a root directory of its own, has it judged, and compares it with umoci's.
fn equals_umoci(layers: Vec<Vec<Entry>>) -> Result<()> {
    let root = Entry::directory("./").modified(1_500_000_000, 0);
    let layers: Vec<Vec<Entry>> = layers.into_iter().map(|entries| [vec![root.clone()], entries].concat()).collect();
    image_equals_umoci(&Image::of(&layers)?)
}

/// Builds an image, and compares its tree with the one that umoci unpacks.
pub fn image_equals_umoci(image: &Image) -> Result<()> {
    let directory = nex::directory()?;
    let layout = directory.path().join("layout");
    image.write(&layout, "image")?;
    let output = directory.path().join("out.ext4");
    build(&format!("oci:{}:image", layout.display()), &output)?;
    fsck::judge(&output)?;
    if places::is_root() {
        return tree_is(&output, &umoci::tree(&layout, "image")?);
    }
    eprintln!("LEFT OUT: the comparison with umoci, whose unpacking with owners is root's");
    Ok(())
}

fn base() -> Vec<Entry> {
    vec![
        Entry::directory("etc"),
        Entry::directory("usr"),
        Entry::directory("usr/lib").mode(0o2755).owner(5, 6),
        Entry::symlink("lib", "usr/lib"),
        Entry::file("usr/lib/a", "a below"),
        Entry::file("usr/lib/b", "b below").mode(0o4711),
        Entry::directory("usr/share"),
        Entry::file("usr/share/doc", "doc below"),
        Entry::directory("usr/share/empty").mode(0o1777),
    ]
}

/// The comparison that the other tests rely on lets the guest's layer pass, and nothing else.
#[test]
fn the_comparison_objects_to_what_is_not_the_guests() -> Result<()> {
    let directory = nex::directory()?;
    let layout = directory.path().join("layout");
    five_layers()?.write(&layout, "image")?;
    let output = directory.path().join("out.ext4");
    build(&format!("oci:{}:image", layout.display()), &output)?;
    let found = image_tree::read(&output)?;
    nex::same_but_for_guest(&found, &found)?;
    let objection = |change: &dyn Fn(&mut Manifest)| {
        let mut expected = found.clone();
        change(&mut expected);
        nex::same_but_for_guest(&expected, &found).err().map(|failure| failure.to_string()).unwrap_or_default()
    };
    let altered = |name: &'static str| {
        move |tree: &mut Manifest| {
            tree.entry(name.into()).and_modify(|entry| entry.mode ^= 0o100);
        }
    };
    for name in ["etc/kept", "usr/lib", "usr"] {
        assert!(objection(&altered(name)).contains(&format!("/{name}: mode")), "{name}");
    }
    assert!(objection(&|tree| drop(tree.remove(&b"etc/z"[..]))).contains("/etc/z: not expected"));
    let moved = |tree: &mut Manifest| {
        let entry = tree.remove(&b"etc/z"[..]);
        tree.extend(entry.map(|entry| (b"etc/y".to_vec(), entry)));
    };
    assert!(objection(&moved).contains("/etc/y: missing"));
    for name in ["etc/hostname", "usr/local/bin/agent"] {
        assert_eq!(objection(&altered(name)), "", "{name} is the guest's");
    }
    Ok(())
}

#[test]
fn whiteouts_hide_names_of_lower_layers_only() -> Result<()> {
    equals_umoci(vec![
        base(),
        vec![
            Entry::file("usr/lib/a", "a above"),
            Entry::whiteout("usr/lib/a"),
            Entry::whiteout("usr/lib/b"),
            Entry::whiteout("usr/share"),
        ],
        vec![Entry::directory("usr/share").mode(0o700), Entry::file("usr/share/new", "n")],
    ])
}

#[test]
fn an_opaque_mark_hides_what_is_below_wherever_it_stands() -> Result<()> {
    let above = || vec![Entry::directory("usr/lib").mode(0o755), Entry::file("usr/lib/new", "new")];
    equals_umoci(vec![base(), [above(), vec![Entry::opaque("usr/lib")]].concat()])?;
    equals_umoci(vec![base(), [vec![Entry::opaque("usr/lib")], above()].concat()])
}

#[test]
fn directories_merge_and_take_the_metadata_of_the_upper_layer() -> Result<()> {
    equals_umoci(vec![
        base(),
        vec![
            Entry::directory("usr").mode(0o711),
            Entry::directory("usr/lib").mode(0o700).owner(9, 9).modified(1_650_000_000, 987_654_321),
            Entry::file("usr/lib/c", "c"),
        ],
    ])
}

#[test]
fn parents_resolve_through_links_of_the_image() -> Result<()> {
    equals_umoci(vec![base(), vec![Entry::file("lib/through", "the link"), Entry::file("lib/a", "a replaced")]])
}

#[test]
fn a_link_in_the_last_place_is_replaced() -> Result<()> {
    equals_umoci(vec![
        [base(), vec![Entry::symlink("to-a", "usr/lib/a"), Entry::symlink("out", "../../../etc/passwd")]].concat(),
        vec![Entry::file("to-a", "a file now"), Entry::file("out", "another")],
    ])
}

#[test]
fn hard_links_cross_layers_and_outlive_the_first_name() -> Result<()> {
    equals_umoci(vec![
        [base(), vec![Entry::hard_link("usr/lib/a2", "usr/lib/a")]].concat(),
        vec![Entry::hard_link("usr/lib/a3", "usr/lib/a"), Entry::hard_link("etc/b2", "usr/lib/b")],
        vec![Entry::whiteout("usr/lib/a"), Entry::file("usr/lib/b", "b is another file now")],
    ])
}

#[test]
fn the_last_entry_of_a_name_wins() -> Result<()> {
    equals_umoci(vec![
        base(),
        vec![
            Entry::file("etc/twice", "first"),
            Entry::symlink("etc/link", "twice"),
            Entry::file("etc/twice", "second").mode(0o600),
            Entry::file("etc/link", "third"),
        ],
    ])
}

#[test]
fn everything_that_a_name_can_have_is_kept() -> Result<()> {
    let capability = b"\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";
    let acl = b"\x02\0\0\0\x01\0\x07\0\xff\xff\xff\xff\x02\0\x06\0\xd2\x04\0\0\x04\0\x05\0\xff\xff\xff\xff\
                \x10\0\x07\0\xff\xff\xff\xff\x20\0\x05\0\xff\xff\xff\xff";
    equals_umoci(vec![
        base(),
        vec![
            Entry::file("etc/ping", "x").mode(0o755).xattr("security.capability", capability),
            Entry::file("etc/large-ids", "x").owner(4_000_000_000, 3_000_000_000),
            Entry::directory("etc/acl").mode(0o775).xattr("system.posix_acl_access", acl),
            Entry::directory("etc/acl-default").xattr("system.posix_acl_default", acl),
            Entry::file("etc/many", "x")
                .xattr("user.one", "1")
                .xattr("user.long", vec![b'x'; 3000])
                .xattr("trusted.t", "t"),
            Entry::character_device("etc/console", 5, 1).mode(0o620).owner(0, 5),
            Entry::block_device("etc/disk", 259, 100_000),
            Entry::fifo("etc/pipe").mode(0o4622),
            Entry::symlink("etc/link59", "l".repeat(59)),
            Entry::symlink("etc/link60", "l".repeat(60)),
            Entry::symlink("etc/link4000", "l/".repeat(2000)),
            Entry::file([&b"etc/"[..], &[b'n'; 255]].concat(), "longest name"),
            Entry::file(b"etc/not utf-8 \xff\xfe \n\t\"quoted\" \\", "odd name"),
            Entry::file("etc/empty", ""),
            Entry::file("etc/block", vec![1; 4096]),
            Entry::file("etc/large", vec![2; 5_000_001]),
        ],
    ])
}

/// What umoci does not restore: an SELinux label, and a time that overflows Go's nanoseconds.
#[test]
fn labels_and_the_latest_times_are_kept() -> Result<()> {
    let directory = nex::directory()?;
    let layout = directory.path().join("layout");
    let label = "system_u:object_r:etc_t:s0\0";
    let late = (15_000_000_000, 999_999_999);
    let entry = Entry::file("labelled", "x").xattr("security.selinux", label).modified(late.0, late.1);
    Image::of(&[vec![entry]])?.write(&layout, "image")?;
    let output = directory.path().join("out.ext4");
    build(&format!("oci:{}:image", layout.display()), &output)?;
    fsck::judge(&output)?;
    let tree = image_tree::read(&output)?;
    assert_eq!(tree[&b"labelled"[..]].modified, late);
    assert_eq!(tree[&b"labelled"[..]].xattrs[&b"security.selinux"[..]], label.as_bytes());
    Ok(())
}

/// Read back by the kernel: `ext4-view` 1.0 takes no time whose lower 32 bits are negative, though ext4 has them.
#[test]
fn times_before_1970_and_after_2038_are_kept() -> Result<()> {
    if !places::is_root() {
        eprintln!("LEFT OUT: a loop mount is root's");
        return Ok(());
    }
    let directory = nex::directory()?;
    let layout = directory.path().join("layout");
    let times =
        [(-2_147_483_648, 0), (-2_000_000_000, 500_000_000), (-1, 999_999_999), (2_147_483_648, 1), (5_000_000_000, 2)];
    let files = times.iter().enumerate();
    let files = files
        .map(|(number, (seconds, nanoseconds))| Entry::file(number.to_string(), "x").modified(*seconds, *nanoseconds));
    Image::of(&[[vec![Entry::directory("./")], files.collect()].concat()])?.write(&layout, "image")?;
    let output = directory.path().join("out.ext4");
    build(&format!("oci:{}:image", layout.display()), &output)?;
    fsck::judge(&output)?;
    nex::same_but_for_guest(&umoci::tree(&layout, "image")?, &kernel::read_tree(&output)?)
}

#[test]
fn a_directory_of_many_names_is_kept() -> Result<()> {
    let files =
        (0..5_000).map(|number| Entry::file(format!("many/name-of-some-length-{number:06}"), number.to_string()));
    equals_umoci(vec![[base(), vec![Entry::directory("many")], files.collect()].concat()])
}

/// Five layers that hide, replace, link and change types.
pub fn five_layers() -> Result<Image> {
    let root = || Entry::directory("./").modified(1_500_000_000, 0);
    Image::of(&[
        [vec![root()], base()].concat(),
        vec![root(), Entry::whiteout("usr/lib/a"), Entry::file("etc/kept", "kept"), Entry::fifo("usr/lib/p")],
        vec![
            root(),
            Entry::opaque("usr/share"),
            Entry::file("usr/share/new", "new"),
            Entry::hard_link("k2", "etc/kept"),
        ],
        vec![
            root(),
            Entry::directory("usr/lib/p"),
            Entry::file("usr/lib/p/q", "a pipe was here"),
            Entry::whiteout("k2"),
        ],
        vec![root(), Entry::hard_link("k3", "etc/kept"), Entry::symlink("usr/share", "lib"), Entry::file("etc/z", "z")],
    ])
}

#[test]
fn five_layers_pass_every_judge_in_every_compression() -> Result<()> {
    for compression in [Compression::None, Compression::Gzip, Compression::GzipMembers, Compression::Zstd] {
        for media_type in [true, false] {
            let directory = nex::directory()?;
            let layout = directory.path().join("layout");
            Image { media_type, ..five_layers()?.compressed(compression) }.write(&layout, "image")?;
            let output = directory.path().join("out.ext4");
            build(&format!("oci:{}:image", layout.display()), &output)?;
            fsck::judge(&output)?;
            if places::is_root() && compression != Compression::Zstd {
                tree_is(&output, &umoci::tree(&layout, "image")?)?;
            }
        }
    }
    Ok(())
}

#[test]
fn the_kernel_reads_and_writes_the_result_and_backups_restore_it() -> Result<()> {
    let directory = nex::directory()?;
    let layout = directory.path().join("layout");
    five_layers()?.write(&layout, "image")?;
    let output = directory.path().join("out.ext4");
    let image = format!("oci:{}:image", layout.display());
    nex_testkit::command::run(nex::rootfs(&image, &output)?.args(["--size", "300MiB"]))?;
    let tree = image_tree::read(&output)?;
    for group in [1, 3].into_iter().take(groups(&output)?) {
        backup::restores(&output, group, 33, &tree)?;
    }
    if places::is_root() {
        nex_testkit::manifest::equal(&tree, &kernel::read_tree(&output)?)?;
        return kernel::writes(&output);
    }
    eprintln!("LEFT OUT: a loop mount is root's");
    Ok(())
}

/// How many groups with a backup an image of up to three groups has.
fn groups(image: &Path) -> Result<usize> {
    const GROUP: u64 = 32_768 * 4096;
    Ok(usize::from(image.metadata()?.len() > GROUP))
}
