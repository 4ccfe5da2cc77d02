//! The guest's first and only root file system: a shell, the kernel's modules, programs of this machine, and a script.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nex_kernel::cpio::Archive;
use nex_kernel::{MAX_KERNEL, Modules};

use crate::failure::Context;
use crate::{Failure, Result, command};

/// What the guest needs to see its drives and the file systems on them.
const MODULES: [&str; 3] = ["virtio_pci", "virtio_blk", "ext4"];
const DIRECTORIES: [&str; 6] = ["bin", "dev", "modules", "proc", "sys", "tmp"];

/// The guest's first process. The script writes to the second serial port, so that no kernel message gets between.
const INIT: &str = r#"#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install -s /bin
mount -t devtmpfs devtmpfs /dev
mount -t proc proc /proc
mount -t sysfs sysfs /sys
for module in /modules/*; do
    insmod "$module"
done
stty -F /dev/ttyS1 raw
sh /script </dev/null >/dev/ttyS1 2>&1
printf '\n%s%s\n' "@STATUS@" $? >/dev/ttyS1
poweroff -f
"#;

/// What the first root file system is made of.
pub struct Initramfs<'a> {
    /// The static busybox.
    pub busybox: &'a Path,
    /// The directory of the kernel's modules.
    pub modules: &'a Path,
    /// Programs of this machine that the script calls.
    pub programs: &'a [&'static str],
    /// Modules that the script wants.
    pub more_modules: &'a [&'static str],
    /// What the guest does.
    pub script: &'a str,
    /// Stands before the script's exit code in the last line that the guest writes.
    pub status_mark: &'a str,
}

impl Initramfs<'_> {
    /// The archive for the kernel.
    ///
    /// # Errors
    /// When a program is not installed, or a file cannot be read.
    pub fn archive(&self) -> Result<Vec<u8>> {
        let mut archive = Archive::default();
        DIRECTORIES.iter().for_each(|name| archive.directory(name));
        archive.program("init", INIT.replace("@STATUS@", self.status_mark).as_bytes());
        archive.program("script", self.script.as_bytes());
        archive.program("bin/busybox", &read(self.busybox)?);
        let wanted = [&MODULES, self.more_modules].concat();
        for (place, module) in Modules::open(self.modules, None, MAX_KERNEL)?.in_order(&wanted)?.iter().enumerate() {
            archive.program(&format!("modules/{place:02}"), &module.bytes);
        }
        self.add_programs(&mut archive)?;
        Ok(archive.finish())
    }

    /// The programs, and the libraries of all of them at the places where their loader looks.
    fn add_programs(&self, archive: &mut Archive) -> Result<()> {
        let mut libraries = BTreeSet::new();
        for name in self.programs {
            let path = find_program(name)?;
            archive.program(&format!("bin/{name}"), &read(&path)?);
            libraries.extend(libraries_of(&path)?);
        }
        let parents = libraries.iter().flat_map(|library| library.ancestors().skip(1));
        let directories: BTreeSet<&Path> = parents.filter(|path| path.parent().is_some()).collect();
        directories.into_iter().for_each(|directory| archive.directory(&in_archive(directory)));
        libraries.iter().try_for_each(|library| {
            archive.program(&in_archive(library), &read(library)?);
            Ok(())
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).context(path.display())
}

/// An absolute path as an archive has it.
fn in_archive(path: &Path) -> String {
    path.to_string_lossy().trim_start_matches('/').to_owned()
}

/// Where a program is. Those of administrators are not on every user's path.
fn find_program(name: &str) -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let directories = env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    let found = directories.map(|directory| directory.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| Failure::new(format!("{name} is missing (scripts/setup-tests installs what the tests need)")))
}

/// The shared libraries of a program and its loader, as the loader itself lists them.
fn libraries_of(program: &Path) -> Result<Vec<PathBuf>> {
    let list = command::run(Command::new("ldd").arg(program))?;
    let list = String::from_utf8_lossy(&list);
    Ok(list.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect())
}
