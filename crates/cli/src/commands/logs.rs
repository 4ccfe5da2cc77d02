//! `nex logs`.

pub mod args;
mod run;
mod tail;

pub use run::run;
