//! The agent in guests: what it does there, and what it tells.
//!
//! Each guest takes some seconds of an emulated processor, so each does many things.

#[allow(dead_code, reason = "the tests of the command use the rest")]
#[path = "../rootfs/nex.rs"]
mod nex;

mod init;
mod machine;
mod overlay;
mod refusals;
mod workload;
