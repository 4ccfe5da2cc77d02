//! The guest's program.
//!
//! As process 1 it is the init: it mounts what a Linux system expects, reaps orphans, and powers the machine off when asked.
//! Under another init it is an ordinary service that waits to be stopped.

mod console;
mod init;
mod mounts;
mod power;
mod service;
mod shutdown;
mod signals;

use std::ffi::OsString;
use std::io::Write;

/// The line that tells whoever reads the console that the guest is up.
const READY: &str = concat!("nex-agent ", env!("CARGO_PKG_VERSION"), " ready");

const VERSION: &str = concat!("nex-agent ", env!("CARGO_PKG_VERSION"), "\n");

const HELP: &str = "\
The program that nex puts into a guest.

Usage: nex-agent [--version | --help]

As process 1 it is the init: it mounts /proc, /sys, /dev, /run and /tmp, reaps
orphans, and says that it is ready on the console. SIGTERM, SIGINT (what
Ctrl-Alt-Del sends) or SIGPWR end everything and power the machine off.
As any other process it is a service: it says the same on its output and waits
for SIGTERM.

Kernel command line:
  nex.poweroff=off|reboot  how the machine ends (default: reboot where the
                           command line has reboot=k or the machine is a
                           Firecracker one on x86, else off)

Options:
      --version  print the version
      --help     print this help
";

/// Does what the arguments ask and returns the exit code: 0 done, 1 failed, 2 usage.
///
/// As process 1 the arguments are the kernel's and are not looked at: an init that exits is a kernel panic.
pub fn run(arguments: impl Iterator<Item = OsString>) -> i32 {
    if std::process::id() == 1 {
        init::run();
    }
    let mut arguments = arguments.skip(1);
    let Some(first) = arguments.next() else { return service::run() };
    match first.to_str() {
        _ if arguments.next().is_some() => usage("at most one option is known"),
        Some("--version" | "-V") => print(VERSION),
        Some("--help" | "-h") => print(HELP),
        _ => usage(&format!("{first:?} is not an option of this program")),
    }
}

fn print(text: &str) -> i32 {
    match std::io::stdout().write_all(text.as_bytes()).and_then(|()| std::io::stdout().flush()) {
        Ok(()) => 0,
        Err(_) => 1,
    }
}

fn usage(problem: &str) -> i32 {
    console::say(&format!("nex-agent: {problem}; see nex-agent --help"));
    2
}
