//! Releases, the newer the larger: as `uname -r` prints them, or with more around them in files' names.

use std::cmp::Ordering;

/// Compares releases as people read them: numbers by their value, and a candidate (`-rc1`) before what it is one for.
pub fn compare(one: &str, other: &str) -> Ordering {
    let (mut one, mut other) = (Parts(one), Parts(other));
    loop {
        match (one.next(), other.next()) {
            (None, None) => return Ordering::Equal,
            (Some(part), None) => return part.beside_nothing(),
            (None, Some(part)) => return part.beside_nothing().reverse(),
            (Some(left), Some(right)) if left != right => return left.cmp(&right),
            _ => {}
        }
    }
}

/// Words come before numbers: `6.1-nex` before `6.1.5`.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part<'a> {
    Candidate,
    Word(&'a str),
    Number(u64),
}

impl Part<'_> {
    fn beside_nothing(&self) -> Ordering {
        match self {
            Self::Candidate => Ordering::Less,
            Self::Word(_) | Self::Number(_) => Ordering::Greater,
        }
    }
}

struct Parts<'a>(&'a str);

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        let text = self.0.trim_start_matches(['.', '-', '_', '+', '~']);
        let first = text.chars().next()?;
        let is_same = |character: char| {
            character.is_ascii_digit() == first.is_ascii_digit() && !['.', '-', '_', '+', '~'].contains(&character)
        };
        let end = text.find(|character| !is_same(character)).unwrap_or(text.len());
        let (part, rest) = text.split_at(end);
        self.0 = rest;
        Some(match part {
            "rc" => Part::Candidate,
            // A number that fits nowhere is larger than all others.
            _ if first.is_ascii_digit() => Part::Number(part.parse().unwrap_or(u64::MAX)),
            _ => Part::Word(part),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newer_is_larger() {
        let in_order = [
            "5.10.0",
            "6.1.0-9-cloud-amd64",
            "6.1.0-50-cloud-amd64",
            "6.1.9",
            "6.2.0-rc1",
            "6.2.0-rc10",
            "6.2.0",
            "6.2.0-nex",
            "6.12.117-nex",
            "99999999999999999999999.1",
        ];
        for (at, one) in in_order.iter().enumerate() {
            for (other_at, other) in in_order.iter().enumerate() {
                assert_eq!(compare(one, other), at.cmp(&other_at), "{one} {other}");
            }
        }
        for odd in ["", "-", "..", "\u{e9}1\u{e9}"] {
            assert_eq!(compare(odd, odd), Ordering::Equal);
        }
    }
}
