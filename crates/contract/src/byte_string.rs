//! Arguments, variables and paths of a guest, which are bytes, in JSON, whose strings are not.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// Bytes without a zero byte, which execve(2) and open(2) would take for the end.
///
/// In JSON, what is UTF-8 is a string, and anything else an object with two lower-case hexadecimal digits for each byte: `"caf\u00e9"`,
/// `{"hex":"636166e9"}`. Each value has one of the two forms, and no other.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(into = "Form")]
pub struct ByteString(Vec<u8>);

impl ByteString {
    /// These bytes; `None` when a zero byte is among them.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Option<Self> {
        let bytes = bytes.into();
        (!bytes.contains(&0)).then_some(Self(bytes))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, for the system.
    pub fn as_os_str(&self) -> &OsStr {
        OsStr::from_bytes(&self.0)
    }

    /// Whether there is no byte.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryFrom<OsString> for ByteString {
    type Error = ZeroByte;

    fn try_from(text: OsString) -> Result<Self, ZeroByte> {
        Self::new(text.into_vec()).ok_or(ZeroByte)
    }
}

/// A text has a zero byte, so that no program can get it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZeroByte;

impl fmt::Display for ZeroByte {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a text has a zero byte, where a program's arguments, variables and paths end")
    }
}

impl std::error::Error for ZeroByte {}

/// The two forms in JSON.
#[derive(Serialize)]
#[serde(untagged)]
enum Form {
    Text(String),
    Other(Other),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Other {
    hex: String,
}

impl From<ByteString> for Form {
    fn from(string: ByteString) -> Self {
        match String::from_utf8(string.0) {
            Ok(text) => Self::Text(text),
            Err(error) => Self::Other(Other { hex: nex_text::hex(error.as_bytes()) }),
        }
    }
}

impl<'de> Deserialize<'de> for ByteString {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EitherForm)
    }
}

/// Reads the two forms, and not an array in the place of the object.
struct EitherForm;

impl<'de> Visitor<'de> for EitherForm {
    type Value = ByteString;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a string, or an object with hexadecimal digits (\"hex\")")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<ByteString, E> {
        ByteString::new(text).ok_or_else(|| E::custom(ZeroByte))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ByteString, A::Error> {
        let Other { hex } = Other::deserialize(MapAccessDeserializer::new(map))?;
        let bytes = unhex(&hex);
        let bytes =
            bytes.ok_or_else(|| de::Error::custom("\"hex\" has to be pairs of lower-case hexadecimal digits"))?;
        ByteString::new(bytes).ok_or_else(|| de::Error::custom(ZeroByte))
    }
}

/// The bytes of digits; `None` for other digits, and for those of a text, which has the other form.
fn unhex(digits: &str) -> Option<Vec<u8>> {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = digits.as_bytes().as_chunks();
    let bytes: Vec<u8> =
        pairs.iter().map(|[high, low]| Some(value(*high)? << 4 | value(*low)?)).collect::<Option<_>>()?;
    (rest.is_empty() && str::from_utf8(&bytes).is_err()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> serde_json::Result<ByteString> {
        serde_json::from_str(json)
    }

    #[test]
    fn any_bytes_but_zero_come_back() {
        let all: Vec<u8> = (1..=u8::MAX).collect();
        for bytes in [&b""[..], b"plain", "caf\u{e9}\n".as_bytes(), b"caf\xe9", &all] {
            let string = ByteString::new(bytes).unwrap();
            let json = serde_json::to_string(&string).unwrap();
            assert_eq!(read(&json).unwrap().as_bytes(), bytes, "{json}");
        }
        assert_eq!(serde_json::to_string(&ByteString::new(*b"caf\xe9").unwrap()).unwrap(), r#"{"hex":"636166e9"}"#);
    }

    #[test]
    fn other_forms_are_refused() {
        for json in [
            r#""a\u0000b""#,
            r#"{"hex":"ff00"}"#,
            r#"{"hex":"FF"}"#,
            r#"{"hex":"f"}"#,
            r#"{"hex":"61"}"#,
            r#"{"hex":""}"#,
            r#"{"hex":"ff","more":1}"#,
            r#"{"text":"a"}"#,
            "[97]",
            r#"["ff"]"#,
            r#"{"hex":["ff"]}"#,
            r#"{"hex":"ff","hex":"fe"}"#,
            "97",
            "null",
        ] {
            assert!(read(json).is_err(), "{json}");
        }
        assert_eq!(ByteString::new(*b"a\0"), None);
        assert_eq!(ByteString::try_from(OsString::from("a\0")), Err(ZeroByte));
    }
}
