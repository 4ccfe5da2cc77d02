//! Setup scripts as users run them: what they change is in the image, and nothing else of theirs is anywhere.

mod alpine;
mod cache;
mod callers;
mod changes;
mod debian;
mod devices;
mod escapes;
mod failures;
mod held;
mod inputs;
mod ipc;
mod kills;
mod leftovers;
mod limits;
mod lines;
mod links;
mod memory;
mod mounts;
mod output;
mod proc;
mod program;
mod shell;
mod sweeps;
mod unseen;
mod users;
