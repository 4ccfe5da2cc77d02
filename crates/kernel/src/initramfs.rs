//! A first root file system whose init loads modules and goes on to the real root.
//!
//! That init is the guest's agent, which expects: the modules in `/modules`, uncompressed; the order in which they go in, one
//! file's name a line, in `/modules/load-order`; and the directories that it mounts on.

use crate::cpio::Archive;
use crate::modules::Module;

const DIRECTORIES: [&str; 5] = ["dev", "modules", "proc", "root", "sys"];

/// The archive for the kernel: a static init, and these modules in this order.
pub fn archive(init: &[u8], modules: &[Module]) -> Vec<u8> {
    let mut archive = Archive::default();
    DIRECTORIES.iter().for_each(|name| archive.directory(name));
    archive.console("dev/console");
    archive.program("init", init);
    let mut order = String::new();
    for Module { name, bytes } in modules {
        archive.program(&format!("modules/{name}.ko"), bytes);
        order.push_str(&format!("{name}.ko\n"));
    }
    archive.program("modules/load-order", order.as_bytes());
    archive.finish()
}
