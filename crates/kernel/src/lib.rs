//! Reads a Linux kernel's file: what processor it is for, which release it is, and the kernel inside a compressed one.
//!
//! ```text
//! bzImage (x86)      setup code │ decompressor │ payload: vmlinux, compressed
//! zboot (ARM)        EFI stub   │ payload: Image, compressed
//! gzip (any)         vmlinux or Image
//! vmlinux, Image     nothing in between
//! ```
//!
//! Every number of a file is checked before it is used: a file may be anything.

mod architecture;
mod bytes;
mod bzimage;
mod compression;
mod error;
mod image;
mod kernel;

pub use architecture::Architecture;
pub use compression::Compression;
pub use error::Error;
pub use kernel::{Form, Kernel};
