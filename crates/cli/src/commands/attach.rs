//! `nex attach`.

pub mod args;
mod run;

pub use run::run;
