//! `nex exec`.

pub mod args;
mod run;

pub use run::{program, run, start};
