//! `nex stop`.

pub mod args;
mod run;

pub use run::run;
