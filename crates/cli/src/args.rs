//! Groups of flags that several commands have, and how their values are read.

pub mod cache;
pub mod common;
pub mod duration;
pub mod format;
pub mod guest;
pub mod overlay;
pub mod registry;
pub mod size;
pub mod verity;
pub mod work_place;
