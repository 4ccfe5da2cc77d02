//! JSON as Go's `encoding/json` reads it, because the tools that write images are written in Go, or are tested against such ones.
//!
//! - A key means the field of its name in any case: `repoTags` is `RepoTags`. Keys of maps mean themselves.
//! - `null` stands for no value, wherever it stands.
//! - Of a key that is there twice, in any case, the last one counts; objects are merged.
//!
//! All types come through here, and none of them names a key twice. Values stay text until a field takes them, so that a document
//! of the smallest values takes some ten times its bytes of memory, and no more depth than its types have.
//!
//! One thing is stricter: what decides which bytes belong to an image may be said once only. Where two readers of one document
//! could come to different layers, one of them could be shown good ones and another bad ones.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, IntoDeserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, de::DeserializeOwned, forward_to_deserialize_any};
use serde_json::value::RawValue;

use crate::error::Error;

type Result<T, E = serde_json::Error> = std::result::Result<T, E>;

/// Fields, as `TYPE.KEY`, that name content, or say how it is read.
const SAID_ONCE: [&str; 9] = [
    "Fields.mediaType",
    "Fields.layers",
    "Fields.manifests",
    "Descriptor.mediaType",
    "Descriptor.digest",
    "Descriptor.size",
    "Item.Config",
    "Item.Layers",
    "Rootfs.diff_ids",
];

/// Reads a document, which `what` names in errors.
pub(crate) fn json<T: DeserializeOwned>(what: &str, content: &[u8]) -> Result<T, Error> {
    let wrong = |error: serde_json::Error| {
        Error::document(what, format!("is not valid: {}", nex_text::excerpt(error.to_string())))
    };
    // Bytes that are no UTF-8 become the sign for that, as in Go.
    let text = String::from_utf8_lossy(content);
    // What breaks the grammar is found first, because only here its place is known.
    serde_json::from_str::<IgnoredAny>(&text).map_err(wrong)?;
    T::deserialize(Values(vec![text.trim()])).map_err(wrong)
}

/// What a document says of one thing, in the order in which it says so: the texts of one or more values.
struct Values<'de>(Vec<&'de str>);

impl<'de> Values<'de> {
    /// The value that counts where values are not merged.
    fn last(&self) -> Option<&'de str> {
        self.0.iter().rev().find(|text| !is_null(text)).copied()
    }

    /// The keys and values of all objects.
    fn entries(&self) -> Result<Vec<(String, &'de str)>> {
        let mut all = Vec::new();
        for text in self.0.iter().filter(|text| !is_null(text)) {
            let Entries(entries) = plain(serde_json::from_str(text))?;
            all.extend(entries);
        }
        Ok(all)
    }

    /// The values of a type's fields, by the place of each field among the type's.
    fn fields(&self, type_name: &str, fields: &'static [&'static str]) -> Result<Vec<Values<'de>>> {
        let mut values: Vec<_> = fields.iter().map(|_| Values(Vec::new())).collect();
        for (key, value) in self.entries()? {
            let exact = fields.iter().position(|&field| field == key);
            if let Some(place) = exact.or_else(|| fields.iter().position(|field| is_folded(&key, field))) {
                values[place].0.push(value);
            }
        }
        for (field, Values(texts)) in fields.iter().zip(&values) {
            let is_once = texts.iter().all(|text| *text == texts[0]);
            if !is_once && SAID_ONCE.iter().any(|once| once.split_once('.') == Some((type_name, field))) {
                return Err(failure(format!("it has '{field}' {} times, and not always the same", texts.len())));
            }
        }
        Ok(values)
    }
}

fn is_null(text: &str) -> bool {
    text == "null"
}

/// Whether Go takes a key for a field's, which is ASCII. Two other letters are theirs in another case.
fn is_folded(key: &str, field: &str) -> bool {
    let fold = |letter| match letter {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        letter => letter.to_ascii_lowercase(),
    };
    key.chars().map(fold).eq(field.chars().map(fold))
}

fn failure(problem: impl fmt::Display) -> serde_json::Error {
    serde::de::Error::custom(problem)
}

/// A result without the place of its error, which is one in a part of the document.
fn plain<T>(result: Result<T>) -> Result<T> {
    result.map_err(|error| {
        let text = error.to_string();
        let end = if error.line() > 0 { text.rfind(" at line ") } else { None };
        failure(&text[..end.unwrap_or(text.len())])
    })
}

macro_rules! scalars {
    ($($method:ident: $zero:expr),* $(,)?) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            match self.last() {
                Some(text) => plain(serde_json::Deserializer::from_str(text).$method(visitor)),
                None => $zero(visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Values<'de> {
    type Error = serde_json::Error;

    scalars! {
        deserialize_any: |visitor: V| visitor.visit_unit(),
        deserialize_bool: |visitor: V| visitor.visit_bool(false),
        deserialize_u64: |visitor: V| visitor.visit_u64(0),
        deserialize_string: |visitor: V| visitor.visit_str(""),
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.last().is_none() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        // A list is not merged, and null empties it.
        let items: Vec<&'de RawValue> = match self.0.last() {
            Some(text) if !is_null(text) => plain(serde_json::from_str(text))?,
            _ => Vec::new(),
        };
        visitor.visit_seq(Items(items.into_iter()))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let entries = self.entries()?.into_iter().map(|(key, value)| (key, Values(vec![value])));
        visitor.visit_map(Keyed { entries, value: None })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        let values = self.fields(name, fields)?;
        let entries =
            fields.iter().copied().zip(values).filter(|(_, values)| values.0.iter().any(|text| !is_null(text)));
        visitor.visit_map(Keyed { entries, value: None })
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i64 i128 u8 u16 u32 u128 f32 f64 char str bytes byte_buf unit unit_struct newtype_struct tuple
        tuple_struct enum identifier
    }
}

/// A list's values.
struct Items<'de>(std::vec::IntoIter<&'de RawValue>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = serde_json::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        self.0.next().map(|item| seed.deserialize(Values(vec![item.get()]))).transpose()
    }
}

/// Keys with their values.
struct Keyed<'de, I, K> {
    entries: I,
    value: Option<(K, Values<'de>)>,
}

impl<'de, K: AsRef<str>, I: Iterator<Item = (K, Values<'de>)>> MapAccess<'de> for Keyed<'de, I, K> {
    type Error = serde_json::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>> {
        self.value = self.entries.next();
        let Some((key, _)) = &self.value else { return Ok(None) };
        let key: StrDeserializer<'_, serde_json::Error> = key.as_ref().into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value> {
        let (key, values) = self.value.take().ok_or_else(|| failure("a value without a key"))?;
        seed.deserialize(values).map_err(|error| failure(format!("{}: {error}", key.as_ref())))
    }
}

/// An object's keys and values, in its order, those that are there twice too.
struct Entries<'de>(Vec<(String, &'de str)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Entries<'de>, D::Error> {
        struct Reader<'de>(PhantomData<&'de ()>);

        impl<'de> Visitor<'de> for Reader<'de> {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<'de>, A::Error> {
                let mut entries = Vec::new();
                while let Some((key, value)) = map.next_entry::<String, &'de RawValue>()? {
                    entries.push((key, value.get()));
                }
                Ok(Entries(entries))
            }
        }

        deserializer.deserialize_map(Reader(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(rename_all = "camelCase", default)]
    struct Outer {
        some_text: String,
        number: u64,
        is_so: bool,
        list: Vec<String>,
        map: BTreeMap<String, String>,
        inner: Inner,
        perhaps: Option<String>,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default)]
    struct Inner {
        a: String,
        b: String,
    }

    fn read(text: &str) -> Outer {
        json("it", text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    fn refusal(text: &str) -> String {
        json::<Outer>("it", text.as_bytes()).expect_err(text).to_string()
    }

    #[test]
    fn keys_have_any_case_and_those_of_maps_their_own() {
        for key in ["someText", "SomeText", "SOMETEXT", "sometext", "\u{17f}omeText", "some\\u0054ext"] {
            assert_eq!(read(&format!(r#"{{"{key}":"x"}}"#)).some_text, "x", "{key}");
        }
        for key in ["some_text", "someText ", "someTex", "other"] {
            assert_eq!(read(&format!(r#"{{"{key}":"x"}}"#)).some_text, "", "{key}");
        }
        assert_eq!(read(r#"{"map":{"a":"1","A":"2"}}"#).map.len(), 2);
    }

    #[test]
    fn null_is_no_value_wherever_it_stands() {
        let nothing =
            r#"{"someText":null,"number":null,"isSo":null,"list":null,"map":null,"inner":null,"perhaps":null}"#;
        assert_eq!(read(nothing), Outer::default());
        assert_eq!(read("null"), Outer::default());
        let inside = read(r#"{"list":[null,"x"],"map":{"a":null},"inner":{"a":null,"b":"x"}}"#);
        assert_eq!(inside.list, ["", "x"]);
        assert_eq!(inside.map.get("a").map(String::as_str), Some(""));
        assert_eq!(inside.inner, Inner { a: String::new(), b: "x".to_owned() });
    }

    #[test]
    fn of_two_the_last_counts_and_objects_are_merged() {
        let twice = read(
            r#"{"someText":"a","SOMETEXT":"b","number":1,"number":2,"list":["a","b"],"list":["c"],
                "map":{"a":"1","b":"1"},"map":{"a":"2"},"inner":{"a":"1","b":"1"},"Inner":{"B":"2"},"number":null}"#,
        );
        assert_eq!((twice.some_text.as_str(), twice.number), ("b", 2));
        assert_eq!(twice.list, ["c"]);
        assert_eq!(twice.map.into_values().collect::<Vec<_>>(), ["2", "1"]);
        assert_eq!(twice.inner, Inner { a: "1".to_owned(), b: "2".to_owned() });
        assert!(read(r#"{"list":["a"],"list":null}"#).list.is_empty());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        assert!(refusal("{\n\"number\":").contains("line 2"));
        assert!(refusal("{} x").contains("trailing"));
        assert!(refusal(r#"{"number":"x"}"#).contains("number: invalid type"));
        assert!(refusal(r#"{"NUMBER":1.5}"#).contains("number: invalid type"));
        assert!(refusal(r#"{"inner":{"b":[]}}"#).contains("inner: b: invalid type"));
        assert!(!refusal(r#"{"inner":{"b":[]}}"#).contains("line"));
        assert!(refusal("[]").contains("expected an object"));
    }

    #[test]
    fn what_is_not_looked_at_may_be_anything() {
        let deep = format!(r#"{{"other":{}1{},"someText":"x"}}"#, "[".repeat(50_000), "]".repeat(50_000));
        assert_eq!(read(&deep).some_text, "x");
        assert_eq!(read(r#"{"other":1e999,"someText":"x"}"#).some_text, "x");
    }
}
