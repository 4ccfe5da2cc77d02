//! Images that are installed on this machine, the one that comes with nex, and what `make rootfs` makes of it.

mod choices;
mod first;
mod recipe;
mod reference;
mod scripts;
