//! Where the C library starts the guest's program. What it does stands in the library beside this file.
//!
//! Rust's own start-up opens `/dev/null` for each closed standard stream, and aborts when it cannot. A guest without
//! device nodes starts its init with all three closed; an init that aborts is a kernel panic. So the program begins below
//! that start-up code, and the library opens the streams once `/dev` is there.

#![no_main]
#![allow(unsafe_code, reason = "the symbol that the C library calls must keep its name")]

use std::ffi::{c_char, c_int};

use nex_contract::MarkNote;

/// By this nex knows its own agent, and whether they understand each other.
// SAFETY: the section holds notes, and this is one. Linkers keep notes, and strip(1) what is loaded.
#[unsafe(link_section = ".note.nex")]
#[used]
static MARK: MarkNote = MarkNote::new(env!("CARGO_PKG_VERSION"));

/// The C library's `main`. The arguments are read through `std::env`, which the library fills before this is called.
// SAFETY: no other symbol of this name exists, since the crate root is `no_main`.
#[unsafe(no_mangle)]
extern "C" fn main(_count: c_int, _arguments: *const *const c_char) -> c_int {
    nex_agent::run(std::env::args_os())
}
