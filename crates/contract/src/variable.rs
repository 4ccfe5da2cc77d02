//! Variables of a program, as an image's `ENV` and a workload's `env` write them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

/// The name and the value of `NAME=value`. Without a value it is empty; without a name there is no variable.
pub fn split_variable(variable: &str) -> Option<(&str, &str)> {
    let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
    (!name.is_empty()).then_some((name, value))
}

/// The same where name and value may be any bytes.
pub fn split_os_variable(variable: &OsStr) -> Option<(&OsStr, &OsStr)> {
    let bytes = variable.as_bytes();
    let end = bytes.iter().position(|&byte| byte == b'=').unwrap_or(bytes.len());
    let (name, rest) = bytes.split_at(end);
    let value = rest.strip_prefix(b"=").unwrap_or_default();
    (!name.is_empty()).then_some((OsStr::from_bytes(name), OsStr::from_bytes(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_equals_sign_ends_the_name() {
        for (variable, expected) in
            [("A=b=c", Some(("A", "b=c"))), ("A=", Some(("A", ""))), ("A", Some(("A", ""))), ("=b", None), ("", None)]
        {
            assert_eq!(split_variable(variable), expected, "{variable}");
            let expected = expected.map(|(name, value)| (OsStr::new(name), OsStr::new(value)));
            assert_eq!(split_os_variable(OsStr::new(variable)), expected, "{variable}");
        }
    }
}
