//! The name servers that scripts find in `/etc/resolv.conf`: those of the machine that builds, lent for the run.
//!
//! They are none of the image's. A script that adds a line of its own to the file, or copies it, takes them with it: so they stand
//! between two lines by which they are known again, in any image and out of any cache.

use std::path::Path;

const BEGIN: &str = "# Lent by nex while the image is made: the name servers of the machine that makes it.";
const END: &str = "# End of what nex has lent.";

/// What counts of the machine's file.
const KEYWORDS: [&str; 4] = ["nameserver", "search", "domain", "options"];

/// More than any such file has, in bytes.
const LONGEST: u64 = 1 << 20;

/// What scripts find.
pub(crate) fn lent() -> Vec<u8> {
    let host = nex_file::read_regular_within(Path::new("/etc/resolv.conf"), LONGEST).ok().flatten().unwrap_or_default();
    lent_of(&String::from_utf8_lossy(&host))
}

fn lent_of(host: &str) -> Vec<u8> {
    let first_word = |line: &str| line.split_ascii_whitespace().next().unwrap_or_default().to_owned();
    let counts = |line: &&str| KEYWORDS.contains(&first_word(line).as_str());
    let lines: String = host.lines().filter(counts).map(|line| format!("{line}\n")).collect();
    let lines = if lines.is_empty() { "nameserver 127.0.0.1\n".into() } else { lines };
    format!("{BEGIN}\n{lines}{END}\n").into_bytes()
}

/// A text without what was lent; `None` if nothing in it was. Without the line at its end, what was lent ends with the text.
pub fn without_lent(text: &[u8]) -> Option<Vec<u8>> {
    let (mut own, mut lent, mut found) = (Vec::new(), false, false);
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        match line.trim_ascii_end() {
            begin if begin == BEGIN.as_bytes() => (lent, found) = (true, true),
            end if end == END.as_bytes() => (lent, found) = (false, true),
            _ if lent => {}
            _ => own.extend_from_slice(line),
        }
    }
    found.then_some(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lent_is_known_again() {
        let lent = lent_of("# made by x\nnameserver 10.0.0.1\nsearch corp\nsortlist 1\n");
        let text = String::from_utf8(lent.clone()).unwrap();
        assert!(text.contains("\nnameserver 10.0.0.1\nsearch corp\n") && !text.contains("sortlist"));
        assert_eq!(without_lent(&lent), Some(Vec::new()));
        let own = b"nameserver 1.1.1.1\noptions rotate";
        assert_eq!(without_lent(own), None);
        assert_eq!(without_lent(&[&lent[..], own].concat()).as_deref(), Some(&own[..]));
        assert_eq!(
            without_lent(&[b"search x\n", &lent[..], &lent, own].concat()),
            Some([b"search x\n", &own[..]].concat())
        );
        assert_eq!(without_lent(&lent[..lent.len() - END.len() - 1]), Some(Vec::new()), "cut off");
        assert!(String::from_utf8(lent_of("")).unwrap().contains("nameserver 127.0.0.1\n"));
    }
}
