//! What nex makes under a umask that takes nothing: nobody else may get at it, while nex works and afterwards, but for what
//! the user has named. And under one that takes everything, that who needs it can.

#[allow(dead_code, reason = "the tests of the command use the rest")]
#[path = "../rootfs/nex.rs"]
mod nex;
#[allow(dead_code, reason = "the tests of boots use the rest")]
#[path = "../boot/place.rs"]
mod place;
#[allow(dead_code, reason = "the tests of scripts use the rest")]
#[path = "../script/world.rs"]
mod world;

mod builds;
mod guests;
mod made;
