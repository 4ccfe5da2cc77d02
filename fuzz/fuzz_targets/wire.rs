//! The wire between nex and the processes around a setup script. The first byte says who listens, and the rest is what it
//! hears: messages, and bytes of files (`crates/sandbox/src/wire.rs`). A tree that the monitor takes is laid out, told like
//! changes, and laid out again, which must give the same; whatever is said, no name is made outside of the tree.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nex_fuzz::place;
use nex_sandbox::fuzz::{Listener, listen};

fuzz_target!(|data: &[u8]| {
    let Some((listener, bytes)) = data.split_first() else { return };
    let listener = Listener::ALL[usize::from(*listener) % Listener::ALL.len()];
    let outer = place::fresh("wire");
    let inner = outer.join("inner");
    std::fs::create_dir(&inner).expect("our own directory");
    for refusal in listen(listener, bytes, &inner) {
        place::check_text(&refusal);
    }
    for (directory, expected) in [(&outer, 1), (&inner, 0)] {
        let names: Vec<_> = std::fs::read_dir(directory).expect("our own directory").flatten().collect();
        assert!(names.len() == expected, "{names:?}");
    }
});
