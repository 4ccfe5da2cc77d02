//! Whether a command printed what a page shows, in shape: numbers, sizes, digests, versions and times may be others.

/// What stands for any number of lines, and at a line's end for the rest of it.
const ANY: &str = "...";

/// Units of what nex measures; which one a number has depends on the number.
const UNITS: [&str; 9] = ["bytes", "KiB", "MiB", "GiB", "TiB", "us", "ms", "s", "min"];

/// What the two differ in, where they do.
pub fn difference(expected: &[String], printed: &[&str]) -> Option<String> {
    let shapes: Vec<String> = printed.iter().map(|line| shape(line)).collect();
    if agree(expected, &shapes) {
        return None;
    }
    let shown = |lines: &mut dyn Iterator<Item = String>| lines.map(|line| format!("    {line}\n")).collect::<String>();
    let page = shown(&mut expected.iter().map(|line| shape(line)));
    Some(format!(
        "the page shows, in shape:\n{page}the command printed, in shape:\n{}and as it was:\n{}",
        shown(&mut shapes.iter().cloned()),
        shown(&mut printed.iter().map(|line| (*line).to_owned()))
    ))
}

fn agree(expected: &[String], printed: &[String]) -> bool {
    match expected.split_first() {
        None => printed.is_empty(),
        Some((first, rest)) if first.trim() == ANY => (0..=printed.len()).any(|at| agree(rest, &printed[at..])),
        Some((first, rest)) => {
            printed.split_first().is_some_and(|(line, lines)| line_agrees(first, line) && agree(rest, lines))
        }
    }
}

fn line_agrees(expected: &str, shape_printed: &str) -> bool {
    match expected.trim_end().strip_suffix(ANY) {
        Some(beginning) => shape_printed.starts_with(shape(beginning).as_str()),
        None => shape(expected) == shape_printed,
    }
}

/// A line with `#` for each number and digest, `# ~` for a number with a unit, and one space for several.
fn shape(line: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    for word in line.split_whitespace() {
        let (bare, behind) = split_end(word);
        let follows_number = words.last().is_some_and(|word| word.ends_with('#') || word.ends_with("(#"));
        if follows_number && UNITS.contains(&bare) {
            words.push(format!("~{behind}"));
        } else {
            words.push(wild(word));
        }
    }
    words.join(" ")
}

/// A word, and the marks behind it.
fn split_end(word: &str) -> (&str, &str) {
    let bare = word.trim_end_matches([',', ';', ':', ')', '.']);
    (bare, &word[bare.len()..])
}

/// A word with `#` for its numbers, and for runs that can only be of a digest.
fn wild(word: &str) -> String {
    /// The first digits of a digest are 12 at least; a UUID's first group has 8.
    const DIGEST: usize = 8;
    let mut shaped = String::new();
    let mut rest = word;
    while let Some(first) = rest.chars().next() {
        let run = |is_part: fn(char) -> bool| rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
        let hexadecimal = run(|letter| letter.is_ascii_digit() || ('a'..='f').contains(&letter));
        let begins = !shaped.ends_with(|letter: char| letter.is_ascii_alphanumeric());
        let ends = !rest[hexadecimal..].starts_with(|letter: char| letter.is_ascii_alphanumeric());
        let number = run(|letter| letter.is_ascii_digit());
        let taken = if is_uuid(rest) {
            UUID
        } else if begins && ends && hexadecimal >= DIGEST {
            hexadecimal
        } else if number > 0 {
            number_length(rest)
        } else {
            shaped.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        shaped.push('#');
        rest = &rest[taken..];
    }
    shaped
}

/// The length of a UUID.
const UUID: usize = 36;

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.get(..UUID).unwrap_or_default().split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    lengths == [8, 4, 4, 4, 12] && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The length of a number at the beginning: digits, and points or commas between digits.
fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let is_digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    (0..bytes.len())
        .find(|&at| !(is_digit(at) || (matches!(bytes[at], b'.' | b',') && is_digit(at + 1))))
        .unwrap_or(bytes.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agrees(expected: &[&str], printed: &[&str]) -> bool {
        difference(&expected.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>(), printed).is_none()
    }

    #[test]
    fn what_is_measured_may_differ() {
        assert!(agrees(
            &["size        150.0 MiB (157286400 bytes)", "layers      sha256:d4e6fd67dcf7…  7.7 MiB, 518 entries"],
            &["size   2.0 GiB (2147483648 bytes)", "layers      sha256:abcdefabcdef…  812 bytes, 3 entries"]
        ));
        assert!(agrees(&["sha256      b7d458fff75f2d95"], &["sha256      0123456789abcdef"]));
        assert!(agrees(&["uuid 1f0e7a52-aaaa-bbbb-cccc-0123456789ab"], &["uuid 00000000-1111-2222-3333-444444444444"]));
        assert!(agrees(&["kernel 6.1.0-56-cloud-amd64"], &["kernel 6.12.3-1-cloud-amd64"]));
        assert!(agrees(&["time 0.10 s (resolve 0.00)"], &["time 12 ms (resolve 1.5)"]));
        assert!(agrees(&["a", "...", "z"], &["a", "b", "c", "z"]) && agrees(&["a", "...", "z"], &["a", "z"]));
        assert!(agrees(&["vmm  QEMU 7.2.22, ..."], &["vmm QEMU 8.0, emulation (no KVM)"]));
    }

    #[test]
    fn words_may_not() {
        assert!(!agrees(&["linux/amd64"], &["linux/arm64"]));
        assert!(!agrees(&["ready  yes"], &["ready  no"]));
        assert!(!agrees(&["size 1 MiB"], &["size MiB"]));
        assert!(!agrees(&["a"], &["a", "b"]) && !agrees(&["a", "b"], &["a"]) && !agrees(&[], &["a"]));
        assert!(!agrees(&["a", "...", "z"], &["a", "b"]));
        assert!(!agrees(&["the ext4 facade"], &["the ext4 decade"]), "words of these letters are no digests");
        assert!(!agrees(&["QEMU 7, ..."], &["Firecracker 1, x"]));
    }
}
