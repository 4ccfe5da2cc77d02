//! The name that a guest is given.

use std::str::FromStr;

use nex_fault::{Code, Fault, Remedy};

use crate::codes;

/// A name that hostname(7) allows: 1 to 64 bytes, labels of letters, digits and inner hyphens between dots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hostname(String);

/// The text is no such name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is no hostname", nex_text::short_name(name))]
pub struct HostnameError {
    name: String,
}

impl Hostname {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Hostname {
    type Err = HostnameError;

    fn from_str(name: &str) -> Result<Self, HostnameError> {
        const LONGEST: usize = 64;
        let is_label = |label: &str| {
            let letters = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            letters && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
        };
        let is_name = name.len() <= LONGEST && name.split('.').all(is_label);
        if is_name { Ok(Self(name.into())) } else { Err(HostnameError { name: name.into() }) }
    }
}

impl Fault for HostnameError {
    fn code(&self) -> Code {
        codes::HOSTNAME
    }

    fn remedy(&self) -> Option<Remedy> {
        Some(Remedy::say(
            "use at most 64 letters, digits and hyphens in labels between dots, none of which begins or ends with a hyphen",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_that_the_kernel_and_resolvers_take() {
        for good in ["nex", "web-1.example", "1", &"a".repeat(64)] {
            assert_eq!(good.parse::<Hostname>().map(|name| name.0), Ok(good.into()));
        }
        for bad in ["", "-a", "a-", "a..b", "a b", "\u{e4}", "a_b", &"a".repeat(65)] {
            assert!(bad.parse::<Hostname>().is_err(), "{bad:?}");
        }
    }
}
