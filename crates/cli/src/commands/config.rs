//! `nex rootfs config`.

pub mod args;
mod render;
mod run;

pub use run::{print, run};
