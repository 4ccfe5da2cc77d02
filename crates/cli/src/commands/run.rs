//! `nex run`.

pub mod args;
mod render;
#[expect(clippy::module_inception, reason = "what a command does is in its room's run.rs")]
mod run;
mod unread_input;

pub use run::run;
