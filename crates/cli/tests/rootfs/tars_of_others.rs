//! What single writers of tars add to POSIX's format is read in `tar:`, and refused in layers of images.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nex_testkit::layout::Image;
use nex_testkit::manifest::{self, Manifest};
use nex_testkit::nex::{self, fails, rootfs};
use nex_testkit::{Result, command, host_tree, image_tree};

/// A root filesystem with access lists, of users and groups that nobody has a name for.
fn tree_with_access_lists() -> Result<tempfile::TempDir> {
    let tree = tempfile::tempdir()?;
    let at = |name: &str| tree.path().join(name);
    fs::create_dir(at("opt"))?;
    fs::create_dir(at("opt/shared"))?;
    for name in ["opt/plain", "opt/listed", "opt/masked"] {
        fs::write(at(name), name)?;
    }
    let set = |arguments: &[&str], name: &str| command::run(Command::new("setfacl").args(arguments).arg(at(name)));
    set(&["-m", "u:123456:rw,g:234567:r"], "opt/listed")?;
    set(&["-m", "u:123456:rwx,g::---,m::rwx"], "opt/masked")?;
    set(&["-m", "u:123456:rwx,d:u:123456:rx,d:g::r"], "opt/shared")?;
    Ok(tree)
}

fn pack(program: &str, arguments: &[&str], tree: &Path, name: &str) -> Result<PathBuf> {
    let tar = tree.parent().unwrap_or(tree).join(format!("{name}-{}.tar", std::process::id()));
    command::run(Command::new(program).arg("-cf").arg(&tar).args(arguments).arg("-C").arg(tree).arg("."))?;
    Ok(tar)
}

/// The part of a tree that these tests make, in whole seconds, as not all forms have more.
fn ours(tree: Manifest) -> Manifest {
    manifest::whole_seconds(tree.into_iter().filter(|(path, _)| path.starts_with(b"opt")).collect())
}

#[test]
fn archives_of_single_writers_are_the_trees_that_they_were_made_of() -> Result<()> {
    let tree = tree_with_access_lists()?;
    let expected = ours(host_tree::read(tree.path())?);
    let lists = |tree: &Manifest| tree.values().filter(|entry| !entry.xattrs.is_empty()).count();
    assert_eq!(lists(&expected), 3, "the file system keeps access lists");
    let place = nex::directory()?;
    let snapshot = format!("--listed-incremental={}", place.path().join("snapshot").display());
    for (name, program, arguments) in [
        ("gnu-acl", "tar", &["--format=posix", "--acls"][..]),
        ("bsd-acl", "bsdtar", &["--format=pax", "--acls"]),
        ("incremental", "tar", &["--format=gnu", &snapshot]),
        ("label", "tar", &["--format=gnu", "--label=an archive"]),
    ] {
        let tar = pack(program, arguments, tree.path(), name)?;
        let output = place.path().join(name);
        let built = nex::build(&format!("tar:{}", tar.display()), &output);
        fs::remove_file(&tar)?;
        built?;
        let found = ours(image_tree::read(&output)?);
        if name.ends_with("acl") {
            manifest::equal(&expected, &found)?;
        } else {
            assert!(found.keys().eq(expected.keys()), "{name}");
            // The control: what has no lists is another tree.
            assert_eq!(lists(&found), 0);
            manifest::equal(&expected, &found).unwrap_err();
        }
    }
    Ok(())
}

#[test]
fn a_list_of_names_is_left_out_with_a_note_and_gives_the_group_nothing() -> Result<()> {
    let place = nex::directory()?;
    let tree = place.path().join("tree");
    fs::create_dir_all(tree.join("opt"))?;
    fs::write(tree.join("opt/secret"), "")?;
    command::run(Command::new("setfacl").args(["-m", "u:nobody:rwx,g::---"]).arg(tree.join("opt/secret")))?;
    let tar = pack("tar", &["--format=posix", "--acls"], &tree, "names")?;
    let (image, output) = (format!("tar:{}", tar.display()), place.path().join("out.ext4"));
    let built = command::output(rootfs(&image, &output)?.args(["--size", "auto", "--format", "json"]))?;
    let said = String::from_utf8_lossy(&built.stdout);
    assert!(built.status.success() && said.contains("access lists with names and no numbers"), "{said}");
    let found = image_tree::read(&output)?;
    let entry = &found[&b"opt/secret"[..]];
    assert_eq!((entry.mode & 0o070, entry.xattrs.len()), (0, 0), "{:o}", entry.mode);
    Ok(())
}

#[test]
fn layers_of_images_have_none_of_it() -> Result<()> {
    let place = nex::directory()?;
    let tree = tree_with_access_lists()?;
    let snapshot = format!("--listed-incremental={}", place.path().join("snapshot").display());
    for (name, arguments, writer) in
        [("d", &["--format=gnu", &snapshot][..], "--incremental"), ("v", &["--format=gnu", "--label=x"], "--label")]
    {
        let tar = pack("tar", arguments, tree.path(), name)?;
        let layer = fs::read(&tar)?;
        fs::remove_file(&tar)?;
        let layout = place.path().join(name);
        Image { layers: vec![layer], ..Image::of(&[])? }.write(&layout, "latest")?;
        let mut build = rootfs(&format!("oci:{}", layout.display()), &place.path().join("out.ext4"))?;
        fails(&mut build, place.path(), &[writer, "layers of images"])?;
    }
    Ok(())
}
