//! Groups of flags that several commands have, and how their values are read.

pub mod cache;
pub mod common;
pub mod duration;
pub mod format;
pub mod guest;
pub mod guests;
pub mod overlay;
pub mod program;
pub mod registry;
pub mod signal;
pub mod size;
pub mod variable;
pub mod verity;
pub mod work_place;
