//! The agent in guests: what it does there, and what it tells.
//!
//! Each guest takes some seconds of an emulated processor, so each does many things.

mod channel;
mod init;
mod machine;
mod overlay;
mod refusals;
mod workload;
