//! `nex rootfs boot` as users run it, with a real kernel in a real VMM: who reports, who does not and why, and that nothing
//! is left behind.

mod confined;
mod ends;
mod firecracker;
mod foreign;
mod kernels;
mod ready;
mod refusals;
mod starts;
mod verity;
mod vsock;
