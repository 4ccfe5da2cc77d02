//! `nex rootfs config`: what it prints, the others start.

mod described;
mod firecracker;
mod kernels;
mod place;
mod qemu;
mod refusals;
