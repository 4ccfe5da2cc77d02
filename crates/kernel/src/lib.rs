//! Reads a Linux kernel's file: what processor it is for, which release it is, and the kernel inside a compressed one; finds
//! its modules, and packs a first root file system that loads them.
//!
//! ```text
//! bzImage (x86)      setup code │ decompressor │ payload: vmlinux, compressed
//! zboot (ARM)        EFI stub   │ payload: Image, compressed
//! gzip (any)         vmlinux or Image
//! vmlinux, Image     nothing in between
//! ```
//!
//! Distributions' kernels have the drivers of a virtual machine's drives in modules: [`Modules`] finds them, and
//! [`initramfs::archive`] packs them beside an init that loads them.
//!
//! Every number of a file is checked before it is used: a file may be anything.

pub mod codes;
pub mod cpio;
pub mod initramfs;

mod architecture;
mod banner;
mod bytes;
mod bzimage;
mod compression;
mod error;
mod image;
mod kernel;
mod modules;
mod other;
mod pvh;
mod segments;
mod unpacking;
mod window;

pub use architecture::Architecture;
pub use compression::Compression;
pub use error::Error;
pub use kernel::{Form, Kernel, MAX_KERNEL};
pub use modules::error::ModulesError;
pub use modules::{Module, Modules};
pub use window::Window;
