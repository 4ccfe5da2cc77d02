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
//! What a guest needs of a kernel stands in its configuration: an [`Inspection`] tells what is there. Kernels that are installed for
//! guests are in a [`store`], where the newest one that fits is found.
//!
//! Every number of a file is checked before it is used: a file may be anything.

pub mod codes;
pub mod cpio;
pub mod initramfs;
pub mod store;

mod architecture;
mod banner;
mod bytes;
mod bzimage;
mod compression;
mod config;
mod drivers;
mod error;
mod ikconfig;
mod image;
mod inspection;
mod kernel;
mod modules;
mod needs;
mod other;
mod pvh;
mod release;
mod segments;
mod unpacking;
mod window;

pub use architecture::Architecture;
pub use compression::Compression;
pub use config::{Config, Setting};
pub use drivers::not_built_in;
pub use error::Error;
pub use ikconfig::embedded_config;
pub use inspection::{InspectError, InspectOptions, Inspection, Launcher, Start, Verdict};
pub use kernel::{Form, Kernel, MAX_KERNEL};
pub use modules::error::ModulesError;
pub use modules::{Module, Modules, Search, installed as installed_modules};
pub use needs::{Grade, Need, State};
pub use window::Window;
