//! The commands about guests that are there, or that have ended, with a supervisor that is played by the test: it has a real record,
//! and what it is asked to run runs on this machine.

mod ends;
mod example;
mod exec;
mod files;
mod lists;
mod logs;
mod machine;
mod terminal;
mod world;
