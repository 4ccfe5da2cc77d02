//! A small image that scripts run in, and runs of them.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::failure::Context;
use crate::manifest::Manifest;
use crate::{Failure, Result, command, image_tree, nex, places};

/// The time of everything that scripts make.
pub const EPOCH: i64 = 1_700_000_000;

/// A user of the host without rights, who is on every Debian.
const NOBODY: &str = "65534";

/// A function for scripts: `refused COMMAND` ends the script when the command succeeds. (`! COMMAND` does not, whatever
/// `set -e` says.)
pub const REFUSED: &str = "refused() { if \"$@\" 2>/dev/null; then echo \"not refused: $*\" >&2; exit 99; fi; }\n";

/// Programs that scripts need here.
const PROGRAMS: [&str; 42] = [
    "sh", "cat", "chmod", "chown", "chroot", "cp", "dd", "echo", "env", "false", "find", "grep", "head", "hostname",
    "id", "kill", "ln", "ls", "mkdir", "mkfifo", "mknod", "mount", "mv", "nc", "ps", "pwd", "readlink", "rm", "rmdir",
    "sed", "setsid", "sleep", "stat", "stty", "su", "tail", "touch", "truncate", "tty", "umount", "unshare", "wc",
];

/// A place with an image of busybox, in which scripts are run.
pub struct World {
    directory: TempDir,
}

impl World {
    /// Makes the image: a directory with programs, users, and files to change.
    pub fn new() -> Result<Self> {
        let world = Self { directory: nex::directory()? };
        let base = world.base();
        for name in ["bin", "etc", "home", "old/deep", "proc", "tmp", "usr/lib", "var/log"] {
            fs::create_dir_all(base.join(name))?;
        }
        fs::copy("/bin/busybox", base.join("bin/busybox"))
            .context("busybox (scripts/setup-tests installs busybox-static)")?;
        for name in PROGRAMS {
            symlink("busybox", base.join("bin").join(name))?;
        }
        fs::write(base.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home:/bin/sh\n")?;
        fs::write(base.join("etc/group"), "root:x:0:\nuser:x:1000:\n")?;
        fs::write(base.join("etc/text"), "first\n")?;
        fs::hard_link(base.join("etc/text"), base.join("etc/text.link"))?;
        fs::write(base.join("old/deep/file"), "old\n")?;
        fs::write(base.join("old/kept"), "kept\n")?;
        symlink("deep/file", base.join("old/link"))?;
        fs::set_permissions(&base, fs::Permissions::from_mode(0o755))?;
        fs::set_permissions(base.join("tmp"), fs::Permissions::from_mode(0o1777))?;
        Ok(world)
    }

    /// The image's directory.
    pub fn base(&self) -> PathBuf {
        self.path("base")
    }

    /// A path beside the image.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a script beside the image.
    pub fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.path(name);
        fs::write(&path, text)?;
        Ok(path)
    }

    /// `nex rootfs` with this script, and an output that nobody has yet.
    pub fn command(&self, output: &str, script: &str) -> Result<Command> {
        self.command_in(output, script, "work")
    }

    /// The same with another work directory.
    pub fn command_in(&self, output: &str, script: &str, work_dir: &str) -> Result<Command> {
        let script = self.write(&format!("{output}.sh"), script)?;
        let image = format!("rootfs:{}", self.base().display());
        let mut command = nex::rootfs(&image, &self.path(output))?;
        command.env("SOURCE_DATE_EPOCH", EPOCH.to_string()).args(["--size", "auto", "--free", "1MiB", "--script"]);
        command.arg(script).arg("--work-dir").arg(self.path(work_dir));
        Ok(command)
    }

    /// Runs a script that must go well, and gives the image's tree.
    pub fn run(&self, output: &str, script: &str) -> Result<Manifest> {
        command::run(&mut self.command(output, script)?)?;
        self.is_clean("work")?;
        image_tree::read(&self.path(output))
    }

    /// Runs a script that must fail, with these words in the message, and with nothing left behind.
    pub fn fails(&self, command: &mut Command, output: &str, words: &[&str]) -> Result<()> {
        let result = command::output(command)?;
        nex::failed(&result, words)?;
        if self.path(output).exists() {
            return Err(Failure::new("there is an output after all"));
        }
        self.is_clean("work")
    }

    /// Nothing of any run is in the work directory.
    pub fn is_clean(&self, work_dir: &str) -> Result<()> {
        let left = nex::names(&self.path(work_dir))?;
        if left.is_empty() { Ok(()) } else { Err(Failure::new(format!("left in the work directory: {left:?}"))) }
    }

    /// Nothing is mounted anywhere in this place.
    pub fn has_no_mounts(&self) -> Result<()> {
        let mounts = fs::read_to_string("/proc/self/mounts")?;
        let place = self.directory.path().display().to_string();
        match mounts.lines().find(|line| line.contains(&place)) {
            Some(line) => Err(Failure::new(format!("still mounted: {line}"))),
            None => Ok(()),
        }
    }
}

/// Makes a program of the tests out of its source, static, so that it runs in every image.
pub fn compile(source: &str, program: &Path) -> Result<()> {
    let source = places::workspace().join("crates/cli/tests/script").join(source);
    let mut compiler = Command::new("cc");
    command::run(compiler.args(["-static", "-O1", "-w", "-pthread", "-o"]).arg(program).arg(source)).map(drop)
}

/// The text of a file of an image.
pub fn text(image: &Path, path: &str) -> Result<String> {
    let read = command::run(Command::new("debugfs").args(["-R", &format!("cat {path}")]).arg(image))?;
    Ok(String::from_utf8_lossy(&read).into_owned())
}

/// The command as a user of the host, with or without subordinate ids. `None` where there is no way to become one.
pub fn as_user(command: &Command, world: &World, subordinate: Option<&str>) -> Result<Option<Command>> {
    let ids: Vec<_> = subordinate.into_iter().collect();
    as_user_with(command, world, &ids, &ids)
}

/// The same with lines of `/etc/subuid` and of `/etc/subgid`, as far as they stand behind the user's name.
pub fn as_user_with(command: &Command, world: &World, users: &[&str], groups: &[&str]) -> Result<Option<Command>> {
    if !places::is_root() {
        eprintln!("LEFT OUT: only root can become another user");
        return Ok(None);
    }
    // Every file of /etc stays as it is on the host: the user's own are mounted over it for this command alone.
    let lines = |ids: &[&str]| ids.iter().map(|ids| format!("nobody:{ids}\n")).collect::<String>();
    let mut user = Command::new("unshare");
    let become_user = "mount --bind \"$0\" /etc/subuid && mount --bind \"$1\" /etc/subgid && exec setpriv \
                       --reuid=$2 --regid=$2 --clear-groups \"${@:3}\"";
    user.args(["--mount", "bash", "-c", become_user]);
    user.arg(world.write("subuid", &lines(users))?).arg(world.write("subgid", &lines(groups))?).arg(NOBODY);
    user.args(["env", "-i", "PATH=/usr/bin:/bin"]);
    user.args(command.get_envs().filter_map(|(name, value)| Some(format!("{}={}", name.display(), value?.display()))));
    user.arg(command.get_program()).args(command.get_args());
    Ok(Some(user))
}

/// What a run wrote to stderr.
pub fn messages(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
