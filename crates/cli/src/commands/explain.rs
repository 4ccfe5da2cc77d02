//! `nex rootfs explain`.

pub mod args;
pub mod render;
mod run;

pub use run::run;
