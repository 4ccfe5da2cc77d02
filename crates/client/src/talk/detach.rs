//! The keys that end a talk alone, as docker has them: Ctrl-P, Ctrl-Q.

/// Whether there are such keys. The first of them waits for the next key, as only that tells what it means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detach {
    /// There are none: every key is the program's.
    #[default]
    Never,
    /// Ctrl-P, and then Ctrl-Q.
    Keys,
}

/// Ctrl-P.
const FIRST: u8 = 0x10;

/// Ctrl-Q.
const SECOND: u8 = 0x11;

/// What has been typed of those keys.
#[derive(Debug)]
pub struct DetachKeys {
    detach: Detach,
    has_first: bool,
}

/// What is typed, as the program gets it.
#[derive(Debug, PartialEq, Eq)]
pub enum Typed {
    /// All of it.
    Whole(Vec<u8>),
    /// What stood before the keys that end the talk.
    Before(Vec<u8>),
}

impl DetachKeys {
    pub fn new(detach: Detach) -> Self {
        Self { detach, has_first: false }
    }

    /// How many bytes wait.
    pub fn waiting(&self) -> usize {
        usize::from(self.has_first)
    }

    /// Takes what is typed.
    pub fn take(&mut self, bytes: &[u8]) -> Typed {
        if self.detach == Detach::Never {
            return Typed::Whole(bytes.to_vec());
        }
        let mut keys = Vec::with_capacity(bytes.len() + 1);
        for byte in bytes {
            if self.has_first && *byte == SECOND {
                return Typed::Before(keys);
            }
            if self.has_first {
                keys.push(FIRST);
            }
            self.has_first = *byte == FIRST;
            if !self.has_first {
                keys.push(*byte);
            }
        }
        Typed::Whole(keys)
    }

    /// What waits, once nothing more is typed.
    pub fn end(&mut self) -> &'static [u8] {
        if std::mem::take(&mut self.has_first) { &[FIRST] } else { &[] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(pieces: &[&str]) -> (String, bool) {
        let (mut keys, mut all) = (DetachKeys::new(Detach::Keys), Vec::new());
        for piece in pieces {
            match keys.take(piece.as_bytes()) {
                Typed::Whole(bytes) => all.extend(bytes),
                Typed::Before(bytes) => {
                    all.extend(bytes);
                    return (String::from_utf8(all).unwrap(), true);
                }
            }
        }
        all.extend(keys.end());
        (String::from_utf8(all).unwrap(), false)
    }

    #[test]
    fn the_keys_end_the_talk_however_they_come() {
        for pieces in [&["ab\x10\x11c"][..], &["ab", "\x10", "\x11"], &["a", "b\x10", "\x11x"]] {
            assert_eq!(typed(pieces), ("ab".into(), true), "{pieces:?}");
        }
        assert_eq!(typed(&["\x10\x10\x11"]), ("\x10".into(), true));
    }

    #[test]
    fn all_else_is_the_programs() {
        for keys in ["\x11\x10", "\x10x\x11", "\x10\x10", "\x10\x10x\x11", "\x11\x11"] {
            assert_eq!(typed(&[keys]), (keys.into(), false), "{keys:?}");
            let pieces: Vec<_> = keys.split_inclusive(|_| true).collect();
            assert_eq!(typed(&pieces), (keys.into(), false), "{keys:?}");
        }
        let mut never = DetachKeys::new(Detach::Never);
        assert_eq!(never.take(b"\x10\x11"), Typed::Whole(b"\x10\x11".into()));
    }
}
