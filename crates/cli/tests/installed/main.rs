//! Images that are installed on this machine, and the one that comes with nex.

mod choices;
mod recipe;
mod reference;
