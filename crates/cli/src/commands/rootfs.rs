//! `nex rootfs`.

pub mod args;
mod page_image;
mod progress;
mod render;
mod run;

pub use run::run;
