//! What an upper layer deletes or replaces is gone: no byte of it is anywhere in the output.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use nex_testkit::layer::Entry;
use nex_testkit::layout::Image;
use nex_testkit::nex::{self, rootfs};
use nex_testkit::{Failure, Result, command, fsck, places};

/// What begins every text that the tests look for.
const MARK: &str = "the-mark-of-";

/// A text that is nowhere else: `who` has no dot.
fn mark(who: &str) -> String {
    format!("{MARK}{who}.")
}

/// Content of some blocks and a bit, with the mark in each part of it.
fn content(who: &str) -> String {
    mark(who).repeat(1000)
}

/// A stack in which each mark stands for a way to go or to stay.
fn stack() -> Result<Image> {
    let file = |path: &str, who: &str| Entry::file(path, content(who));
    Image::of(&[
        vec![
            Entry::directory("etc"),
            file("etc/deleted", "gone-deleted"),
            file("etc/replaced", "gone-replaced"),
            file("etc/shorter", "gone-tail"),
            file("etc/truncated", "gone-truncated"),
            file("etc/to-link", "gone-to-link"),
            file("etc/to-directory", "gone-to-directory"),
            file("etc/linked", "gone-linked"),
            Entry::hard_link("etc/linked-too", "etc/linked"),
            file("etc/survivor", "kept-by-a-link"),
            Entry::hard_link("etc/second", "etc/survivor"),
            Entry::directory("opaque"),
            file("opaque/a", "gone-opaque"),
            Entry::directory("opaque/deep"),
            file("opaque/deep/b", "gone-opaque-deep"),
            Entry::directory("tree"),
            file("tree/c", "gone-tree"),
            Entry::directory("becomes-file"),
            file("becomes-file/d", "gone-becomes-file"),
            Entry::symlink("etc/short-target", mark("gone-target")),
            Entry::symlink("etc/long-target", mark("gone-long-target").repeat(50)),
            Entry::file("etc/attributes", "x").xattr("user.short", mark("gone-xattr")),
            Entry::file("etc/long-attributes", "x").xattr("user.long", mark("gone-long-xattr").repeat(50)),
            Entry::file(format!("etc/{}name", mark("gone-name")), "x"),
            file("etc/kept", "kept-file"),
        ],
        vec![
            Entry::whiteout("etc/deleted"),
            file("etc/replaced", "gone-replaced-again"),
            Entry::file("etc/shorter", mark("kept-tail")),
            Entry::file("etc/truncated", ""),
            Entry::symlink("etc/to-link", "kept"),
            Entry::directory("etc/to-directory"),
            Entry::whiteout("etc/linked"),
            Entry::whiteout("etc/linked-too"),
            Entry::whiteout("etc/survivor"),
            Entry::opaque("opaque"),
            file("opaque/new", "kept-opaque"),
            Entry::whiteout("tree"),
            file("becomes-file", "kept-becomes-file"),
            Entry::whiteout("etc/short-target"),
            Entry::whiteout("etc/long-target"),
            Entry::file("etc/attributes", "x"),
            Entry::file("etc/long-attributes", "x"),
            Entry::whiteout(&format!("etc/{}name", mark("gone-name"))),
            file("etc/twice", "gone-first-of-two"),
            file("etc/twice", "kept-second-of-two"),
        ],
        vec![file("etc/replaced", "kept-replaced")],
    ])
}

/// The names of all marks in some bytes, as grep finds them.
fn marks(bytes: Stdio) -> Result<Vec<String>> {
    let mut grep = Command::new("grep");
    // Lines end with NUL here, so that holes are no lines of gigabytes.
    grep.env("LC_ALL", "C").args(["-z", "-a", "-o", &format!("{MARK}[a-z-]*\\.")]).stdin(bytes);
    let found = command::run(&mut grep)?;
    let mut names: Vec<String> =
        found.split(|byte| *byte == 0).map(|name| String::from_utf8_lossy(name).into()).collect();
    names.retain(|name| !name.is_empty());
    names.sort();
    names.dedup();
    Ok(names)
}

/// Everything that is kept is found, which shows that grep would find the rest too.
fn holds_the_kept_only(bytes: Stdio) -> Result<()> {
    let kept = [
        "kept-becomes-file",
        "kept-by-a-link",
        "kept-file",
        "kept-opaque",
        "kept-replaced",
        "kept-second-of-two",
        "kept-tail",
    ];
    assert_eq!(marks(bytes)?, kept.map(mark));
    Ok(())
}

fn open(path: &Path) -> Result<Stdio> {
    Ok(Stdio::from(File::open(path)?))
}

#[test]
fn every_mark_is_found_where_nothing_deletes_it() -> Result<()> {
    let directory = nex::directory()?;
    let layout = directory.path().join("layout");
    let lowest = Image { layers: stack()?.layers.into_iter().take(1).collect(), ..stack()? };
    lowest.write(&layout, "image")?;
    let output = directory.path().join("out.ext4");
    nex::build(&format!("oci:{}:image", layout.display()), &output)?;
    assert_eq!(marks(open(&output)?)?.len(), 18);
    Ok(())
}

#[test]
fn deleted_content_is_in_no_form_of_the_output() -> Result<()> {
    let directory = nex::directory()?;
    let layout = directory.path().join("layout");
    stack()?.write(&layout, "image")?;
    let image = format!("oci:{}:image", layout.display());
    let plain = directory.path().join("out.ext4");
    nex::build(&image, &plain)?;
    fsck::judge(&plain)?;
    holds_the_kept_only(open(&plain)?)?;
    for (name, tool) in [("out.ext4.gz", "gzip"), ("out.ext4.zst", "zstd")] {
        let output = directory.path().join(name);
        nex::build(&image, &output)?;
        let mut unpack = Command::new(tool).arg("-dc").stdin(open(&output)?).stdout(Stdio::piped()).spawn()?;
        let unpacked = unpack.stdout.take().ok_or(Failure::new("no pipe"))?;
        holds_the_kept_only(Stdio::from(unpacked))?;
        assert!(unpack.wait()?.success());
    }
    let mut piped = rootfs(&image, Path::new("-"))?;
    let mut piped = piped.args(["--size", "auto"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let output = piped.stdout.take().ok_or(Failure::new("no pipe"))?;
    holds_the_kept_only(Stdio::from(output))?;
    assert!(piped.wait()?.success());
    Ok(())
}

/// What stands behind the end of a file in its last block is zeros, whatever stood in the buffer before.
#[test]
fn nothing_stands_behind_the_end_of_a_file() -> Result<()> {
    let directory = nex::directory()?;
    let layout = directory.path().join("layout");
    let long = Entry::file("long", content("kept-long"));
    let short = (1..60).map(|number| Entry::file(format!("short-{number}"), vec![b's'; number * 100]));
    Image::of(&[[vec![long], short.collect()].concat()])?.write(&layout, "image")?;
    let output = directory.path().join("out.ext4");
    nex::build(&format!("oci:{}:image", layout.display()), &output)?;
    let bytes = fs::read(&output)?;
    let mut blocks = 0;
    for block in bytes.chunks(4096).filter(|block| block.starts_with(&[b's'; 100])) {
        let content = block.iter().take_while(|byte| **byte == b's').count();
        assert!(block[content..].iter().all(|byte| *byte == 0), "something stands behind {content} bytes");
        blocks += 1;
    }
    assert!(blocks >= 59, "only {blocks} blocks of short files were found");
    Ok(())
}

/// On a file system that cannot punch holes, zeros are written: the same bytes as elsewhere.
#[test]
fn deleted_content_is_gone_where_no_hole_can_be_punched() -> Result<()> {
    if !places::is_root() {
        eprintln!("LEFT OUT: mounting a ramfs is root's");
        return Ok(());
    }
    let directory = nex::directory()?;
    let layout = directory.path().join("layout");
    stack()?.write(&layout, "image")?;
    let image = format!("oci:{}:image", layout.display());
    let elsewhere = directory.path().join("elsewhere.ext4");
    command::run(rootfs(&image, &elsewhere)?.args(["--size", "32MiB"]))?;

    let memory = directory.path().join("memory");
    fs::create_dir(&memory)?;
    let script = r#"
        mount -t ramfs ramfs "$0"
        echo 'a hole' >"$0/probe"
        ! fallocate --punch-hole --length 4096 "$0/probe" 2>/dev/null || { echo 'ramfs can punch holes' >&2; exit 1; }
        "$@" >/dev/null
        cat "$0/rootfs.ext4"
    "#;
    let build = rootfs(&image, &memory.join("rootfs.ext4"))?;
    let mut unshare = Command::new("unshare");
    unshare.args(["--mount", "sh", "-e", "-c", script]).arg(&memory);
    unshare.arg(build.get_program()).args(build.get_args()).args(["--size", "32MiB"]);
    let output = directory.path().join("out.ext4");
    assert!(unshare.stdout(File::create(&output)?).status()?.success());
    holds_the_kept_only(open(&output)?)?;
    fsck::judge(&output)?;
    assert!(fs::read(&output)? == fs::read(&elsewhere)?, "the host's file system changes the image");
    Ok(())
}
