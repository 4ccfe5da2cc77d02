//! `nex run` as users run it, with a real kernel in a real VMM: what a program writes and how it ends comes out here, its root
//! stays as it was, and nothing is left behind.
//!
//! Each guest takes some seconds of an emulated processor, so each does many things.

mod ends;
mod output;
mod overlay;
mod place;
mod process_one;
mod refusals;
mod supervised;
mod talked;
mod verity;
mod vsock;
