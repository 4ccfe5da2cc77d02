//! Same inputs, same bytes: whoever asks, from wherever, whenever.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use nex_testkit::layer::Entry;
use nex_testkit::layout::Image;
use nex_testkit::{Result, command, nex, places};

use crate::layers::five_layers;

/// Builds the same image in each of these ways and compares the files.
fn same_bytes(what: &str, ways: &[&dyn Fn(&mut Command)]) -> Result<()> {
    let directory = nex::directory()?;
    let layout = directory.path().join("layout");
    five_layers()?.write(&layout, "image")?;
    open_to_all(&layout)?;
    let image = format!("oci:{}:image", layout.display());
    let mut first = None;
    for (number, way) in ways.iter().enumerate() {
        let output = directory.path().join(format!("{number}.ext4"));
        let mut build = nex::rootfs(&image, &output)?;
        way(&mut build);
        command::run(build.args(["--size", "auto"]))?;
        let bytes = fs::read(&output)?;
        assert!(*first.get_or_insert_with(|| bytes.clone()) == bytes, "{what} changes the result");
    }
    Ok(())
}

/// Lets every user read what a test made, whatever the umask was.
fn open_to_all(layout: &Path) -> Result<()> {
    command::run(Command::new("chmod").args(["-R", "a+rX"]).arg(layout)).map(drop)
}

#[test]
fn time_passing_changes_nothing() -> Result<()> {
    same_bytes("a later second", &[&|_| {}, &|_| thread::sleep(Duration::from_millis(1100))])
}

#[test]
fn time_zone_and_language_change_nothing() -> Result<()> {
    let turkish = |build: &mut Command| {
        build.env("TZ", "Pacific/Kiritimati").env("LC_ALL", "tr_TR.UTF-8");
    };
    let homeless = |build: &mut Command| {
        build.env("TZ", "America/Los_Angeles").env("LC_ALL", "C").env("HOME", "/nonexistent");
    };
    same_bytes("an environment variable", &[&|_| {}, &turkish, &homeless])
}

#[test]
fn the_working_directory_changes_nothing() -> Result<()> {
    let from = |directory: &'static str| {
        move |build: &mut Command| {
            build.current_dir(directory);
        }
    };
    same_bytes("the working directory", &[&|_| {}, &from("/"), &from("/usr/share")])
}

#[test]
fn threads_change_nothing() -> Result<()> {
    same_bytes("the number of processors", &[&|_| {}, &|build| *build = behind("taskset", &["-c", "0"], build)])
}

#[test]
fn umask_and_user_change_nothing() -> Result<()> {
    let umask = |mask: &'static str| {
        move |build: &mut Command| {
            *build = behind("sh", &["-c", &format!("umask {mask}; exec \"$@\""), "sh"], build);
        }
    };
    same_bytes("the umask", &[&umask("000"), &umask("077"), &umask("022")])?;
    if !places::is_root() {
        eprintln!("LEFT OUT: changing the user is root's");
        return Ok(());
    }
    let nobody = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];
    same_bytes("the user", &[&|_| {}, &move |build| *build = behind("setpriv", &nobody, build)])
}

#[test]
fn the_time_of_what_is_ours_is_source_date_epoch() -> Result<()> {
    let epoch = |build: &mut Command| {
        build.env("SOURCE_DATE_EPOCH", "1000000000");
    };
    same_bytes("the second run", &[&epoch, &epoch])?;
    let directory = nex::directory()?;
    let output = directory.path().join("out.ext4");
    command::run(nex::rootfs("scratch", &output)?.env("SOURCE_DATE_EPOCH", "1000000000"))?;
    let tree = nex_testkit::image_tree::read(&output)?;
    assert_eq!(tree[&b"usr/local/bin/agent"[..]].modified, (1_000_000_000, 0));
    Ok(())
}

#[test]
fn another_agent_leaves_the_base_as_it_is() -> Result<()> {
    let directory = nex::directory()?;
    let longer = directory.path().join("agent");
    fs::write(&longer, [fs::read(nex::agent()?)?, b"more".to_vec()].concat())?;
    fs::set_permissions(&longer, fs::Permissions::from_mode(0o755))?;
    let layout = directory.path().join("layout");
    let files = (0..2000).map(|number| Entry::file(format!("etc/files/{number}"), b"content"));
    let files: Vec<_> = [Entry::directory("etc"), Entry::directory("etc/files")].into_iter().chain(files).collect();
    Image::of(&[files])?.write(&layout, "image")?;
    let image = format!("oci:{}:image", layout.display());
    let build = |agent: &Path, image: &str, name: &str| -> Result<(serde_json::Value, Vec<u8>)> {
        let output = directory.path().join(name);
        let report =
            command::run(nex::rootfs_with(agent, image, &output).args(["--format", "json", "--size", "256MiB"]))?;
        Ok((serde_json::from_slice::<serde_json::Value>(&report)?["uuid"].clone(), fs::read(output)?))
    };
    let (uuid, before) = build(nex::agent()?, &image, "before")?;
    let (other_uuid, after) = build(&longer, &image, "after")?;
    assert_eq!(uuid, other_uuid);
    // The agent's own blocks differ, and few others: its inode, the bitmaps and descriptors of its groups, the superblocks.
    let agent_blocks = fs::metadata(&longer)?.len() / 4096;
    let differ = before.chunks(4096).zip(after.chunks(4096)).filter(|(one, other)| one != other).count();
    assert!(differ as u64 <= agent_blocks + 100, "{differ} blocks differ, and the agent has {agent_blocks}");
    // Control: another base is another file system.
    assert_ne!(build(nex::agent()?, "scratch", "scratch")?.0, uuid);
    Ok(())
}

/// The same command, run by another program that stands before it.
fn behind(program: &str, arguments: &[&str], build: &Command) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).arg(build.get_program()).args(build.get_args());
    command
}
