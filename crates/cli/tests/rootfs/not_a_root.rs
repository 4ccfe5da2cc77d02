//! What people name as a root filesystem and is none: nothing, another file, an image, programs for other processors. Each is an
//! error that says what it is, and a good output stays as it was.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nex_testkit::layer::Entry;
use nex_testkit::layout::Image;
use nex_testkit::nex::{self, build};
use nex_testkit::{Result, command, skopeo};
use tempfile::TempDir;

/// A directory with what is named, and a good output beside it.
struct Place {
    inputs: TempDir,
    outputs: TempDir,
}

impl Place {
    fn new() -> Result<Self> {
        let place = Self { inputs: nex::directory()?, outputs: nex::directory()? };
        build("scratch", &place.output())?;
        Ok(place)
    }

    fn output(&self) -> PathBuf {
        self.outputs.path().join("app.ext4")
    }

    fn input(&self, name: &str) -> PathBuf {
        self.inputs.path().join(name)
    }

    /// A build of the reference fails with these words, and the output stays.
    fn refuses(&self, reference: &str, stdin: Stdio, words: &[&str]) -> Result<()> {
        let before = fs::read(self.output())?;
        nex::fails(nex::rootfs(reference, &self.output())?.stdin(stdin), self.outputs.path(), words)?;
        assert!(fs::read(self.output())? == before, "{reference} has changed the output");
        Ok(())
    }

    /// As a file and as a pipe.
    fn refuses_tar(&self, name: &str, words: &[&str]) -> Result<()> {
        let file = self.input(name);
        self.refuses(&format!("tar:{}", file.display()), Stdio::null(), words)?;
        self.refuses("tar:-", Stdio::from(File::open(&file)?), words)
    }

    fn compress(&self, name: &str, program: &[&str]) -> Result<()> {
        command::run(Command::new(program[0]).args(&program[1..]).arg(self.input(name))).map(drop)
    }
}

fn tar(file: &Path, directory: &Path, names: &[&str]) -> Result<()> {
    command::run(Command::new("tar").arg("-C").arg(directory).arg("-cf").arg(file).args(names)).map(drop)
}

#[test]
fn nothing_is_no_root_filesystem() -> Result<()> {
    let place = Place::new()?;
    for (name, bytes, words) in [
        ("empty", vec![], "without a byte"),
        ("zeros", vec![0; 10_240], "begins with zeros"),
        ("short", vec![0; 100], "begins with zeros"),
    ] {
        fs::write(place.input(name), bytes)?;
        place.refuses("tar:-", Stdio::from(File::open(place.input(name))?), &[words, "--image scratch"])?;
        place.refuses(&format!("tar:{}", place.input(name).display()), Stdio::null(), &[name, "--image scratch"])?;
        place.compress(name, &["gzip", "-k"])?;
        place.refuses_tar(&format!("{name}.gz"), &["what gzip has compressed in", "--image scratch"])?;
    }
    // What GNU tar makes of no names; and with a header for all that follow, and nothing that follows.
    tar(&place.input("none.tar"), place.inputs.path(), &["-T", "/dev/null"])?;
    place.refuses_tar("none.tar", &["--image scratch"])?;
    let global = ["--format=pax", "--pax-option=globexthdr.name=all,comment=nothing", "-T", "/dev/null"];
    tar(&place.input("global.tar"), place.inputs.path(), &global)?;
    place.refuses_tar("global.tar", &["--image scratch"])?;
    // Control: a directory alone is something.
    fs::create_dir(place.input("bare"))?;
    tar(&place.input("bare.tar"), &place.input("bare"), &["."])?;
    build(&format!("tar:{}", place.input("bare.tar").display()), &place.output())
}

#[test]
fn what_is_no_tar_is_said() -> Result<()> {
    let place = Place::new()?;
    fs::copy(place.output(), place.input("alpine.ext4"))?;
    place.refuses_tar("alpine.ext4", &["is an ext4 file system, and no tar"])?;
    place.compress("alpine.ext4", &["gzip", "-k"])?;
    place.refuses_tar("alpine.ext4.gz", &["what gzip has compressed in", "is an ext4 file system, and no tar"])?;
    for (name, bytes, words) in [
        ("page.html", &b"<html>not found</html>"[..], "an HTML or XML document"),
        ("disk.qcow2", b"QFI\xfb\0\0\0\x03", "a qcow2 image"),
        ("words", b"no tar at all", "is no tar"),
        ("rootfs.tar.bz2", b"BZh91AY&SY", "bzip2 -dc FILE | nex rootfs --image tar:-"),
    ] {
        fs::write(place.input(name), bytes)?;
        place.refuses_tar(name, &[words])?;
    }
    // No tip leads there either.
    let result =
        command::output(&mut nex::rootfs(&place.input("alpine.ext4").display().to_string(), &place.output())?)?;
    let said = String::from_utf8_lossy(&result.stderr);
    assert_eq!(result.status.code(), Some(2), "{said}");
    assert!(said.contains("an ext4 file system, and no image") && !said.contains("did you mean"), "{said}");
    Ok(())
}

#[test]
fn a_tar_of_xz_is_read() -> Result<()> {
    let place = Place::new()?;
    fs::create_dir_all(place.input("root/etc"))?;
    fs::write(place.input("root/etc/file"), "content")?;
    tar(&place.input("root.tar"), &place.input("root"), &["--owner=0", "--group=0", "."])?;
    let plain = place.input("plain.ext4");
    build(&format!("tar:{}", place.input("root.tar").display()), &plain)?;
    // In one stream, and in two, as parallel compressors and appending make them.
    place.compress("root.tar", &["xz", "-k"])?;
    let (start, end) = (place.input("start"), place.input("end"));
    let bytes = fs::read(place.input("root.tar"))?;
    fs::write(&start, &bytes[..1000])?;
    fs::write(&end, &bytes[1000..])?;
    for part in ["start", "end"] {
        place.compress(part, &["xz"])?;
    }
    let two = [fs::read(place.input("start.xz"))?, fs::read(place.input("end.xz"))?].concat();
    fs::write(place.input("two.tar.xz"), two)?;
    for name in ["root.tar.xz", "two.tar.xz"] {
        build(&format!("tar:{}", place.input(name).display()), &place.output())?;
        assert!(fs::read(place.output())? == fs::read(&plain)?, "{name} gives another file than the tar");
    }
    // Control: what is cut short is seen.
    let bytes = fs::read(place.input("root.tar.xz"))?;
    fs::write(place.input("cut.tar.xz"), &bytes[..bytes.len() - 20])?;
    place.refuses_tar("cut.tar.xz", &["xz"])
}

#[test]
fn images_are_named_by_their_own_prefixes() -> Result<()> {
    let place = Place::new()?;
    Image::of(&[vec![Entry::directory("etc"), Entry::file("etc/file", b"content")]])?
        .write(&place.input("layout"), "image")?;
    let source = format!("oci:{}:image", place.input("layout").display());
    place.refuses(
        &format!("rootfs:{}", place.input("layout").display()),
        Stdio::null(),
        &["an OCI layout", " oci:"],
    )?;
    for (name, transport) in [("docker.tar", "docker-archive"), ("oci.tar", "oci-archive")] {
        let right = format!("{transport}:{}", place.input(name).display());
        skopeo::copy(&source, &format!("{right}:a/b:c"))?;
        place.refuses(
            &format!("tar:{}", place.input(name).display()),
            Stdio::null(),
            &[&format!("name it as {right}")],
        )?;
        place.refuses("tar:-", Stdio::from(File::open(place.input(name))?), &[&format!("{transport}:FILE")])?;
        // The advice is good.
        build(&right, &place.output())?;
        let plain = fs::read(place.output())?;
        // And where the archive is compressed.
        place.compress(name, &["gzip", "-k"])?;
        place.compress(name, &["xz", "-k"])?;
        let compressed = |ending: &str| place.input(&format!("{name}.{ending}")).display().to_string();
        let (gzip, xz) = (compressed("gz"), compressed("xz"));
        let right = format!("{transport}:{gzip}");
        place.refuses(&format!("tar:{gzip}"), Stdio::null(), &[&format!("name it as {right}")])?;
        build(&right, &place.output())?;
        assert!(fs::read(place.output())? == plain, "{right} gives another file than the plain archive");
        let way = format!("xz -dc {xz} >image.tar");
        for reference in [format!("tar:{xz}"), format!("{transport}:{xz}")] {
            place.refuses(&reference, Stdio::null(), &[&way])?;
        }
    }
    Ok(())
}

#[test]
fn a_root_filesystem_for_other_processors_is_refused() -> Result<()> {
    let place = Place::new()?;
    let foreign = nex::agent_for_aarch64(place.inputs.path())?;
    fs::create_dir_all(place.input("root/bin"))?;
    fs::copy(&foreign, place.input("root/bin/busybox"))?;
    std::os::unix::fs::symlink("busybox", place.input("root/bin/sh"))?;
    let reference = format!("rootfs:{}", place.input("root").display());
    place.refuses(&reference, Stdio::null(), &["is for arm64, as its /bin/", "--platform linux/arm64"])?;
    // The advice is good.
    let mut asked = nex::rootfs_with(&foreign, &reference, &place.output());
    command::run(asked.args(["--platform", "linux/arm64"]))?;
    // One for these processors is mixed in: a note.
    fs::create_dir(place.input("root/sbin"))?;
    fs::copy(nex::agent()?, place.input("root/sbin/init"))?;
    let report = command::run(nex::rootfs(&reference, &place.output())?.args(["--format", "json"]))?;
    let report: serde_json::Value = serde_json::from_slice(&report)?;
    assert!(report["notes"].to_string().contains("is for arm64, and the platform is amd64"), "{}", report["notes"]);
    Ok(())
}
