//! Changes in place of damaged images: the content of a file replaced, the file system grown.
//!
//! An input damages the metadata of a small image of ours field by field, and the checksums are made right again, so that
//! the damage is seen behind them. Whatever was done to the image, changing it ends, and refusing it writes nothing.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nex_ext4::{EditError, Editor};
use nex_fuzz::damage::{self, Input, Operation};
use nex_fuzz::memory::Memory;
use nex_fuzz::place;

fuzz_target!(|data: &[u8]| {
    let Some(input) = Input::read(data) else { return };
    let storage = damage::damaged(&input);
    let result = match Editor::open(&storage) {
        Ok(editor) => change(editor, &input, &storage),
        Err(error) => Err(error),
    };
    match result {
        Ok(()) => {}
        Err(error) => place::check_message(&error),
    }
});

/// Does what the input asks for. As long as a change can be refused, nothing may be written.
fn change(mut editor: Editor<'_>, input: &Input<'_>, storage: &Memory) -> Result<(), EditError> {
    assert!(!storage.is_written(), "opening writes");
    match input.operation {
        Operation::Replace { path, size } => {
            let mut replacement = match editor.replace(path, size) {
                Ok(replacement) => replacement,
                Err(error) => {
                    assert!(!storage.is_written(), "written before refusing: {error}");
                    return Err(error);
                }
            };
            let content = vec![0xa5; 64 << 10];
            let mut left = size;
            while left > 0 {
                let now = left.min(content.len() as u64);
                replacement.write(&content[..now as usize])?;
                left -= now;
            }
            replacement.commit(None)?;
        }
        Operation::Grow { size } => {
            editor.grow(size)?;
        }
    }
    // What was accepted before must not have become unreadable to us.
    if input.is_harmless() {
        Editor::open(storage).expect("the changed file system");
    }
    Ok(())
}
