//! `nex inspect`.

pub mod args;
mod render;
mod run;

pub use run::run;
