//! What a user types into the guest's console, and the two keys by which they leave it.

/// Ctrl-A.
const ESCAPE: u8 = 1;
const QUIT: u8 = b'x';

/// The state between two keys.
#[derive(Debug, Default)]
pub struct Keyboard {
    is_escaped: bool,
}

/// What was typed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Typed {
    /// What goes to the guest.
    pub bytes: Vec<u8>,
    /// Ctrl-A x: the user has had enough.
    pub quit: bool,
}

impl Keyboard {
    /// Takes what was typed. Ctrl-A x quits, Ctrl-A Ctrl-A types one Ctrl-A; Ctrl-A with anything else is typed as it is.
    pub fn take(&mut self, keys: &[u8]) -> Typed {
        let mut typed = Typed::default();
        for key in keys {
            match (std::mem::take(&mut self.is_escaped), *key) {
                (false, ESCAPE) => self.is_escaped = true,
                (false, key) => typed.bytes.push(key),
                (true, QUIT) => {
                    typed.quit = true;
                    break;
                }
                (true, ESCAPE) => typed.bytes.push(ESCAPE),
                (true, key) => typed.bytes.extend([ESCAPE, key]),
            }
        }
        typed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ctrl_a_x_quits_and_everything_else_is_typed() {
        let mut keyboard = Keyboard::default();
        let typed = |bytes: &[u8], quit| Typed { bytes: bytes.into(), quit };
        assert_eq!(keyboard.take(b"ls x\r\x03"), typed(b"ls x\r\x03", false));
        assert_eq!(keyboard.take(b"a\x01"), typed(b"a", false));
        assert_eq!(keyboard.take(b"\x01b"), typed(b"\x01b", false));
        assert_eq!(keyboard.take(b"\x01z"), typed(b"\x01z", false));
        assert_eq!(keyboard.take(b"q\x01xrest"), typed(b"q", true));
    }
}
