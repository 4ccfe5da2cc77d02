//! The inputs are what they say: other programs read them.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use nex_testkit::layer::Entry;
use nex_testkit::layout::{Compression, Image};
use nex_testkit::manifest::Kind;
use nex_testkit::registry::{Protection, Registry};
use nex_testkit::{Result, command, places, skopeo, umoci};

fn image() -> Result<Image> {
    let long = format!("deep/{}/file", "n".repeat(120));
    Image::of(&[
        vec![
            Entry::directory("deep").mode(0o1777),
            Entry::file(&long, "long name").modified(-5, 250_000_000),
            Entry::file("owned", "x").owner(3_000_000, 70_000).xattr("user.note", b"\x00\xff").mode(0o4755),
            Entry::hard_link("again", "owned"),
            Entry::file("gone", "below"),
            Entry::character_device("null", 1, 3),
            Entry::fifo("pipe"),
            Entry::symlink("link", "l".repeat(300)),
        ],
        vec![Entry::whiteout("gone"), Entry::opaque("deep"), Entry::file("deep/new", "above")],
    ])
}

#[test]
fn umoci_unpacks_hand_made_layers() -> Result<()> {
    if !places::is_root() {
        eprintln!("LEFT OUT: unpacking with owners is root's");
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    image()?.write(directory.path(), "one")?;
    let tree = umoci::tree(directory.path(), "one")?;
    let names: Vec<String> = tree.keys().map(|path| path.escape_ascii().to_string()).collect();
    assert_eq!(names, ["", "again", "deep", "deep/new", "link", "null", "owned", "pipe"]);
    let owned = &tree[&b"owned"[..]];
    assert_eq!((owned.uid, owned.gid, owned.mode), (3_000_000, 70_000, 0o4755));
    assert_eq!(owned.xattrs[&b"user.note"[..]], b"\x00\xff");
    assert_eq!(tree[&b"owned"[..]].linked.as_deref(), Some(&b"again"[..]));
    assert_eq!(tree[&b"null"[..]].kind, Kind::CharacterDevice(1, 3));
    Ok(())
}

#[test]
fn skopeo_reads_every_kind_of_layout() -> Result<()> {
    for compression in [Compression::None, Compression::Gzip, Compression::GzipMembers, Compression::Zstd] {
        for media_type in [true, false] {
            let directory = tempfile::tempdir()?;
            let layout = directory.path().join("layout");
            Image { media_type, ..image()?.compressed(compression) }.write(&layout, "one")?;
            let archive = directory.path().join("archive.tar");
            skopeo::copy(&format!("oci:{}:one", layout.display()), &format!("oci-archive:{}:one", archive.display()))?;
        }
    }
    Ok(())
}

#[test]
fn umoci_and_skopeo_object_to_a_layer_that_is_not_what_its_digest_says() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let layout = directory.path().join("layout");
    image()?.write(&layout, "one")?;
    let blobs = fs::read_dir(layout.join("blobs/sha256"))?.map(|entry| Ok(entry?.path()));
    let mut blobs = blobs.collect::<Result<Vec<PathBuf>>>()?;
    blobs.retain(|blob| fs::read(blob).is_ok_and(|bytes| !bytes.starts_with(b"{")));
    for blob in blobs {
        let bytes = fs::read(&blob)?;
        let mut damaged = bytes.clone();
        let middle = bytes.len() / 2;
        damaged[middle] ^= 1;
        fs::write(&blob, damaged)?;
        let archive = directory.path().join("archive.tar");
        let copied =
            skopeo::copy(&format!("oci:{}:one", layout.display()), &format!("oci-archive:{}:one", archive.display()));
        assert!(copied.is_err(), "skopeo copies a damaged layer");
        if places::is_root() {
            assert!(umoci::unpack(&layout, "one").is_err(), "umoci unpacks a damaged layer");
        }
        fs::write(&blob, bytes)?;
    }
    skopeo::copy(
        &format!("oci:{}:one", layout.display()),
        &format!("oci-archive:{}:one", directory.path().join("whole.tar").display()),
    )
}

#[test]
fn a_registry_takes_a_push_and_asks_for_a_password() -> Result<()> {
    let directory = tempfile::tempdir()?;
    image()?.write(directory.path(), "one")?;
    let source = format!("oci:{}:one", directory.path().display());
    let open = Registry::start(Protection::Open)?;
    skopeo::push(&source, &open, "team/image:one")?;
    let protected = Registry::start(Protection::Password)?;
    let reference = skopeo::push(&source, &protected, "team/image:one")?;
    let mut anonymous = Command::new("skopeo");
    anonymous.args(["inspect", "--no-creds", "--tls-verify=false", &format!("docker://{reference}")]);
    let refusal = command::run(&mut anonymous).expect_err("the registry must ask for a password").to_string();
    assert!(refusal.contains("authentication required"), "{refusal}");
    Ok(())
}
