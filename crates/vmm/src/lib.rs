//! Runs microVMs. A [`Machine`] says what is wanted, a [`Vmm`] starts it, and a [`Guest`] is what then runs.
//!
//! ```text
//! Machine ──> Vmm::start ──> Guest: console in and out, channel, Ctrl-Alt-Del, end, memory
//! ```
//!
//! A guest is one process of its VMM, whose standard input and output are the guest's console. It ends with its
//! [`Guest`], and with the process that started it, whatever ends that, but not with a thread ([`nex_process::Parent`]).

pub mod codes;

mod access;
mod advisory;
mod channel;
mod disk;
mod error;
mod firecracker;
mod guest;
mod interrupt;
pub mod kvm;
mod machine;
mod name;
mod pid_namespace;
mod process;
mod qemu;
mod timed;
mod version;
mod vmm;

pub use access::Access;
pub use advisory::{ADVISORIES, Advisory, Component, Release};
pub use channel::{Channel, ChannelDevice};
pub use disk::Disk;
pub use error::Error;
pub use firecracker::{ChannelOpening, Dial, Firecracker, Jail, LoadableKernel, VmConfig, Vsock};
pub use guest::{Ending, Guest, Reading};
pub use interrupt::Interrupt;
pub use machine::{Accelerator, Bus, Drive, Machine};
pub use nex_kernel::Architecture;
pub use qemu::Qemu;
pub use vmm::Vmm;
