//! `nex run`.

pub mod args;
mod connection;
mod detached;
mod foreground;
mod options;
mod render;
#[expect(clippy::module_inception, reason = "what a command does is in its room's run.rs")]
mod run;
mod stop_requests;
pub mod supervisor;
mod sweep;
mod unread_input;
mod words;

pub use run::run;
