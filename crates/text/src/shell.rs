//! What is told to be typed into a shell.

use std::path::Path;

/// A path as a shell takes it for one word.
pub fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |character: char| character.is_alphanumeric() || "/._-+=:,@%".contains(character);
    if !text.is_empty() && text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_stays_one_whatever_is_in_it() {
        let word = |text: &str| shell_word(Path::new(text));
        assert_eq!(word("/tmp/rootfs-1.ext4"), "/tmp/rootfs-1.ext4");
        assert_eq!(word("a file"), "'a file'");
        assert_eq!(word("it's"), r"'it'\''s'");
        assert_eq!(word(""), "''");
    }
}
