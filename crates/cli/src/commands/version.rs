//! `nex version`.

pub mod args;
mod run;

pub use run::{print, run};
