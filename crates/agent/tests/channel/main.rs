//! What the agent does for a host over the channel, with programs of this machine ([`nex_agent::served`]).

mod attach;
mod exec;
mod guest;
mod hostile;
mod session;
mod terminal;
mod trees;
