//! Running the built command as users do, and what is expected of its result.

pub mod boot;
pub mod script;

use std::ffi::OsStr;
use std::fs;
use std::io::{PipeReader, PipeWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{LazyLock, OnceLock};
use std::time::{Duration, Instant};

use rustix::fs::OFlags;
use tempfile::TempDir;

use crate::failure::Context;
use crate::manifest::{self, Difference, Manifest};
use crate::{Failure, Result, command, guest_files, image_tree, places};

/// The command under test, which Cargo builds before the tests of its crate, into the directory above theirs.
pub fn program() -> &'static str {
    static PROGRAM: LazyLock<String> = LazyLock::new(|| {
        let test = std::env::current_exe().unwrap_or_default();
        let path = test.parent().and_then(Path::parent).unwrap_or(Path::new("/")).join("nex");
        assert!(path.exists(), "{} is missing; cargo build --package nex makes it", path.display());
        path.into_os_string().into_string().expect("a path in UTF-8")
    });
    &PROGRAM
}

/// The static agent, built once.
pub fn agent() -> Result<&'static Path> {
    static AGENT: OnceLock<std::result::Result<PathBuf, String>> = OnceLock::new();
    let built = AGENT.get_or_init(|| {
        let script = places::workspace().join("scripts/build-agent");
        let printed = command::run(&mut Command::new(script)).map_err(|failure| failure.to_string())?;
        Ok(PathBuf::from(String::from_utf8_lossy(&printed).trim()))
    });
    built.as_deref().map_err(|text| Failure::new(text.clone()))
}

/// The agent for a machine that we cannot build for: ours, with that machine's number in its ELF header, which is all that
/// a build looks at.
pub fn agent_for_aarch64(directory: &Path) -> Result<PathBuf> {
    /// Where `e_machine` stands in an ELF header.
    const MACHINE: usize = 18;
    const AARCH64: [u8; 2] = 183u16.to_le_bytes();
    let mut program = fs::read(agent()?)?;
    program[MACHINE..MACHINE + AARCH64.len()].copy_from_slice(&AARCH64);
    let path = directory.join("agent-aarch64");
    fs::write(&path, program)?;
    Ok(path)
}

/// `nex rootfs` with an empty environment: no PATH on which it could find a tool, no HOME.
pub fn rootfs(image: &str, output: &Path) -> Result<Command> {
    Ok(rootfs_with(agent()?, image, output))
}

/// The same with another agent.
pub fn rootfs_with(agent: &Path, image: &str, output: &Path) -> Command {
    let mut command = Command::new(program());
    command.env_clear().args(["rootfs", "--quiet", "--image", image, "--agent"]).arg(agent).arg("-o").arg(output);
    command
}

/// The same command without `--quiet`: its report has notes, and it shows its progress.
pub fn loud(quiet: &Command) -> Command {
    let mut loud = Command::new(quiet.get_program());
    loud.env_clear().args(quiet.get_args().filter(|argument| *argument != "--quiet"));
    loud.envs(quiet.get_envs().filter_map(|(name, value)| Some((name, value?))));
    loud
}

/// Makes a root filesystem of the size that the content asks for.
pub fn build(image: &str, output: &Path) -> Result<()> {
    command::run(rootfs(image, output)?.args(["--size", "auto"])).map(drop)
}

/// A directory for one test, open to every user.
pub fn directory() -> Result<TempDir> {
    let directory = tempfile::tempdir()?;
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o1777))?;
    Ok(directory)
}

/// The tree of an image is the expected one, but for the guest's layer.
pub fn tree_is(image: &Path, expected: &Manifest) -> Result<()> {
    same_but_for_guest(expected, &image_tree::read(image)?)
}

/// Two trees are the same, but for the guest's layer. What the expected tree has and the guest's layer need not touch,
/// such as the directory `usr`, must be as it was.
pub fn same_but_for_guest(expected: &Manifest, found: &Manifest) -> Result<()> {
    let is_fault = |difference: &Difference| !is_guests(expected, difference);
    let faults: Vec<Difference> = manifest::differences(expected, found).into_iter().filter(is_fault).collect();
    if faults.is_empty() { Ok(()) } else { Err(Failure::new(manifest::list(&faults))) }
}

fn is_guests(expected: &Manifest, difference: &Difference) -> bool {
    const ONLY_ADDED: [&str; 6] = ["etc", "home", "sbin", "usr", "usr/local", "usr/local/bin"];
    let path = &difference.path[..];
    let only_added = ONLY_ADDED.iter().any(|name| path == name.as_bytes());
    guest_files::contains(path) && !(only_added && expected.contains_key(path))
}

/// The command fails as it should: exit code 1, nothing new in the output's directory, all of `words` in the message.
pub fn fails(command: &mut Command, directory: &Path, words: &[&str]) -> Result<()> {
    let before = names(directory)?;
    let result = command::output(command)?;
    failed(&result, words)?;
    let after = names(directory)?;
    if before == after { Ok(()) } else { Err(Failure::new(format!("left behind: {before:?} became {after:?}"))) }
}

/// `nex rootfs` with one of its commands that change a file in place.
pub fn change(name: &str, file: &Path, argument: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program());
    command.env_clear().args(["rootfs", name]).arg(file).arg(argument);
    command
}

/// The command fails as it should, and changes no byte of the file nor any name beside it.
pub fn fails_to_change(command: &mut Command, file: &Path, words: &[&str]) -> Result<()> {
    let bytes = fs::read(file)?;
    fails(command, file.parent().unwrap_or(file), words)?;
    if fs::read(file)? == bytes { Ok(()) } else { Err(Failure::new(format!("the file changed: {words:?}"))) }
}

/// Exit code 1, and a message on stderr with all of `words`.
pub fn failed(result: &Output, words: &[&str]) -> Result<()> {
    let text = String::from_utf8_lossy(&result.stderr);
    let missing: Vec<&&str> = words.iter().filter(|word| !text.contains(**word)).collect();
    if result.status.code() == Some(1) && missing.is_empty() && text.starts_with("error: ") {
        return Ok(());
    }
    Err(Failure::new(format!("{}; message lacks {missing:?}:\n{text}", result.status)))
}

/// The names in a directory, in order.
pub fn names(directory: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).context(directory.display())? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Waits until a process catches SIGTERM.
pub fn wait_until_caught(process: u32) -> Result<()> {
    const SIGTERM: u64 = 1 << 14;
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(60) {
        let status = fs::read_to_string(format!("/proc/{process}/status"))?;
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
        if caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_some_and(|mask| mask & SIGTERM != 0) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Err(Failure::new("it does not catch SIGTERM"))
}

/// A pipe into which nothing goes any more.
pub fn full_pipe() -> Result<(PipeReader, PipeWriter)> {
    let (reader, mut writer) = std::io::pipe()?;
    rustix::fs::fcntl_setfl(&writer, OFlags::NONBLOCK)?;
    for piece in [&[b'.'; 4096][..], b"."] {
        while writer.write(piece).is_ok() {}
    }
    rustix::fs::fcntl_setfl(&writer, OFlags::empty())?;
    Ok((reader, writer))
}
