//! The init in the image, looked at to tell why the kernel did not start it.

use nex_contract::AGENT;
use nex_inspect::{Kind, RootFs, View, end_of_links, is_executable};
use nex_program::{Elf, Processor, Script, missing};

use super::Known;
use crate::finding::bad_script;

/// Where a kernel looks, and where nex puts the agent.
const INITS: [&str; 6] = ["/sbin/init", "/etc/init", "/bin/init", "/bin/sh", AGENT, "/usr/lib/systemd/systemd"];

/// As much of a program is read.
const LONGEST: u64 = 64 << 20;

/// As much shows what kind of program it is.
const START: u64 = 4096;

/// The inits that an image has and that can be executed, in the kernel's order.
pub fn others(image: &RootFs) -> Vec<&'static str> {
    INITS.into_iter().filter(|path| is_executable(image, path.as_bytes())).collect()
}

/// What to do when the wrong program, or none, was named.
pub fn name_another(known: &Known) -> String {
    match known.image.map(others).as_deref() {
        None => format!("name one that is there: init={AGENT} in an image of nex's"),
        Some([]) => "the image has no init at all: make it with nex, whose agent is one".into(),
        Some(inits) => format!("name one that is there: init={}", inits.join(" or init=")),
    }
}

/// Whether something stands at a path; `None` without an image.
pub fn is_there(known: &Known, path: &str) -> Option<bool> {
    known.image.map(|image| image.stat(path.as_bytes()).is_some())
}

/// What a program that is there lacks: its interpreter or loader, or libraries.
pub fn lacks(known: &Known, path: &str) -> Option<String> {
    let image = known.image?;
    let start = image.read(path.as_bytes(), START).ok()??;
    match Script::parse(&start) {
        Ok(Some(script)) => return script.missing(image),
        Ok(None) => {}
        // The kernel looks for a program of that name.
        Err(cause) => return Some(bad_script(&cause)),
    }
    let bytes = image.read(path.as_bytes(), LONGEST).ok()??;
    let elf = Elf::parse(bytes.as_slice()).ok()?;
    let loader = elf.interpreter.clone()?;
    let missing = missing(image, &end_of_links(image, path.as_bytes()), &elf, &loader).ok()?;
    let names: Vec<String> = missing.iter().map(ToString::to_string).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

/// The machine that a program is for.
pub fn processor(image: &RootFs, path: &str) -> Option<Processor> {
    Elf::processor(&image.read(path.as_bytes(), START).ok()??)
}

/// What a file is that the kernel takes for no program of its machine.
pub fn format(known: &Known, path: &str, kernel: Option<Processor>) -> Option<String> {
    let start = known.image?.read(path.as_bytes(), START).ok()??;
    let for_kernel = kernel.map_or_else(String::new, |kernel| format!(", and the kernel for {kernel}"));
    Some(match Elf::processor(&start) {
        Some(processor) if Some(processor) != kernel => format!("it is a program for {processor}{for_kernel}"),
        Some(_) => "it is a damaged program, or one with a header that this kernel does not take".into(),
        None if start.is_empty() => "it is empty".into(),
        None if start.starts_with(b"#!") => "its interpreter is no program for this machine".into(),
        None if start.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace()) => {
            "it is a text without '#!' and an interpreter in its first line".into()
        }
        None => "it is no program".into(),
    })
}

/// Why a file may not be executed.
pub fn permission(known: &Known, path: &str) -> Option<String> {
    let stat = known.image?.stat(path.as_bytes())?;
    Some(match stat.kind {
        Kind::Directory => "it is a directory".into(),
        Kind::File if stat.mode & 0o111 == 0 => format!("its mode is {:04o}, without a right to execute it", stat.mode),
        Kind::File => {
            format!("its mode is {:04o}; look at that of its interpreter, and at 'noexec' in rootflags=", stat.mode)
        }
        _ => "it is no regular file".into(),
    })
}

/// What to do when the drive holds something else.
pub fn which_file(known: &Known) -> String {
    const FILE: &str = "see that the VMM was given the image itself: not compressed (.gz, .zst), not in a partition, \
                        and raw, not qcow2; and that the kernel has ext4 built in (CONFIG_EXT4_FS)";
    match known.image {
        Some(_) => {
            format!("FILE is an ext4 file system, so the drive is another file, or the kernel has no ext4: {FILE}")
        }
        None => FILE.into(),
    }
}
