//! Firecracker, real and acted.
//!
//! The real one ([`real`]) needs KVM, and where that runs no guest's kernel, it still judges every request, and runs a guest
//! of a few instructions ([`crate::tiny_guest`]). The double ([`double`]) is a program with Firecracker's arguments and its
//! API: it checks each request against a table of Firecracker's published API description, keeps its order, refuses as
//! Firecracker does, and acts the guest out in QEMU, by emulation. What both say to the same requests is compared.
//!
//! `scripts/setup-tests` unpacks the real one into `target/firecracker`.

mod answer;
mod arguments;
mod check;
mod description;
mod drive;
mod guest;
mod http;
mod log;
mod microvm;
mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

pub use server::main;

use crate::{Failure, Result, command, places};

/// The real Firecracker's program. `None`, with a line that says so, where there is none.
///
/// # Errors
/// When `scripts/setup-tests` has not run.
pub fn real() -> Result<Option<PathBuf>> {
    program("firecracker")
}

/// The real Firecracker's jailer, which is root's. `None`, with a line that says so, where there is none.
///
/// # Errors
/// When `scripts/setup-tests` has not run.
pub fn jailer() -> Result<Option<PathBuf>> {
    if !places::is_root() {
        eprintln!("LEFT OUT: Firecracker's jailer is root's");
        return Ok(None);
    }
    program("jailer")
}

fn program(name: &str) -> Result<Option<PathBuf>> {
    let directory = places::workspace().join("target/firecracker");
    if let Ok(reason) = fs::read_to_string(directory.join("left-out")) {
        eprintln!("LEFT OUT: what a real Firecracker judges: {}", reason.trim());
        return Ok(None);
    }
    let path = directory.join(name);
    let missing = || Failure::new(format!("{} is missing; scripts/setup-tests unpacks it", path.display()));
    if path.exists() { Ok(Some(path)) } else { Err(missing()) }
}

/// Whether a real Firecracker can make guests here; says so when it cannot.
pub fn has_kvm() -> bool {
    let opened = fs::File::options().read(true).write(true).open("/dev/kvm");
    if let Err(error) = &opened {
        eprintln!("LEFT OUT: what a real Firecracker runs: /dev/kvm: {error}");
    }
    opened.is_ok()
}

/// The program that gives the double's guests a vsock: the crate `vhost-device-vsock`, which people may have installed. Tests
/// that need it say so when it is missing.
pub fn vsock_program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|place| place.join("vhost-device-vsock")).find(|file| file.is_file())
}

/// The double's program, built once.
///
/// # Errors
/// When it cannot be built.
pub fn double() -> Result<&'static Path> {
    static DOUBLE: OnceLock<std::result::Result<PathBuf, String>> = OnceLock::new();
    let built = DOUBLE.get_or_init(|| build().map_err(|failure| failure.to_string()));
    built.as_deref().map_err(|text| Failure::new(text.clone()))
}

fn build() -> Result<PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(places::workspace()).args(["build", "--quiet", "--locked", "--package", "nex-testkit"]);
    let printed = command::run(cargo.args(["--bin", "firecracker-double", "--message-format", "json"]))?;
    let printed = String::from_utf8_lossy(&printed);
    let messages = printed.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut programs = messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from));
    programs.next().ok_or_else(|| Failure::new("cargo built no firecracker-double"))
}
