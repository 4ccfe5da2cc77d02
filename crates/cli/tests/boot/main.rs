//! `nex rootfs boot` as users run it, with a real kernel in a real VMM: who reports, who does not and why, and that nothing
//! is left behind.

#[allow(dead_code, reason = "the tests of the command use the rest")]
#[path = "../rootfs/nex.rs"]
mod nex;

mod confined;
mod ends;
mod firecracker;
mod foreign;
mod kernels;
mod place;
mod ready;
mod refusals;
mod starts;
#[allow(dead_code, reason = "scripts use the rest")]
#[path = "../script/terminal.rs"]
mod terminal;
mod verity;
mod vsock;
