//! Kernels' files and configurations: whatever the bytes are, they are understood or refused.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nex_diagnose::{Config, KernelFacts};
use nex_fuzz::place;
use nex_kernel::{Kernel, MAX_KERNEL};

fuzz_target!(|data: &[u8]| {
    if let Some(config) = Config::parse(data) {
        config.get("EXT4_FS");
        config.text("DEFAULT_INIT");
    }
    let kernel = match Kernel::parse(data.to_vec(), MAX_KERNEL) {
        Ok(kernel) => kernel,
        Err(error) => return place::check_message(&error),
    };
    kernel.has_pvh_entry();
    match KernelFacts::of(&kernel) {
        Ok(facts) => facts.unread.iter().for_each(|note| place::check_text(note.fact())),
        Err(error) => place::check_message(&error),
    }
});
