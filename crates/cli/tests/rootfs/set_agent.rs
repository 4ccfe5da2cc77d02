//! `nex rootfs set-agent`: the result is what a build with the other agent makes, and whatever goes wrong leaves the file
//! as it was.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nex_testkit::kernel::{self, Access, Mount};
use nex_testkit::nex::{self, agent_for_aarch64, failed, rootfs, rootfs_with};
use nex_testkit::{Failure, Result, command, corpus, fsck, image_tree, manifest, places};
use serde_json::Value;
use tempfile::TempDir;

/// A root filesystem, and another agent than it has.
struct Place {
    directory: TempDir,
}

impl Place {
    fn new(arguments: &[&str]) -> Result<Self> {
        let place = Self { directory: nex::directory()? };
        command::run(rootfs(&place.image()?, &place.file())?.args(arguments))?;
        // Behind the segments that its header names, a program may have anything.
        let mut other = fs::read(nex::agent()?)?;
        other.extend_from_slice(&b"another agent".repeat(40_000));
        fs::write(place.other(), other)?;
        Ok(place)
    }

    /// Alpine, or nothing where the corpus is missing.
    fn image(&self) -> Result<String> {
        let Some(tar) = corpus::alpine("x86_64")? else { return Ok("scratch".into()) };
        let path = self.directory.path().join("alpine.tar");
        fs::write(&path, tar)?;
        Ok(format!("tar:{}", path.display()))
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("rootfs.ext4")
    }

    fn other(&self) -> PathBuf {
        self.directory.path().join("other-agent")
    }

    fn set_agent(&self, agent: &Path) -> Command {
        set_agent(&self.file(), agent)
    }

    /// The command fails with all of `words`, and changes no byte.
    fn fails(&self, command: &mut Command, words: &[&str]) -> Result<()> {
        nex::fails_to_change(command, &self.file(), words)
    }
}

fn set_agent(file: &Path, agent: &Path) -> Command {
    nex::change("set-agent", file, agent)
}

#[test]
fn the_result_is_what_a_build_with_the_agent_makes() -> Result<()> {
    let place = Place::new(&[])?;
    let built = place.directory.path().join("built.ext4");
    command::run(&mut rootfs_with(&place.other(), &place.image()?, &built))?;

    for agent in [&*place.other(), nex::agent()?, &*place.other()] {
        let said = String::from_utf8_lossy(&command::run(&mut place.set_agent(agent))?).into_owned();
        for word in ["agent ", "static", " in 1 piece, in place of ", "free ", "time "] {
            assert!(said.contains(word), "{word}: {said}");
        }
        fsck::judge(&place.file())?;
    }
    manifest::equal(&image_tree::read(&built)?, &image_tree::read(&place.file())?)
}

/// The agent's file: mode, user and group.
fn owner(file: &Path) -> Result<(u32, u32, u32)> {
    let tree = image_tree::read(file)?;
    let agent = &tree[&b"usr/local/bin/agent"[..]];
    Ok((agent.mode, agent.uid, agent.gid))
}

/// Gives the agent's file the owner and the mode of a service's, as images had it whose init it is.
fn give_away(file: &Path) -> Result<()> {
    for field in ["uid 1000", "gid 1000", "mode 0100775"] {
        let request = format!("set_inode_field /usr/local/bin/agent {field}");
        command::run(Command::new("debugfs").args(["-w", "-R", &request]).arg(file))?;
    }
    fsck::judge(file)
}

#[test]
fn an_agent_that_runs_as_root_becomes_roots() -> Result<()> {
    let place = Place::new(&[])?;
    assert_eq!(owner(&place.file())?, (0o755, 0, 0));
    give_away(&place.file())?;
    assert_eq!(owner(&place.file())?, (0o775, 1000, 1000));
    let said = command::run(&mut place.set_agent(&place.other()))?;
    let said = String::from_utf8_lossy(&said);
    assert!(said.contains("mode 775, owner 1000:1000"), "{said}");
    assert_eq!(owner(&place.file())?, (0o755, 0, 0));
    fsck::judge(&place.file())?;

    let said = String::from_utf8_lossy(&command::run(&mut place.set_agent(nex::agent()?))?).into_owned();
    assert!(!said.contains("note"), "{said}");
    assert_eq!(owner(&place.file())?, (0o755, 0, 0));
    Ok(())
}

#[test]
fn a_service_stays_its_users() -> Result<()> {
    let place = Place::new(&[])?;
    let root = place.directory.path().join("with-systemd");
    fs::create_dir_all(root.join("lib/systemd"))?;
    fs::create_dir(root.join("sbin"))?;
    fs::copy("/bin/busybox", root.join("lib/systemd/systemd"))?;
    std::os::unix::fs::symlink("/lib/systemd/systemd", root.join("sbin/init"))?;
    command::run(&mut rootfs(&format!("rootfs:{}", root.display()), &place.file())?)?;
    assert_eq!(owner(&place.file())?, (0o775, 1000, 1000));
    command::run(&mut place.set_agent(&place.other()))?;
    assert_eq!(owner(&place.file())?, (0o775, 1000, 1000));
    fsck::judge(&place.file())
}

#[test]
fn the_report_is_one_json_object() -> Result<()> {
    let place = Place::new(&[])?;
    let json = command::run(place.set_agent(&place.other()).args(["--format", "json"]))?;
    let report: Value = serde_json::from_slice(&json)?;
    let length = fs::metadata(place.other())?.len();
    assert_eq!(report["schemaVersion"], 1);
    assert_eq!(report["agent"]["bytes"], length);
    assert_eq!(report["blocks"], length.div_ceil(4096));
    assert!(report["free"].as_u64() > Some(0) && report["phases"].is_array());

    let result = command::output(place.set_agent(&place.directory.path().join("none")).env("NEX_FORMAT", "json"))?;
    let error: Value = serde_json::from_slice(&result.stdout)?;
    assert!(error["error"]["message"].as_str().is_some_and(|message| message.contains("none")));
    assert_eq!(result.status.code(), Some(1));
    Ok(())
}

#[test]
fn the_files_times_are_the_epochs_where_one_is_set() -> Result<()> {
    let place = Place::new(&[])?;
    command::run(place.set_agent(&place.other()).env("SOURCE_DATE_EPOCH", "1500000000"))?;
    let mut debugfs = Command::new("debugfs");
    debugfs.args(["-R", "stat /usr/local/bin/agent"]).arg(place.file());
    let told = String::from_utf8_lossy(&command::run(&mut debugfs)?).into_owned();
    assert!(told.contains("mtime: 0x59682f00:"), "{told}");
    fsck::judge(&place.file())
}

#[test]
fn an_agent_that_would_not_run_is_refused() -> Result<()> {
    let place = Place::new(&[])?;
    let foreign = agent_for_aarch64(place.directory.path())?;
    place.fails(&mut place.set_agent(&foreign), &["is for arm64", "are for amd64", "build it for amd64"])?;
    place.fails(&mut place.set_agent(Path::new("/bin/ls")), &["/bin/ls needs what the image lacks", "static"])?;
    let text = place.directory.path().join("text");
    fs::write(&text, "no program")?;
    place.fails(&mut place.set_agent(&text), &["is no program"])?;
    fs::write(&text, "#!/usr/bin/no-such-shell\n")?;
    place.fails(&mut place.set_agent(&text), &["/usr/bin/no-such-shell", "which the image lacks"])?;
    place.fails(&mut place.set_agent(place.directory.path()), &["is not a regular file"])
}

#[test]
fn a_file_that_cannot_be_changed_is_refused() -> Result<()> {
    let place = Place::new(&[])?;
    let at = |name: &str| place.directory.path().join(name);
    let fails = |file: &Path, words: &[&str]| failed(&command::output(&mut set_agent(file, &place.other()))?, words);
    fails(&at("none"), &["cannot open", "none", "No such file"])?;
    fails(place.directory.path(), &["is not a regular file", "name a file that nex rootfs made"])?;
    fails(&place.other(), &["other-agent", "no ext4 file system"])?;
    fs::write(at("empty"), b"")?;
    fails(&at("empty"), &["no ext4 file system"])?;
    for (name, program) in [("image.ext4.gz", "gunzip"), ("image.ext4.zst", "unzstd")] {
        command::run(&mut rootfs("scratch", &at(name))?)?;
        let before = fs::read(at(name))?;
        fails(&at(name), &["is compressed", "unpack it first", program])?;
        assert!(fs::read(at(name))? == before);
    }
    command::run(rootfs("scratch", &at("sealed"))?.arg("--verity"))?;
    fails(&at("sealed"), &["dm-verity", "seals it"])?;
    command::run(Command::new("truncate").args(["-s", "100M"]).arg(place.file()))?;
    fails(&place.file(), &["is cut off", "take a whole copy"])
}

#[test]
fn a_file_that_nobody_may_write_is_refused() -> Result<()> {
    if places::is_root() {
        eprintln!("LEFT OUT: root may write any file");
        return Ok(());
    }
    let place = Place::new(&[])?;
    fs::set_permissions(place.file(), fs::Permissions::from_mode(0o444))?;
    place.fails(&mut place.set_agent(&place.other()), &["cannot open", "Permission denied"])
}

#[test]
fn a_file_in_use_is_refused() -> Result<()> {
    let place = Place::new(&[])?;
    let mut flock = Command::new("flock");
    flock.arg(place.file()).args(["sh", "-c", "echo locked; cat"]);
    let mut holder = flock.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut said = [0; 7];
    std::io::Read::read_exact(holder.stdout.as_mut().expect("piped"), &mut said)?;
    let result = place.fails(&mut place.set_agent(&place.other()), &["is in use", "has locked it"]);
    drop(holder.stdin.take());
    holder.wait()?;
    result?;
    command::run(&mut place.set_agent(&place.other()))?;

    if kernel::is_available() {
        for access in [Access::ReadOnly, Access::ReadWrite] {
            let mount = Mount::new(&place.file(), access)?;
            let result = command::output(&mut place.set_agent(&place.other()))?;
            mount.unmount()?;
            failed(&result, &["is in use", "attached as /dev/loop"])?;
        }
        command::run(&mut place.set_agent(nex::agent()?))?;
        fsck::check(&place.file())?;
    }
    Ok(())
}

#[test]
fn without_room_the_message_says_how_much_is_missing() -> Result<()> {
    let place = Place::new(&["--size", "auto", "--free", "1MiB"])?;
    let mut large = fs::read(nex::agent()?)?;
    large.resize(8 << 20, 1);
    fs::write(place.other(), large)?;
    let words = ["has no room for the agent", "it takes 8.0 MiB", "are missing", "nex rootfs grow ", "MiB"];
    place.fails(&mut place.set_agent(&place.other()), &words)
}

#[test]
fn an_image_without_its_agent_is_refused() -> Result<()> {
    if !kernel::is_available() {
        return Ok(());
    }
    let place = Place::new(&[])?;
    let change = |script: &str| -> Result<()> {
        let mount = Mount::new(&place.file(), Access::ReadWrite)?;
        let place = mount.path().join("usr/local/bin");
        command::run(Command::new("sh").args(["-ec", script]).current_dir(place))?;
        mount.unmount()
    };
    change("mv agent moved; ln -s moved agent")?;
    place.fails(&mut place.set_agent(&place.other()), &["has a symbolic link at /usr/local/bin/agent"])?;
    change("rm agent; mkdir agent")?;
    place.fails(&mut place.set_agent(&place.other()), &["has a directory at /usr/local/bin/agent"])?;
    change("rmdir agent")?;
    place.fails(&mut place.set_agent(&place.other()), &["has no agent at /usr/local/bin/agent"])?;
    change("mv moved agent; ln agent second; chmod 644 agent")?;
    let said = String::from_utf8_lossy(&command::run(&mut place.set_agent(&place.other()))?).into_owned();
    assert!(said.contains("has 2 names") && said.contains("nobody may execute the agent"), "{said}");
    fsck::check(&place.file())
}

#[test]
fn flags_of_a_build_do_not_go_with_it_and_its_page_is_there() -> Result<()> {
    let place = Place::new(&[])?;
    let mut with_flag = Command::new(nex::program());
    with_flag.args(["rootfs", "--size", "1G", "set-agent"]).arg(place.file()).arg(place.other());
    assert_eq!(command::output(&mut with_flag)?.status.code(), Some(2));
    let mut alias = Command::new(nex::program());
    // Variables for builds may be set.
    alias
        .env("NEX_ROOTFS_IMAGE", "x")
        .env("NEX_ROOTFS_SIZE", "1G")
        .args(["fs", "set-agent"])
        .arg(place.file())
        .arg(place.other());
    command::run(&mut alias)?;
    for (arguments, expected) in [
        (["manual", "rootfs-set-agent"], "nex\\-rootfs\\-set\\-agent"),
        (["manual", "fs-set-agent"], "nex\\-rootfs\\-set\\-agent"),
        (["completion", "bash"], "set-agent"),
    ] {
        let said = String::from_utf8_lossy(&command::run(Command::new(nex::program()).args(arguments))?).into_owned();
        assert!(said.contains(expected), "{arguments:?}");
    }
    assert_eq!(
        command::output(Command::new(nex::program()).args(["manual", "rootfs-nothing"]))?.status.code(),
        Some(2)
    );
    Ok(())
}

#[test]
#[ignore = "slow: kills the command a few hundred times"]
fn killed_at_any_moment_it_leaves_one_agent_or_the_other() -> Result<()> {
    let place = Place::new(&[])?;
    let agents = [fs::read(nex::agent()?)?, fs::read(place.other())?];
    let time = || {
        let started = Instant::now();
        command::run(&mut place.set_agent(&place.other())).map(|_| started.elapsed())
    };
    let mut times = (0..9).map(|_| time()).collect::<Result<Vec<_>>>()?;
    times.sort();
    // Somewhat longer than a run takes, which varies.
    let longest = times[times.len() / 2] * 3 / 2 + Duration::from_millis(5);
    let (mut killed, mut seen) = (0, [0, 0]);
    for round in 0..300u32 {
        let wanted = if round % 2 == 0 { nex::agent()?.to_path_buf() } else { place.other() };
        let mut child = place.set_agent(&wanted).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        std::thread::sleep(longest * round / 300);
        child.kill()?;
        killed += u32::from(!child.wait()?.success());
        let result = command::output(Command::new("e2fsck").arg("-p").arg(place.file()))?;
        if !matches!(result.status.code(), Some(0 | 1)) {
            return Err(Failure::new(format!("round {round}: {}", String::from_utf8_lossy(&result.stdout))));
        }
        fsck::check(&place.file())?;
        let agent = read_agent(&place.file())?;
        let which = agents.iter().position(|known| *known == agent);
        seen[which.ok_or(Failure::new(format!("round {round}: neither agent")))?] += 1;
    }
    assert!(killed > 50 && seen.iter().all(|count| *count > 20), "{killed} killed, {seen:?}");
    Ok(())
}

fn read_agent(image: &Path) -> Result<Vec<u8>> {
    let copy = tempfile::NamedTempFile::new()?;
    let request = format!("dump /usr/local/bin/agent {}", copy.path().display());
    command::run(Command::new("debugfs").args(["-R", &request]).arg(image))?;
    Ok(fs::read(copy.path())?)
}

#[test]
fn damage_on_the_way_is_told() -> Result<()> {
    let place = Place::new(&[])?;
    // The superblock's checksum, and one of the first descriptor's bytes.
    for offset in [1024 + 1020, 4096 + 20] {
        let file = File::options().read(true).write(true).open(place.file())?;
        let mut byte = [0];
        file.read_exact_at(&mut byte, offset)?;
        file.write_all_at(&[!byte[0]], offset)?;
        place.fails(&mut place.set_agent(&place.other()), &["is damaged", "e2fsck -f"])?;
        file.write_all_at(&byte, offset)?;
    }
    Ok(())
}

#[test]
fn who_does_not_suit_is_named_and_who_stands_in_the_wrong_place() -> Result<()> {
    let place = Place::new(&[])?;
    let file = place.file().display().to_string();
    // It needs the C library of this machine.
    let linked = std::path::Path::new(nex::program());
    nex::failed(&command::output(&mut place.set_agent(linked))?, &[&format!("the agent does not suit '{file}': ")])?;
    let mut turned = Command::new(nex::program());
    turned.args(["rootfs", "set-agent"]).arg(nex::agent()?).arg(&file);
    nex::failed(&command::output(&mut turned)?, &["the root filesystem stands first"])
}
