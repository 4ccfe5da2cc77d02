//! `nex rootfs`.

pub mod args;
mod progress;
mod render;
mod run;

pub use run::run;
