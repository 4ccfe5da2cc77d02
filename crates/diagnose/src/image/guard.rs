//! The reader, asked so that nothing of it reaches anybody else: what it cannot stand is damage.
//!
//! Fuzzing has found that it panics at some damage behind right checksums. A panic is caught here, and the message that
//! would be printed for it is left out.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use ext4_view::Ext4Error;

use super::ImageError;

thread_local! {
    /// Whether this thread is asking the reader.
    static ASKING: Cell<bool> = const { Cell::new(false) };
}

/// Asks the reader.
pub(super) fn guarded<T>(ask: impl FnOnce() -> Result<T, Ext4Error>) -> Result<T, ImageError> {
    be_silent_while_asking();
    ASKING.set(true);
    let answer = panic::catch_unwind(AssertUnwindSafe(ask));
    ASKING.set(false);
    match answer {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(Ext4Error::Incompatible(cause))) => Err(ImageError::Unsupported(cause.to_string())),
        Ok(Err(Ext4Error::Encrypted)) => Err(ImageError::Unsupported("it is encrypted".into())),
        Ok(Err(error)) => Err(ImageError::Damaged(error.to_string())),
        Err(_) => Err(ImageError::Damaged("something in it is such that the reader gives up".into())),
    }
}

/// Panics elsewhere are told as before.
fn be_silent_while_asking() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !ASKING.get() {
                before(panic);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_panics_has_met_damage() {
        let result = guarded(|| -> Result<(), Ext4Error> { panic!("a broken rule") });
        assert!(matches!(result, Err(ImageError::Damaged(_))));
        assert!(guarded(|| Ok(1)).is_ok_and(|value| value == 1));
    }
}
