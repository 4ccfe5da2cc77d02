//! `nex cp`.

pub mod args;
mod place;
mod run;

pub use run::run;
