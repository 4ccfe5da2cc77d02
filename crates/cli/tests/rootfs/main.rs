//! `nex rootfs` as users run it: real images in, judged images out.

mod amounts;
mod bombs;
mod cache;
mod check;
mod deleted;
mod determinism;
mod errors;
mod file_system;
mod findings;
mod forms;
mod grow;
mod growth;
mod guest;
mod hostile;
mod layers;
mod links;
mod nex;
mod options;
mod privileges;
mod real_images;
mod registry;
mod set_agent;
mod sparse;
mod sparse_forms;
mod type_changes;
mod verity;
