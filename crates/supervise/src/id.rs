//! What a guest is called by programs: 26 letters and digits by chance.

use std::{fmt, io};

use rustix::rand::{GetRandomFlags, getrandom};
use serde::{Deserialize, Serialize};

/// The alphabet of Base32 (RFC 4648), in lower case: no two of its characters look alike.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// 130 bits: nobody else has such a name by chance, in any directory.
const LENGTH: usize = 26;

/// As few characters of ids are shown in a list.
const LEAST_SHOWN: usize = 8;

/// A guest's id. It never means another guest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Id(Box<str>);

/// The text is no guest's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoId;

impl fmt::Display for NoId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an id has {LENGTH} characters of a to z and 2 to 7")
    }
}

impl std::error::Error for NoId {}

impl Id {
    /// A new one, from the kernel's random numbers.
    ///
    /// # Errors
    /// When the kernel has none.
    pub fn random() -> io::Result<Self> {
        let mut bytes = [0; LENGTH];
        // So few come at once or not at all (getrandom(2)).
        if getrandom(&mut bytes[..], GetRandomFlags::empty())? != LENGTH {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let letters =
            bytes.iter().filter_map(|byte| ALPHABET.get(usize::from(byte % 32))).map(|byte| char::from(*byte));
        Ok(Self(letters.collect::<String>().into()))
    }

    /// Reads an id; `None` when the text is no id.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == LENGTH && text.bytes().all(|byte| ALPHABET.contains(&byte))).then(|| Self(text.into()))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its first characters, or all of it where there are no more.
    pub fn start(&self, length: usize) -> &str {
        self.0.get(..length).unwrap_or(&self.0)
    }

    /// How many characters tell all of these ids from each other: at least 8.
    pub fn shown_length<'a>(ids: impl IntoIterator<Item = &'a Self>) -> usize {
        let mut ids: Vec<_> = ids.into_iter().collect();
        ids.sort();
        ids.dedup();
        let common = |a: &Self, b: &Self| a.0.bytes().zip(b.0.bytes()).take_while(|(a, b)| a == b).count();
        let neighbours = ids.iter().zip(ids.iter().skip(1));
        neighbours.map(|(a, b)| common(a, b) + 1).max().unwrap_or(0).max(LEAST_SHOWN)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        id.0.into()
    }
}

impl TryFrom<String> for Id {
    type Error = NoId;

    fn try_from(text: String) -> Result<Self, NoId> {
        Self::parse(&text).ok_or(NoId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_by_chance_and_read_back() {
        let (one, other) = (Id::random().unwrap(), Id::random().unwrap());
        assert_ne!(one, other);
        assert_eq!((one.as_str().len(), Id::parse(one.as_str())), (LENGTH, Some(one.clone())));
        let text = one.as_str();
        for wrong in [
            &text[1..],
            &text.to_uppercase(),
            &format!("{text}a"),
            "",
            &"0".repeat(LENGTH),
            "../../../../../../../../..",
        ] {
            assert_eq!(Id::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_character_comes_up() {
        let text: String = (0..100).map(|_| String::from(Id::random().unwrap())).collect();
        assert!(ALPHABET.iter().all(|letter| text.contains(char::from(*letter))), "{text}");
    }

    #[test]
    fn as_many_characters_are_shown_as_tell_ids_apart() {
        let id = |text: &str| Id::parse(&format!("{text:a<LENGTH$}")).unwrap();
        assert_eq!(Id::shown_length([]), 8);
        assert_eq!(Id::shown_length([&id("b"), &id("b"), &id("c")]), 8);
        let close = [id("bbbbbbbbbc"), id("b"), id("bbbbbbbbbd")];
        assert_eq!(Id::shown_length(&close), 10);
        assert_eq!((close[0].start(10), close[0].start(1000)), ("bbbbbbbbbc", close[0].as_str()));
    }
}
