//! Layers that want to reach the host, or to mean one thing to us and another to somebody else.

use std::fs;
use std::path::Path;

use nex_testkit::layer::{self, Entry};
use nex_testkit::layout::Image;
use nex_testkit::manifest::{Kind, Manifest};
use nex_testkit::nex::{self, fails, names, rootfs};
use nex_testkit::sparse::{self, Form, header, pax, pax_record};
use nex_testkit::{Result, command, fsck, image_tree};

use crate::layers::image_equals_umoci;

/// The tree of the image that a stack of tars makes; judged by e2fsck.
fn tree(layers: Vec<Vec<u8>>) -> Result<Manifest> {
    let directory = nex::directory()?;
    let layout = directory.path().join("layout");
    Image { layers, ..Image::of(&[])? }.write(&layout, "image")?;
    let output = directory.path().join("out.ext4");
    nex::build(&format!("oci:{}:image", layout.display()), &output)?;
    fsck::check(&output)?;
    image_tree::read(&output)
}

/// The image of these tars is refused with all of `words`, and nothing is left.
fn refused(layers: Vec<Vec<u8>>, words: &[&str]) -> Result<()> {
    let directory = nex::directory()?;
    let layout = directory.path().join("layout");
    Image { layers, ..Image::of(&[])? }.write(&layout, "image")?;
    let image = format!("oci:{}:image", layout.display());
    fails(&mut rootfs(&image, &directory.path().join("out.ext4"))?, directory.path(), words)
}

fn file(tree: &Manifest, path: &str) -> Kind {
    tree[path.as_bytes()].kind.clone()
}

/// T1. An absolute name stands in the image, wherever nex runs; `..` is refused (see `errors.rs` for more of them).
#[test]
fn absolute_names_stay_in_the_image() -> Result<()> {
    let directory = nex::directory()?;
    let outside = directory.path().join("outside");
    let name = outside.display().to_string();
    let found = tree(vec![layer::tar(&[Entry::file(&name, "inside")])?])?;
    assert!(found.contains_key(name.trim_start_matches('/').as_bytes()));
    assert!(!outside.exists(), "written on the host");
    for entry in [Entry::hard_link("link", "/../etc/passwd"), Entry::file("/../outside", ""), Entry::directory("..")] {
        refused(vec![layer::tar(&[entry])?], &["layer 1", "entry 1", "'..'"])?;
    }
    Ok(())
}

/// T2. A link planted by one layer leads the next one's entries around inside the image, never out of it.
#[test]
fn links_planted_by_lower_layers_lead_nowhere_but_into_the_image() -> Result<()> {
    let directory = nex::directory()?;
    let victim = directory.path().join("victim");
    fs::create_dir(&victim)?;
    fs::write(victim.join("precious"), "precious")?;
    let target = victim.display().to_string();
    let up = format!("{}{}", "../".repeat(40), target.trim_start_matches('/'));
    // Described, because umoci gives other directories the time at which it runs.
    let above = (0..target.len()).filter(|&at| at > 0 && target.as_bytes()[at] == b'/').map(|at| &target[1..at]);
    let described: Vec<Entry> = ["./"].into_iter().chain(above).chain([&target[1..]]).map(Entry::directory).collect();
    for target in [&target, &up] {
        let links = vec![Entry::symlink("out", target), Entry::symlink("chained", "out")];
        let planted = [described.clone(), links].concat();
        let through = vec![
            Entry::file("chained/new", "new"),
            Entry::whiteout("out/precious"),
            Entry::opaque("chained"),
            Entry::directory("out/new-directory").mode(0o777),
        ];
        let through = [described.clone(), through].concat();
        image_equals_umoci(&Image::of(&[planted.clone(), through])?)?;
        assert_eq!(names(&victim)?, ["precious"], "through {target}");
        let missing = vec![Entry::hard_link("stolen", "out/precious")];
        refused(vec![layer::tar(&planted)?, layer::tar(&missing)?], &["layer 2", "entry 1", "out/precious"])?;
    }
    Ok(())
}

/// T6. What a file holds is never read as headers, whichever of the sizes is larger (CVE-2025-62518, CVE-2026-33055).
#[test]
fn content_that_looks_like_a_tar_stays_content() -> Result<()> {
    let inner = layer::tar(&[Entry::file("smuggled", "x")])?;
    let size = pax_record("size", &inner.len().to_string()).into_bytes();
    for promised in [0, 512, inner.len() as u64] {
        let outer = [
            pax(size.clone(), &header(b"outer", b'0', promised)),
            sparse::padded(inner.clone()),
            header(b"after", b'0', 0).to_vec(),
        ];
        let found = tree(vec![outer.concat()])?;
        assert!(found.contains_key(&b"after"[..]) && !found.contains_key(&b"smuggled"[..]), "header says {promised}");
        assert_eq!(file(&found, "outer"), file(&tree(vec![layer::tar(&[Entry::file("outer", &inner)])?])?, "outer"));
    }
    // Digits behind NULs: a size for Go, none for GNU tar.
    let mut doubtful = header(b"outer", b'0', 0);
    doubtful[124..136].copy_from_slice(b"\0\0\0\0\0\0\0\x001000");
    sparse::seal(&mut doubtful);
    refused(vec![[&doubtful[..], &inner].concat()], &["layer 1", "entry 1", "size"])?;
    // The other way round: PAX says that there is none, so what follows are headers.
    let none =
        [pax(pax_record("size", "0").into_bytes(), &header(b"outer", b'0', 512)), header(b"after", b'0', 0).to_vec()];
    assert!(tree(vec![none.concat()])?.contains_key(&b"after"[..]));
    Ok(())
}

/// T6. Records that readers make different things of.
#[test]
fn doubtful_headers_are_refused() -> Result<()> {
    let plain = header(b"f", b'0', 0);
    let record = |text: &str| pax(text.as_bytes().to_vec(), &plain);
    for broken in ["8 path=x\n", "99 path=x\n", "path=x\n", "10 path=xy", "0 path=x\n", "-9 path=x\n", " 9 path=x\n"] {
        refused(vec![record(broken)], &["layer 1", "entry 1", "PAX record"])?;
    }
    for (key, value) in [("size", "1e3"), ("size", "-1"), ("uid", "+1"), ("gid", "0x1"), ("mtime", "now")] {
        refused(vec![record(&pax_record(key, value))], &["layer 1", "entry 1", key, value])?;
    }
    let lone = [&plain[..], &[0; 512], &header(b"hidden", b'0', 0)].concat();
    refused(vec![lone], &["layer 1", "entry 2", "zeros stands alone"])?;
    let mut unknown = plain;
    unknown[156] = b'V';
    sparse::seal(&mut unknown);
    refused(vec![unknown.to_vec()], &["layer 1", "entry 1", "type 'V'"])
}

/// T6. Of two headers that extend one entry the older way counts, as in Go, and of two of one type the last one; of two
/// entries of one name the last one.
#[test]
fn where_readers_could_differ_we_read_as_go_does() -> Result<()> {
    let long = [&header(b"././@LongLink", b'L', 5)[..], b"long\0", &[0; 507]].concat();
    let both = [long, pax(pax_record("path", "record").into_bytes(), &header(b"f", b'0', 0))].concat();
    assert!(tree(vec![both])?.contains_key(&b"long"[..]));
    let record = |path: &str| pax(pax_record("path", path).into_bytes(), &header(b"f", b'0', 0));
    let doubled = [&record("first")[..1024], &record("last")].concat();
    assert!(tree(vec![doubled])?.contains_key(&b"last"[..]));
    let global = pax(pax_record("path", "everywhere").into_bytes(), &header(b"f", b'0', 0));
    let mut global = global;
    global[156] = b'g';
    let record = <&mut [u8; 512]>::try_from(&mut global[..512])?;
    sparse::seal(record);
    assert!(tree(vec![global])?.contains_key(&b"f"[..]));
    image_equals_umoci(&Image::of(&[vec![
        Entry::directory("./"),
        Entry::file("f", "1"),
        Entry::fifo("f"),
        Entry::file("f", "22"),
    ]])?)
}

/// T22. Names are bytes: kept as they are, and shown escaped.
#[test]
fn names_of_every_kind_are_kept_and_shown_escaped() -> Result<()> {
    let odd: [&[u8]; 9] = [
        b"\x1b[2J\x1b[31mred",
        b"line\nbreak",
        b"\xff\xfe",
        "\u{202e}gpj.exe".as_bytes(),
        b"File",
        b"file",
        b"...",
        b" ",
        b"-rf",
    ];
    let entries: Vec<Entry> = odd.iter().map(|name| Entry::file(name, "x")).collect();
    let found = tree(vec![layer::tar(&entries)?])?;
    assert!(odd.iter().all(|name| found.contains_key(*name)));
    for name in &odd[..4] {
        let below = [name, &b"/below"[..]].concat();
        let layer = layer::tar(&[Entry::file(name, "x"), Entry::file(&below, "x")])?;
        let directory = nex::directory()?;
        let layout = directory.path().join("layout");
        Image { layers: vec![layer], ..Image::of(&[])? }.write(&layout, "image")?;
        let image = format!("oci:{}:image", layout.display());
        let result = command::output(&mut rootfs(&image, &directory.path().join("out.ext4"))?)?;
        nex::failed(&result, &["layer 1", "entry 2", "not a directory"])?;
        // The ellipsis is nex's own, where a digest is cut.
        let said = String::from_utf8_lossy(&result.stderr).into_owned();
        assert!(
            said.trim_end().chars().all(|letter| (' '..='~').contains(&letter) || letter == '\u{2026}'),
            "{said:?}"
        );
    }
    for name in [&b"a\0b"[..], b""] {
        let records = pax([b"13 path=", name, b"\n"].concat(), &header(b"", b'0', 0));
        refused(vec![records], &["layer 1", "entry 1"])?;
    }
    let nul = pax(b"12 path=a\0b\n".to_vec(), &header(b"f", b'0', 0));
    refused(vec![nul], &["layer 1", "entry 1", "NUL"])
}

/// T22. The root cannot be a file, a link or a device, by any spelling of its name.
#[test]
fn the_root_stays_a_directory() -> Result<()> {
    for path in ["/", ".", "./", "//./"] {
        for entry in [Entry::file(path, "x"), Entry::symlink(path, "/etc"), Entry::character_device(path, 1, 3)] {
            refused(vec![layer::tar(&[entry])?], &["layer 1", "entry 1", "root"])?;
        }
    }
    Ok(())
}

/// T24. Numbers at and past the edges of their fields.
#[test]
fn numbers_that_do_not_fit_are_refused() -> Result<()> {
    for (key, value) in [("uid", "4294967296"), ("gid", "18446744073709551615"), ("uid", "9999999999999999999999")] {
        let layer = pax(pax_record(key, value).into_bytes(), &header(b"f", b'0', 0));
        refused(vec![layer], &["layer 1", "entry 1", value])?;
    }
    for (field, word) in [(108..116, "-1:0"), (116..124, "0:-1"), (124..136, "size")] {
        let mut negative = header(b"f", b'0', 0);
        negative[field].fill(0xff);
        sparse::seal(&mut negative);
        refused(vec![negative.to_vec()], &["layer 1", "entry 1", word])?;
    }
    let huge = pax(pax_record("size", "9223372036854775807").into_bytes(), &header(b"f", b'0', 0));
    refused(vec![huge], &["layer 1", "entry 1"])?;
    for form in Form::ALL {
        let layer = sparse::headers(form, "f", 1 << 20, &[(u64::MAX >> 1, 2)], 2);
        refused(vec![[layer, vec![0; 1024]].concat()], &["layer 1", "entry 1", "sparse map"])?;
    }
    Ok(())
}

/// T24. Times past both ends of what ext4 holds are moved to the end.
#[test]
fn times_past_the_ends_are_clamped() -> Result<()> {
    let entry = |name: &str, time: &str| Entry::file(name, "x").pax("mtime", time);
    let found = tree(vec![layer::tar(&[entry("late", "99999999999"), entry("latest", "9223372036854775807.9")])?])?;
    for name in ["late", "latest"] {
        assert_eq!(found[name.as_bytes()].modified.0, 15_032_385_535, "{name}");
    }
    Ok(())
}

/// Nothing of an image may be a path that nex opens.
#[test]
fn a_build_touches_nothing_beside_its_output() -> Result<()> {
    let directory = nex::directory()?;
    let before = names(Path::new("/"))?;
    let layout = directory.path().join("layout");
    let name = "nex-was-here";
    Image::of(&[vec![Entry::file(format!("/{name}"), "x"), Entry::character_device(format!("/dev/{name}"), 1, 3)]])?
        .write(&layout, "image")?;
    nex::build(&format!("oci:{}:image", layout.display()), &directory.path().join("out.ext4"))?;
    assert_eq!(names(Path::new("/"))?, before);
    assert!(!Path::new("/dev").join(name).exists());
    assert_eq!(names(directory.path())?, ["layout", "out.ext4"]);
    Ok(())
}
