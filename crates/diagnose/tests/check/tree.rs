//! Trees of a root filesystem, from which mke2fs makes an image.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use nex_diagnose::{CheckOptions, Report, check_file};
use nex_testkit::{command, elf};
use tempfile::TempDir;

/// A static program for x86-64, as far as anybody looks who does not run it. That it names its table makes it an init, and its
/// mark an agent of nex's own.
pub fn program() -> Vec<u8> {
    elf::program(elf::X86_64, b"/etc/inittab\0", &elf::mark(1))
}

/// A tree on this machine.
pub struct Tree {
    directory: TempDir,
}

impl Tree {
    /// What every root filesystem has.
    pub fn new() -> Self {
        let tree = Self { directory: tempfile::tempdir().expect("a directory") };
        for directory in ["dev", "proc", "sys", "run", "tmp", "etc", "bin", "sbin", "usr/local/bin"] {
            fs::create_dir_all(tree.path(directory)).expect("writable");
        }
        tree.link("etc/resolv.conf", "/proc/net/pnp")
    }

    /// BusyBox's init, which starts a login and the agent.
    pub fn busybox() -> Self {
        let inittab = "::sysinit:/bin/mount -a\nttyS0::respawn:/sbin/getty -L 115200 ttyS0 vt100\n\
                       ::respawn:/sbin/start-stop-daemon -S -q -c nex:nex -x /usr/local/bin/agent\n";
        Self::new()
            .program("bin/busybox")
            .link("sbin/init", "/bin/busybox")
            .link("sbin/getty", "/bin/busybox")
            .link("bin/mount", "busybox")
            .link("bin/sh", "busybox")
            .program("usr/local/bin/agent")
            .file("etc/inittab", inittab)
            .users()
    }

    /// OpenRC under BusyBox's init, as Alpine has it.
    pub fn openrc() -> Self {
        let inittab = "::sysinit:/sbin/openrc sysinit\n::sysinit:/sbin/openrc boot\n::wait:/sbin/openrc default\n\
                       tty1::respawn:/sbin/getty 38400 tty1\nttyS0::respawn:/sbin/getty -L 115200 ttyS0 vt100\n";
        let service = "#!/sbin/openrc-run\ncommand=\"/usr/local/bin/agent\"\ncommand_user=\"nex:nex\"\n";
        Self::busybox()
            .program("sbin/openrc")
            .file("etc/inittab", inittab)
            .file("etc/init.d/agent", service)
            .mode("etc/init.d/agent", 0o755)
            .link("etc/runlevels/boot/agent", "/etc/init.d/agent")
    }

    /// systemd with a login by agetty.
    pub fn systemd() -> Self {
        let service = "[Service]\nExecStart=/usr/local/bin/agent\nUser=nex\nGroup=nex\n";
        let units = "usr/lib/systemd/system";
        Self::new()
            .program("usr/lib/systemd/systemd")
            .link("sbin/init", "../lib/systemd/systemd")
            .link("lib", "usr/lib")
            .program("usr/lib/systemd/systemd-udevd")
            .program("usr/lib/systemd/system-generators/systemd-getty-generator")
            .file(&format!("{units}/serial-getty@.service"), "[Service]\nExecStart=-/sbin/agetty %I\n")
            .file(&format!("{units}/multi-user.target"), "[Unit]\n")
            .link(&format!("{units}/default.target"), "multi-user.target")
            .program("sbin/agetty")
            .program("bin/sh")
            .program("usr/local/bin/agent")
            .file("etc/systemd/system/agent.service", service)
            .link("etc/systemd/system/multi-user.target.wants/agent.service", "/etc/systemd/system/agent.service")
            .file("etc/machine-id", "")
            .users()
    }

    fn users(self) -> Self {
        fs::create_dir_all(self.path("home/nex")).expect("writable");
        self.file("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnex:x:1000:1000:nex:/home/nex:/sbin/nologin\n")
            .file("etc/group", "root:x:0:\nnex:x:1000:\n")
            .file("etc/shadow", "root:*::0:::::\nnex:!::0:99999:7:::\n")
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.directory.path().join("tree").join(path)
    }

    fn make_room(&self, path: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("below the tree")).expect("writable");
        if path.symlink_metadata().is_ok_and(|metadata| !metadata.is_dir()) {
            fs::remove_file(path).expect("writable");
        }
    }

    pub fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.make_room(path);
        fs::write(self.path(path), content).expect("writable");
        self
    }

    pub fn program(self, path: &str) -> Self {
        self.file(path, program()).mode(path, 0o755)
    }

    /// A program of this machine.
    pub fn program_of(self, path: &str, of: &Path) -> Self {
        let content = fs::read(of).expect("readable");
        self.file(path, content).mode(path, 0o755)
    }

    /// A program for arm64, as far as its header says.
    pub fn program_for_arm(self, path: &str) -> Self {
        self.file(path, elf::program(elf::AARCH64, b"/etc/inittab\0", &elf::mark(1))).mode(path, 0o755)
    }

    pub fn link(self, path: &str, target: &str) -> Self {
        self.make_room(path);
        symlink(target, self.path(path)).expect("writable");
        self
    }

    pub fn mode(self, path: &str, mode: u32) -> Self {
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode)).expect("writable");
        self
    }

    pub fn without(self, path: &str) -> Self {
        let path = self.path(path);
        match path.is_dir() && !path.is_symlink() {
            true => fs::remove_dir_all(path).expect("writable"),
            false => fs::remove_file(path).expect("writable"),
        }
        self
    }

    /// The image. The home directory is its user's, whoever runs this.
    pub fn image(&self, options: &[&str]) -> PathBuf {
        let image = self.directory.path().join("image.ext4");
        let mut mke2fs = Command::new("mke2fs");
        let tree = self.path("");
        command::run(
            mke2fs
                .args(["-q", "-F", "-t", "ext4", "-b", "4096"])
                .args(options)
                .arg("-d")
                .args([&tree, &image])
                .arg("16M"),
        )
        .expect("an image");
        if tree.join("home/nex").is_dir() {
            debugfs(&image, "set_inode_field /home/nex uid 1000");
        }
        image
    }

    /// What is said of the image, without a kernel.
    pub fn checked(&self) -> Report {
        checked(&self.image(&[]))
    }
}

pub fn checked(image: &Path) -> Report {
    check_file(image, &CheckOptions::default()).expect("readable")
}

/// Changes an image as debugfs does, by requests in lines.
pub fn debugfs(image: &Path, requests: &str) {
    let file = image.with_file_name("requests");
    fs::write(&file, requests).expect("writable");
    command::run(Command::new("debugfs").args(["-w", "-f"]).args([&file, image].map(|path| path.as_os_str())))
        .expect("debugfs");
}

/// The ids of a report's findings.
pub fn ids(report: &Report) -> Vec<&'static str> {
    report.findings.iter().map(|finding| finding.id).collect()
}

/// Exactly these findings, and everything was looked at.
#[track_caller]
pub fn expect(report: &Report, expected: &[&str]) {
    assert_eq!(ids(report), expected, "{:#?}", report.findings);
    assert!(report.unchecked.is_empty(), "{:?}", report.unchecked);
}

/// The evidence of a finding.
#[track_caller]
pub fn evidence<'a>(report: &'a Report, id: &str) -> &'a str {
    let found = report.findings.iter().find(|finding| finding.id == id);
    &found.unwrap_or_else(|| panic!("no {id} in {:?}", report.findings)).evidence
}
