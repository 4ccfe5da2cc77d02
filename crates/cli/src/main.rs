//! Makes root filesystems for microVMs.

fn main() {}
