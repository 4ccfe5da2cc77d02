//! Variables of an image (`ENV`), as scripts have them.

/// The name and the value of `NAME=value`. Without a value it is empty, as for the image's program; without a name there is no
/// variable.
pub fn split(variable: &str) -> Option<(String, String)> {
    let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
    (!name.is_empty()).then(|| (name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_equals_sign_ends_the_name() {
        for (variable, expected) in
            [("A=b=c", Some(("A", "b=c"))), ("A=", Some(("A", ""))), ("A", Some(("A", ""))), ("=b", None), ("", None)]
        {
            let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
            assert_eq!(split(variable), expected, "{variable}");
        }
    }
}
