//! Whatever goes wrong: exit code 1, a message that says what, where and what to do, and nothing left behind.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nex_testkit::layer::{self, Entry};
use nex_testkit::layout::{Compression, Image};
use nex_testkit::nex::{self, failed, fails, names, rootfs, rootfs_with};
use nex_testkit::{Failure, Result, command, fsck, noise, places, program};
use tempfile::TempDir;

use crate::layers::five_layers;

/// A directory with an image in it, and another for the output.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new() -> Result<Self> {
        let place = Self { directory: nex::directory()? };
        fs::create_dir(place.output_directory())?;
        fs::set_permissions(place.output_directory(), fs::Permissions::from_mode(0o777))?;
        Ok(place)
    }

    fn with(image: &Image) -> Result<Self> {
        let place = Self::new()?;
        image.write(&place.layout(), "image")?;
        Ok(place)
    }

    fn layout(&self) -> PathBuf {
        self.directory.path().join("layout")
    }

    fn image(&self) -> String {
        format!("oci:{}:image", self.layout().display())
    }

    fn output_directory(&self) -> PathBuf {
        self.directory.path().join("out")
    }

    fn build(&self, image: &str) -> Result<Command> {
        rootfs(image, &self.output_directory().join("rootfs.ext4"))
    }

    fn fails(&self, command: &mut Command, words: &[&str]) -> Result<()> {
        fails(command, &self.output_directory(), words)
    }

    /// The blob of the largest layer.
    fn layer(&self) -> Result<PathBuf> {
        let blobs = self.layout().join("blobs/sha256");
        let sized = |name: String| blobs.join(name).metadata().map(|metadata| (metadata.len(), metadata.is_file()));
        let all = names(&blobs)?;
        let largest = all.iter().max_by_key(|name| sized((*name).clone()).unwrap_or_default());
        largest.map(|name| blobs.join(name)).ok_or(Failure::new("the layout has no blobs"))
    }
}

/// An image of one layer whose blob is the largest of its layout.
fn one_layer(compression: Compression) -> Result<Image> {
    let noise = noise::bytes(800_000, 1);
    Ok(Image::of(&[vec![Entry::directory("etc"), Entry::file("etc/noise", noise)]])?.compressed(compression))
}

#[test]
fn a_path_without_a_transport_is_no_guess() -> Result<()> {
    let place = Place::new()?;
    let tar = place.directory.path().join("image.tar");
    fs::write(&tar, "")?;
    let result = command::output(&mut place.build(&tar.display().to_string())?)?;
    let text = String::from_utf8_lossy(&result.stderr);
    assert_eq!(result.status.code(), Some(2), "{text}");
    assert!(text.contains("is a file here") && text.contains("did you mean tar:"), "{text}");
    Ok(())
}

#[test]
fn an_image_that_is_not_there_is_named() -> Result<()> {
    let place = Place::new()?;
    place.fails(&mut place.build("oci:/nonexistent/layout")?, &["/nonexistent/layout"])?;
    place.fails(&mut place.build("docker-archive:/nonexistent.tar")?, &["/nonexistent.tar"])?;
    place.fails(&mut place.build("tar:/nonexistent.tar")?, &["/nonexistent.tar"])?;
    place.fails(&mut place.build("rootfs:/nonexistent")?, &["/nonexistent"])
}

#[test]
fn a_missing_tag_or_platform_lists_what_there_is() -> Result<()> {
    let place = Place::with(&five_layers()?)?;
    let other = format!("oci:{}:other", place.layout().display());
    place.fails(&mut place.build(&other)?, &["other", "image"])?;
    let agent = nex::agent_for_aarch64(place.directory.path())?;
    let mut build = with_agent(&place, &place.image(), &agent);
    place.fails(build.args(["--platform", "linux/arm64"]), &["linux/arm64", "linux/amd64"])
}

#[test]
fn a_digest_that_differs_is_noticed_in_every_compression() -> Result<()> {
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let place = Place::with(&one_layer(compression)?)?;
        let layer = place.layer()?;
        let mut bytes = fs::read(&layer)?;
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(&layer, bytes)?;
        let digest = layer.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        place.fails(&mut place.build(&place.image())?, &[&digest[..12]])?;
    }
    Ok(())
}

#[test]
fn a_layer_cut_short_is_noticed() -> Result<()> {
    for compression in [Compression::None, Compression::Gzip, Compression::Zstd] {
        let place = Place::with(&one_layer(compression)?)?;
        let layer = place.layer()?;
        let bytes = fs::read(&layer)?;
        fs::write(&layer, &bytes[..bytes.len() - 1000])?;
        place.fails(&mut place.build(&place.image())?, &["layer", "cut short", &bytes.len().to_string()])?;
    }
    Ok(())
}

#[test]
fn a_tar_that_is_cut_or_malformed_is_refused_at_its_entry() -> Result<()> {
    let whole = layer::tar(&[Entry::file("etc/one", vec![1; 10_000]), Entry::file("etc/two", "2")])?;
    let bad_record = layer::tar(&[Entry::file("etc/one", "1").pax("mtime", "not a time")])?;
    let mut bad_sum = whole.clone();
    bad_sum[0] ^= 1;
    for (tar, word) in [(whole[..6_000].to_vec(), "etc/one"), (bad_record, "mtime"), (bad_sum, "checksum")] {
        let place = Place::with(&Image { layers: vec![tar], ..Image::of(&[])? })?;
        place.fails(&mut place.build(&place.image())?, &["layer 1", word])?;
    }
    Ok(())
}

#[test]
fn names_that_leave_the_image_are_refused() -> Result<()> {
    for path in ["../etc/passwd", "etc/../../passwd", "a/.."] {
        let place = Place::with(&Image::of(&[vec![Entry::directory("etc")], vec![Entry::file(path, "x")]])?)?;
        place.fails(&mut place.build(&place.image())?, &["layer 2", ".."])?;
    }
    let place = Place::with(&Image::of(&[vec![Entry::hard_link("etc/link", "../../etc/passwd")]])?)?;
    place.fails(&mut place.build(&place.image())?, &["layer 1", ".."])
}

#[test]
fn a_hard_link_to_nothing_is_refused() -> Result<()> {
    let place = Place::with(&Image::of(&[vec![Entry::hard_link("link", "no/such/file")]])?)?;
    place.fails(&mut place.build(&place.image())?, &["layer 1", "no/such/file"])
}

#[test]
fn a_name_that_is_too_long_is_refused() -> Result<()> {
    let place = Place::with(&Image::of(&[vec![Entry::file("n".repeat(256), "x")]])?)?;
    place.fails(&mut place.build(&place.image())?, &["layer 1", "255"])
}

/// `nex rootfs` with another agent.
fn with_agent(place: &Place, image: &str, agent: &Path) -> Command {
    rootfs_with(agent, image, &place.output_directory().join("rootfs.ext4"))
}

#[test]
fn an_agent_that_cannot_run_in_the_image_is_refused_before_the_build() -> Result<()> {
    let place = Place::with(&five_layers()?)?;
    let image = place.image();
    let other = place.directory.path().join("agent");
    place.fails(&mut with_agent(&place, &image, &other), &["agent"])?;
    fs::write(&other, "no program")?;
    place.fails(&mut with_agent(&place, &image, &other), &["agent", "ELF"])?;
    let foreign = nex::agent_for_aarch64(place.directory.path())?;
    place.fails(&mut with_agent(&place, &image, &foreign), &["arm64", "amd64"])?;
    // The command under test is linked to the host's C library, which this image lacks.
    place.fails(&mut with_agent(&place, &image, Path::new(nex::program())), &["ld-linux", "no C library", "static"])
}

#[test]
fn no_agent_at_all_is_said() -> Result<()> {
    let place = Place::new()?;
    let lonely = place.directory.path().join("nex");
    program::copy(nex::program(), &lonely)?;
    let mut build = Command::new(&lonely);
    build.args(["rootfs", "--quiet", "--image", "scratch", "-o"]).arg(place.output_directory().join("rootfs.ext4"));
    place.fails(&mut build, &["no agent", "--agent", "nex-agent"])
}

#[test]
fn a_size_too_small_says_what_is_needed_and_why() -> Result<()> {
    let big = |name: &str| Entry::file(format!("opt/{name}"), vec![7; 12 << 20]);
    let place = Place::with(&Image::of(&[vec![Entry::directory("opt"), big("a")], vec![big("b"), big("c")]])?)?;
    let image = place.image();
    place.fails(place.build(&image)?.args(["--size", "30MiB"]), &["31457280", "--size", "/opt", "layer 2"])?;
    place.fails(place.build(&image)?.args(["--size", "4096"]), &["--size"])
}

#[test]
fn an_output_that_cannot_be_written_is_named() -> Result<()> {
    let place = Place::new()?;
    let missing = place.directory.path().join("no/such/out.ext4");
    place.fails(&mut rootfs("scratch", &missing)?, &["no/such"])?;
    place.fails(&mut rootfs("scratch", &place.output_directory())?, &["directory"])?;
    place.fails(&mut rootfs("scratch", Path::new("/dev/zero"))?, &["/dev/zero", "not a regular file", "--output"])
}

#[test]
fn a_read_only_directory_is_said() -> Result<()> {
    if !places::is_root() {
        eprintln!("LEFT OUT: the test changes the user, which is root's");
        return Ok(());
    }
    let place = Place::new()?;
    fs::set_permissions(place.output_directory(), fs::Permissions::from_mode(0o555))?;
    let build = place.build("scratch")?;
    let mut nobody = Command::new("setpriv");
    nobody.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(build.get_program()).args(build.get_args());
    place.fails(&mut nobody, &["/out", "Permission denied"])
}

#[test]
fn a_full_disk_is_said() -> Result<()> {
    if !places::is_root() {
        eprintln!("LEFT OUT: mounting a small tmpfs is root's");
        return Ok(());
    }
    let place = Place::with(&one_layer(Compression::Gzip)?)?;
    let script = "mount -t tmpfs -o size=500k tmpfs \"$1\" && shift && \"$@\"; code=$?; ls -A \"$0\"; exit $code";
    let build = place.build(&place.image())?;
    let mut bounded = Command::new("unshare");
    bounded.args(["--mount", "sh", "-c", script]).arg(place.output_directory()).arg(place.output_directory());
    let result = command::output(bounded.arg(build.get_program()).args(build.get_args()))?;
    failed(&result, &["no space is left", "--output"])?;
    assert!(result.stdout.is_empty(), "left behind: {}", String::from_utf8_lossy(&result.stdout));
    Ok(())
}

#[test]
fn a_limit_on_the_size_of_files_is_said() -> Result<()> {
    let place = Place::with(&one_layer(Compression::Gzip)?)?;
    let build = place.build(&place.image())?;
    let mut bounded = Command::new("sh");
    bounded.args(["-c", "ulimit -f 1000; exec \"$@\"", "sh"]).arg(build.get_program()).args(build.get_args());
    place.fails(&mut bounded, &["larger than a file may be", "ulimit", "--output"])
}

#[test]
fn an_error_that_nobody_can_be_told_is_no_panic() -> Result<()> {
    let place = Place::new()?;
    for format in ["text", "json"] {
        let mut build = place.build("tar:nowhere")?;
        let full = || fs::File::options().write(true).open("/dev/full");
        let status = build.args(["--format", format]).stdout(full()?).stderr(full()?).status()?;
        assert_eq!(status.code(), Some(1), "{format}");
    }
    Ok(())
}

#[test]
fn a_report_that_nobody_takes_is_an_error_with_a_place() -> Result<()> {
    let directory = nex::directory()?;
    let [image, cache, log] = ["rootfs.ext4", "cache", "console.log"].map(|name| directory.path().join(name));
    nex::build("scratch", &image)?;
    fs::write(&log, "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\n")?;
    let commands: [(&[&str], &Path); 3] =
        [(&["rootfs", "check"], &image), (&["rootfs", "explain"], &log), (&["cache", "du", "--cache-dir"], &cache)];
    for (arguments, last) in commands {
        let full = fs::File::options().write(true).open("/dev/full")?;
        let ended =
            Command::new(nex::program()).args(arguments).arg(last).stdout(full).stderr(Stdio::piped()).spawn()?;
        failed(&ended.wait_with_output()?, &["cannot write the report to standard output: No space left"])?;
        // Who has read enough is no error, and hears of none.
        let (reader, writer) = std::io::pipe()?;
        drop(reader);
        let result = command::output(Command::new(nex::program()).args(arguments).arg(last).stdout(writer))?;
        assert_eq!((result.status.code(), &*String::from_utf8_lossy(&result.stderr)), (Some(141), ""));
    }
    Ok(())
}

/// What was to be done is done, and nobody is told.
#[test]
fn a_reader_that_has_enough_ends_each_command_quietly() -> Result<()> {
    let directory = nex::directory()?;
    let image = directory.path().join("rootfs.ext4");
    let (build, to_stdout) = (rootfs("scratch", &image)?, rootfs("scratch", Path::new("-"))?);
    let changes = [nex::change("set-agent", &image, nex::agent()?), nex::change("grow", &image, "200MiB")];
    for mut command in [build, to_stdout].into_iter().chain(changes) {
        let (reader, writer) = std::io::pipe()?;
        drop(reader);
        let result = command::output(command.stdout(writer))?;
        assert_eq!((result.status.code(), &*String::from_utf8_lossy(&result.stderr)), (Some(141), ""), "{command:?}");
    }
    assert_eq!(fs::metadata(&image)?.len(), 200 << 20);
    fsck::check(&image)
}

#[test]
fn an_interrupt_leaves_nothing() -> Result<()> {
    for (signal, number) in [("INT", 2), ("TERM", 15)] {
        let place = Place::new()?;
        let mut build = place.build("tar:-")?;
        build.arg("--verity-file").arg(place.output_directory().join("rootfs.verity"));
        build.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut running = build.spawn()?;
        let mut pipe = running.stdin.take().ok_or(Failure::new("no pipe"))?;
        // The stream never ends, so the build waits, with its unfinished output on the disk.
        pipe.write_all(&layer::tar(&[Entry::file("large", vec![1; 3_000_000])])?[..1_000_000])?;
        wait_for_a_name(&place.output_directory())?;
        command::run(Command::new("kill").args(["-s", signal, &running.id().to_string()]))?;
        let result = running.wait_with_output()?;
        drop(pipe);
        assert_eq!(result.status.signal(), Some(number));
        let said = String::from_utf8_lossy(&result.stderr).into_owned();
        assert_eq!(said, format!("error: interrupted by SIG{signal}; nothing was written\n"));
        assert!(
            names(&place.output_directory())?.is_empty(),
            "SIG{signal} leaves {:?}",
            names(&place.output_directory())?
        );
    }
    Ok(())
}

/// Waits until something is in the directory, or long enough that an output without a name must be open.
fn wait_for_a_name(directory: &Path) -> Result<()> {
    let begin = Instant::now();
    while names(directory)?.is_empty() && begin.elapsed() < Duration::from_millis(500) {
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

#[test]
fn wrong_usage_has_its_own_exit_code() -> Result<()> {
    let place = Place::new()?;
    for arguments in [
        &["--size", "lots"][..],
        &["--platform", "somewhere"],
        &["--no-such-flag"],
        &["--free", "1MiB"],
        &["--size", "157286401"],
        &["--size", "17T"],
    ] {
        let result = command::output(place.build("scratch")?.args(arguments))?;
        assert_eq!(result.status.code(), Some(2), "{arguments:?}");
        assert!(names(&place.output_directory())?.is_empty());
    }
    Ok(())
}

#[test]
fn what_does_not_fit_is_told_with_its_reasons() -> Result<()> {
    let many = (0..40_000).map(|number| Entry::file(format!("f{number}"), b"")).collect();
    let deleted = vec![Entry::file("big", vec![7; 30 << 20])];
    let place = Place::with(&Image::of(&[many, deleted, vec![Entry::whiteout("big")]])?)?;
    let words = ["does not fit", " in 400", "inodes, and 30.0 MiB that later layers delete", "--size auto"];
    place.fails(place.build(&place.image())?.args(["--size", "16MiB"]), &words)
}

#[test]
fn errors_are_json_when_the_report_would_be() -> Result<()> {
    let place = Place::new()?;
    let result = command::output(place.build("oci:/nonexistent")?.args(["--format", "json"]))?;
    let object: serde_json::Value = serde_json::from_slice(&result.stdout)?;
    assert_eq!(object["schemaVersion"], 1);
    assert!(object["error"]["message"].as_str().is_some_and(|text| text.contains("/nonexistent")));
    Ok(())
}
