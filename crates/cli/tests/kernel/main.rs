//! `nex kernel` as users run it, and guests for which nobody has named a kernel.

mod build;
mod check;
mod default;
mod own;
mod place;
mod store;
