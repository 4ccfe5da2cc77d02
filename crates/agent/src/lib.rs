//! The guest's program.
//!
//! As process 1 it is the init: it sets up what a Linux system expects, runs the boot script, reaps orphans, and ends the
//! machine when asked. Under another init it is an ordinary service. Either way it runs one workload, if the kernel's command
//! line asks for it, and tells the host about everything in lines (`nex_protocol`).
//!
//! Before that it may be the first process of a kernel with modules (`initramfs`), and lay an overlay over the root
//! (`overlay`).

pub mod carrier;
mod channel;
mod clock;
mod command_line;
mod console;
mod device;
mod device_mapper;
mod ends;
mod execution;
mod frame;
mod host;
mod init;
mod initramfs;
mod mounts;
mod network;
mod open_files;
mod overlay;
mod pipe;
mod power;
mod process;
mod resolver;
mod restart;
mod root;
pub mod served;
mod service;
mod shutdown;
mod signals;
mod spawn;
mod ssh_keys;
mod supervisor;
mod sysctl;
pub mod tar_role;
mod terminal;
mod tree;
mod vsock;
mod workload;

use std::ffi::OsString;
use std::io::Write;

use nex_contract::{BINARY_FILE, BOOT_SCRIPT, IMAGE_FILE, WORKLOAD_FILE, WordName};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What `--help` prints.
fn help() -> String {
    let [overlay, init, workload, restart, poweroff, vsock, channel] = WordName::ALL;
    format!(
        "\
The program that nex puts into a guest.

Usage: nex-agent [--version | --help]

As process 1 it is the init: it mounts what a Linux system expects, brings up
the loopback interface, sets host name, time and name servers, makes SSH host
keys where a server has none, runs {BOOT_SCRIPT}, reaps orphans, and
says that it is ready on the console. Where pid1 is image in the file
{IMAGE_FILE}, it becomes the image's program then. SIGTERM, SIGINT (what
Ctrl-Alt-Del sends) or SIGPWR end everything and power the machine off.
As any other process it is a service: it says the same on its output and waits
for SIGTERM.

Kernel command line:
  {overlay}=tmpfs|/dev/vdX   as init: lay an overlay over the root, in memory
                               or on a drive, before anything else
  {init}=PATH                as init: what to start in the overlay (default:
                               the agent goes on as init)
  {workload}=image|/dev/vdX  run what {IMAGE_FILE} describes, or
                               {WORKLOAD_FILE} and {BINARY_FILE} of a drive
  {restart}=no|on-failure[:N]|always
                               start the image's workload again
  {poweroff}=1               as init: end the machine with its workload
  {poweroff}=off|reboot      how the machine ends (default: reboot where the
                               command line has reboot=k or the machine is a
                               Firecracker one on x86, else off)
  {vsock}=PORT               as init: tell the host over vsock
  {channel}=virtio|vsock:PORT
                               as init: serve the host over a channel, a
                               virtio-serial port or a vsock port to listen on

Options:
      --version  print the version
      --help     print this help
"
    )
}

/// Does what the arguments ask and returns the exit code: 0 done, 1 failed, 2 usage.
///
/// As process 1 the arguments are the kernel's: an init that exits is a kernel panic.
pub fn run(mut arguments: impl Iterator<Item = OsString>) -> i32 {
    if std::process::id() == 1 {
        init::run(arguments);
    }
    let name = arguments.next().unwrap_or_default();
    if let Some(role) = tar_role::of(&name) {
        return role.run(arguments);
    }
    let Some(first) = arguments.next() else { return service::run() };
    match first.to_str() {
        _ if arguments.next().is_some() => usage("at most one option is known"),
        Some("--version" | "-V") => print(&format!("nex-agent {VERSION}\n")),
        Some("--help" | "-h") => print(&help()),
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
