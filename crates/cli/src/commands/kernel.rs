//! `nex kernel`.

pub mod args;
mod build;
pub mod default;
mod render;
mod run;

pub use run::run;
