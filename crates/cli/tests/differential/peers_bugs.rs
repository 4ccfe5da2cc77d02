//! Stacks that other writers of root filesystems got wrong, each with the reports that tell of it.

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use nex_testkit::layer::{self, Entry};
use nex_testkit::layout::{Compression, Image};
use nex_testkit::manifest::{Kind, Manifest};
use nex_testkit::{Result, fsck, kernel, nex, places, umoci};

use crate::compare;

/// The time that entries have when a test gives them none.
const MODIFIED: (i64, u32) = (1_600_000_000, 0);

/// Builds the image of these layers, has it judged and compared with umoci's, and gives its tree; none without root.
fn equals_umoci(layers: &[Vec<Entry>]) -> Result<Manifest> {
    image_equals_umoci(&Image::of(layers)?.compressed(Compression::None))
}

/// The same for an image whose layers are tars already.
fn image_equals_umoci(image: &Image) -> Result<Manifest> {
    if !places::is_root() {
        eprintln!("LEFT OUT: umoci and the loop mount are root's");
        return Ok(Manifest::new());
    }
    let directory = nex::directory()?;
    let layout = directory.path().join("layout");
    image.write(&layout, "image")?;
    let output = directory.path().join("out.ext4");
    nex::build(&format!("oci:{}:image", layout.display()), &output)?;
    fsck::judge(&output)?;
    let started = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?;
    let ours = kernel::read_tree(&output)?;
    compare::equal(&BTreeSet::from([MODIFIED]), umoci::tree(&layout, "image")?, ours.clone(), started)?;
    Ok(ours)
}

/// Builds the image of these layers, which fails with all of `words` in its message.
fn is_refused(layers: &[Vec<Entry>], words: &[&str]) -> Result<()> {
    let directory = nex::directory()?;
    let layout = directory.path().join("layout");
    Image::of(layers)?.write(&layout, "image")?;
    let image = format!("oci:{}:image", layout.display());
    nex::fails(&mut nex::rootfs(&image, &directory.path().join("out.ext4"))?, directory.path(), words)
}

fn lower() -> Vec<Entry> {
    vec![
        Entry::directory("a"),
        Entry::file("a/y", "y below"),
        Entry::directory("a/n"),
        Entry::file("a/n/z", "z below"),
        Entry::file("f", "f below"),
    ]
}

/// 34: ggcr #2191.
#[test]
fn nothing_below_a_hidden_directory_comes_back_with_a_new_one() -> Result<()> {
    equals_umoci(&[lower(), vec![Entry::whiteout("a"), Entry::file("a/baz", "new")]])?;
    equals_umoci(&[lower(), vec![Entry::whiteout("a")], vec![Entry::file("a/n/new", "new")]]).map(drop)
}

/// 32, 35: image-spec #171, #840, #1215; ggcr #1897, #2029, #2372; apptainer #2843.
#[test]
fn opaque_marks_work_at_the_root_below_and_in_new_directories() -> Result<()> {
    equals_umoci(&[lower(), vec![Entry::file("new", "n"), Entry::opaque(".")]])?;
    equals_umoci(&[lower(), vec![Entry::opaque("a/n"), Entry::file("a/n/new", "n")]])?;
    equals_umoci(&[lower(), vec![Entry::directory("a").mode(0o700), Entry::opaque("a"), Entry::directory("a/n")]])?;
    equals_umoci(&[lower(), vec![Entry::directory("new"), Entry::file("new/x", "x"), Entry::opaque("new")]]).map(drop)
}

/// 36: ggcr #977, #2002, #2323.
#[test]
fn a_hard_link_keeps_the_bytes_when_the_other_name_is_hidden_or_replaced() -> Result<()> {
    let linked = || [lower(), vec![Entry::hard_link("b", "f")]].concat();
    equals_umoci(&[linked(), vec![Entry::file("f", "f above")]])?;
    equals_umoci(&[linked(), vec![Entry::whiteout("f")]]).map(drop)
}

/// 37: Apple containerization #928.
#[test]
fn any_of_three_links_may_go() -> Result<()> {
    for gone in ["f", "g", "h"] {
        let links = vec![Entry::hard_link("g", "f"), Entry::hard_link("h", "f")];
        equals_umoci(&[[lower(), links].concat(), vec![Entry::whiteout(gone)]])?;
    }
    Ok(())
}

/// 38: smolvm #397, #401; composefs #436.
#[test]
fn a_whiteout_may_be_of_any_type() -> Result<()> {
    for mark in [Entry::hard_link(".wh.f", "missing"), Entry::symlink(".wh.f", "x"), Entry::directory(".wh.f/")] {
        let tree = equals_umoci(&[lower(), vec![mark, Entry::file("new", "n")]])?;
        assert!(!tree.contains_key(&b"f"[..]));
    }
    Ok(())
}

/// 39: Apple containerization #777, container #1797.
#[test]
fn parents_without_an_entry_are_made_for_every_type() -> Result<()> {
    equals_umoci(&[
        vec![
            Entry::file("1/2/f", "f"),
            Entry::hard_link("3/4/l", "1/2/f"),
            Entry::symlink("5/6/s", "7"),
            Entry::character_device("7/8/c", 1, 3),
            Entry::fifo("9/p"),
        ],
        vec![Entry::directory("1/2/d/e"), Entry::block_device("3/b", 8, 0)],
    ])
    .map(drop)
}

/// 40: Apple containerization #611.
#[test]
fn links_in_a_circle_are_refused() -> Result<()> {
    is_refused(&[vec![Entry::hard_link("a", "b"), Entry::hard_link("b", "a")]], &["layer 1", "entry 1 'a'", "'b'"])?;
    is_refused(&[vec![Entry::hard_link("a", "a")]], &["entry 1 'a'"])?;
    let circle = vec![Entry::symlink("a", "b"), Entry::symlink("b", "a"), Entry::file("a/x", "x")];
    is_refused(&[circle], &["entry 3 'a/x'", "symbolic links"])
}

/// 41: Apple containerization #415.
#[test]
fn one_path_may_be_spelled_in_many_ways() -> Result<()> {
    let spellings = ["//s//t//1", "./s/t/2", "s/./t/3", "/s/t/4", ".//s/.//t/5"];
    let files = spellings.map(|path| Entry::file(path, path));
    equals_umoci(&[[vec![Entry::directory("s//"), Entry::directory("./s/./t/")], files.to_vec()].concat()]).map(drop)
}

/// 41: Apple containerization #415.
#[test]
fn a_path_deeper_than_the_kernel_goes_is_refused() -> Result<()> {
    is_refused(&[vec![Entry::file("d/".repeat(10_000) + "f", "x")]], &["layer 1", "entry 1", "4095"])
}

/// 33, 42: hcsshim #1218, #330.
#[test]
fn names_may_come_twice_and_beside_their_whiteouts() -> Result<()> {
    let twice = |path: &str| vec![Entry::directory(path).mode(0o700).owner(1, 1), Entry::directory(path).mode(0o711)];
    equals_umoci(&[lower(), [twice("a"), twice("new")].concat()])?;
    equals_umoci(&[lower(), vec![Entry::whiteout("f"), Entry::file("f", "f above")]])?;
    equals_umoci(&[lower(), vec![Entry::file("f", "f above"), Entry::whiteout("f")]]).map(drop)
}

/// 43, 44b: rockcraft #154, openSUSE #439, go-microvm #99. Stated: without an entry of its own the link is followed; a
/// directory of its own takes the place of the link.
#[test]
fn an_entry_below_a_symlink_follows_it_unless_the_layer_brings_a_directory() -> Result<()> {
    let lower = || vec![Entry::file("usr2/lib/x", "below"), Entry::symlink("lib", "usr2/lib")];
    let followed = equals_umoci(&[lower(), vec![Entry::file("lib/x", "above")]])?;
    let replaced = equals_umoci(&[lower(), vec![Entry::directory("lib/"), Entry::file("lib/x", "above")]])?;
    if places::is_root() {
        assert!(!followed.contains_key(&b"lib/x"[..]));
        assert_eq!(replaced[&b"lib"[..]].kind, Kind::Directory);
    }
    Ok(())
}

/// 44: go-microvm #38.
#[test]
fn a_file_over_a_symlink_leaves_the_links_target_alone() -> Result<()> {
    let lower = vec![Entry::file("bin/busybox", "busybox"), Entry::symlink("bin/env", "busybox")];
    equals_umoci(&[lower, vec![Entry::file("bin/env", "coreutils")]]).map(drop)
}

/// 44d: mvm #1674, A3S Box #78. Across layers: `rootfs/type_changes.rs`.
#[test]
fn every_type_replaces_every_other_in_one_layer() -> Result<()> {
    let of_type = |number: usize, path: &str| match number {
        0 => Entry::file(path, "content"),
        1 => Entry::directory(path).mode(0o750),
        2 => Entry::symlink(path, "target"),
        3 => Entry::hard_link(path, "linked"),
        4 => Entry::character_device(path, 4, 64),
        5 => Entry::block_device(path, 8, 1),
        _ => Entry::fifo(path),
    };
    let pairs = (0..7).flat_map(|first| (0..7).map(move |second| (first, second)));
    let both = pairs.flat_map(|(first, second)| {
        let path = format!("{first}-{second}");
        [of_type(first, &path), of_type(second, &path)]
    });
    equals_umoci(&[[Entry::file("linked", "linked")].into_iter().chain(both).collect()]).map(drop)
}

/// 44e: go-microvm #56. Stated: an image without any layer is refused, with a hint at `scratch`.
#[test]
fn layers_may_be_empty_but_not_missing() -> Result<()> {
    equals_umoci(&[vec![], lower(), vec![]])?;
    equals_umoci(&[vec![], vec![]])?;
    is_refused(&[], &["no layers", "scratch"])
}

/// 45: e2b, `oci.go`.
#[test]
fn a_whiteout_below_a_hidden_directory_changes_nothing() -> Result<()> {
    equals_umoci(&[lower(), vec![Entry::whiteout("a"), Entry::whiteout("a/y"), Entry::opaque("a")]])?;
    equals_umoci(&[lower(), vec![Entry::whiteout("a/y"), Entry::whiteout("a")]]).map(drop)
}

/// 48: microsandbox skips the root's entry.
#[test]
fn the_root_directory_is_what_its_entry_says() -> Result<()> {
    for path in ["./", "/", "."] {
        equals_umoci(&[vec![Entry::directory(path).mode(0o711).owner(7, 8).xattr("user.root", "r")], lower()])?;
    }
    Ok(())
}

/// 49: composefs PR #205. Stated: names that begin with `.wh..wh.` are AUFS's own and mean nothing, but for the opaque
/// mark; a whiteout of nothing, of `.` or of `..` is refused.
#[test]
fn odd_whiteouts_are_ignored_or_refused_and_hide_nothing() -> Result<()> {
    equals_umoci(&[lower(), vec![Entry::file("a/.wh..wh.opq", ""), Entry::file("a/.wh..wh.plnk", "")]])?;
    for name in [".wh.", ".wh..", ".wh..."] {
        is_refused(&[lower(), vec![Entry::file(format!("a/{name}"), "")]], &["layer 2", "entry 1", "whiteout"])?;
    }
    Ok(())
}

/// 52: CVE-2025-62518. The header says that nothing follows, and the PAX record counts.
#[test]
fn a_tar_in_a_file_stays_there_when_the_sizes_differ() -> Result<()> {
    const HEADER: usize = 2 * 512;
    const SIZE: std::ops::Range<usize> = HEADER + 124..HEADER + 135;
    const CHECKSUM: std::ops::Range<usize> = HEADER + 148..HEADER + 156;
    let hidden = layer::tar(&[Entry::file("hidden", "h")])?;
    let mut tar = layer::tar(&[Entry::file("outer", &hidden).pax("size", hidden.len().to_string())])?;
    tar[SIZE].fill(b'0');
    tar[CHECKSUM].fill(b' ');
    let sum: u32 = tar[HEADER..HEADER + 512].iter().map(|byte| u32::from(*byte)).sum();
    tar[CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let image = Image { layers: vec![tar], ..Image::of(&[])? };
    let tree = image_equals_umoci(&image.compressed(Compression::None))?;
    assert!(!tree.contains_key(&b"hidden"[..]));
    Ok(())
}

/// 55.
#[test]
fn a_target_may_have_4095_bytes_and_no_more() -> Result<()> {
    equals_umoci(&[vec![Entry::symlink("l", "t/".repeat(2047) + "t")]])?;
    is_refused(&[vec![Entry::symlink("l", "t/".repeat(2048))]], &["layer 1", "entry 1 'l'", "4096 bytes"])?;
    is_refused(&[vec![Entry::symlink("l", "")]], &["layer 1", "entry 1 'l'", "0 bytes"])
}

/// A whiteout's name is longer by four bytes than any name in a file system.
#[test]
fn the_longest_names_can_be_hidden() -> Result<()> {
    let longest = "n".repeat(255);
    let directory = format!("a/{}", "d".repeat(255));
    let lower = [lower(), vec![Entry::file(&longest, "n"), Entry::file(format!("{directory}/x"), "x")]].concat();
    equals_umoci(&[lower, vec![Entry::whiteout(&longest), Entry::whiteout(&directory)]])?;
    let longer = Entry::whiteout(&"n".repeat(256));
    is_refused(&[vec![longer]], &["layer 1", "entry 1", "name of 260 bytes"])
}

/// 50: overlayfs takes a device 0:0 for a whiteout; in a layer it is a device.
#[test]
fn a_device_0_0_is_a_device() -> Result<()> {
    equals_umoci(&[lower(), vec![Entry::character_device("f", 0, 0)]]).map(drop)
}
