//! Reading file systems that others made, of every form, judged by the kernel, by mke2fs's sources and by `ext4-view` with
//! debugfs.

mod damage;
mod forms;
mod limits;
mod mke2fs;
mod mount;
mod ours;
mod replay;
#[path = "../support/mod.rs"]
mod support;
mod tree;
