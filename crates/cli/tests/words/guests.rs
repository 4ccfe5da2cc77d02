//! What VMMs and consoles say.

use std::fs;
use std::path::Path;
use std::process::Command;

use nex_testkit::layer::Entry;
use nex_testkit::tiny_guest::{self, Then};
use nex_testkit::{Result, hostile_text, program};

use crate::{Place, shows};

#[test]
fn consoles() -> Result<()> {
    let place = Place::new()?;
    for (what, text) in hostile_text::bytes() {
        let lines = [
            "Kernel panic - not syncing: ",
            "Linux version 6.1.0 ",
            "VFS: Cannot open root device \"",
            "@nex1 fail text=",
        ];
        let mut console = b"[    0.000000] Linux version 6.1.0 (x@y)\n".to_vec();
        for line in lines {
            console.extend(
                [b"[    1.000000] ", line.as_bytes(), &text[..], b"\n", line.as_bytes(), &text[..], b"\n"].concat(),
            );
        }
        let log = place.path("console.log");
        fs::write(&log, console)?;
        shows(what, place.nex(&["rootfs", "explain"]).arg(log), "cause ")?;
    }
    Ok(())
}

/// As much of a bzImage as is looked at.
fn bzimage() -> Vec<u8> {
    let mut file = vec![0; 4096];
    file[0x202..0x206].copy_from_slice(b"HdrS");
    file[0x206..0x208].copy_from_slice(&0x020f_u16.to_le_bytes());
    file[0x20e..0x210].copy_from_slice(&0x100_u16.to_le_bytes());
    file[0x236..0x238].copy_from_slice(&1_u16.to_le_bytes());
    file[0x300..0x308].copy_from_slice(b"6.1.0 me");
    file
}

/// Programs in place of both VMMs, whose version is good and who say this when they are to run a guest.
fn vmm(directory: &Path, version: &[u8], said: &[u8]) -> Result<()> {
    fs::create_dir_all(directory)?;
    fs::write(directory.join("version"), version)?;
    fs::write(directory.join("said"), said)?;
    let script = format!(
        "#!/bin/sh\nPATH=/usr/bin:/bin\ncase \"$*\" in *version*) cat {0}/version;; *) cat {0}/said >&2; exit 1;; esac\n",
        directory.display()
    );
    for name in ["firecracker", "qemu-system-x86_64"] {
        program::write(directory.join(name), &script)?;
    }
    Ok(())
}

#[test]
fn vmms() -> Result<()> {
    let place = Place::new()?;
    let root = place.root(&[Entry::file("bin/sh", crate::program()).mode(0o755)])?;
    fs::write(place.path("vmlinux"), tiny_guest::vmlinux("", Then::Reset))?;
    fs::write(place.path("bzImage"), bzimage())?;
    let programs = place.path("programs");
    let guest = |command: &mut Command, name: &str| {
        command
            .env("PATH", &programs)
            .env("TMPDIR", place.directory.path())
            .env("XDG_RUNTIME_DIR", place.directory.path());
        let (accelerator, kernel) = if name == "qemu" { ("emulation", "bzImage") } else { ("auto", "vmlinux") };
        command.args(["--vmm", name, "--accel", accelerator]).arg("--kernel").arg(place.path(kernel));
    };
    for (what, text) in hostile_text::bytes() {
        for (version, said) in [
            (b"v1.15.1 version 9.2.0".to_vec(), text.clone()),
            ([b"v", &text[..], b" version ", &text[..]].concat(), Vec::new()),
        ] {
            vmm(&programs, &version, &said)?;
            for name in ["qemu", "firecracker"] {
                let mut boot = place.nex(&["rootfs", "boot"]);
                boot.arg(&root);
                guest(&mut boot, name);
                shows(what, &mut boot, "error: ")?;
                let mut run = place.nex(&["run", "--no-check", "--rootfs"]);
                run.arg(&root);
                guest(&mut run, name);
                shows(what, run.args(["--", "/bin/sh"]), "error: ")?;
            }
        }
    }
    // Lines are told apart, and no line break is spelt out.
    vmm(&programs, b"v1.15.1 version 9.2.0", b"qemu-system-x86_64: first\nqemu-system-x86_64: second\n")?;
    let mut boot = place.nex(&["rootfs", "boot"]);
    boot.arg(&root);
    guest(&mut boot, "qemu");
    shows("two lines", &mut boot, "first; second").map(drop)
}
