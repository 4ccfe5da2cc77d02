//! Boots that fail, each for a reason of its own, and what `nex rootfs boot` and `nex rootfs explain` say of them.
//!
//! The guests are real: Debian's kernel under emulation, whose drive is an NVMe one, so that the kernel itself mounts
//! the root and starts the init as Firecracker's kernels do.

mod consoles;
mod disks;
mod inits;
mod roots;
mod services;
mod world;
