//! Real boots of every kind of image: the agent reports, as who it should, and the file system is in order afterwards.
//!
//! The guests write to their images. Their kernels are Debian's, under emulation, whose drives are NVMe ones so that
//! they need no initramfs.

mod arm64;
mod guest;
mod inits;
mod power_cuts;
mod services;
