//! The kernel's command line.

/// Its words. Those behind `--` are the init's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    words: Vec<String>,
}

impl CommandLine {
    /// Takes a command line apart as the kernel does (`next_arg`): a quotation mark keeps spaces together.
    pub fn parse(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        let mut words = vec![String::new()];
        let mut quoted = false;
        for letter in text.chars() {
            match (letter, words.last_mut()) {
                ('"', _) => quoted = !quoted,
                (letter, _) if letter.is_whitespace() && !quoted => words.push(String::new()),
                (letter, Some(word)) => word.push(letter),
                (_, None) => {}
            }
        }
        words.retain(|word| !word.is_empty());
        let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
        words.truncate(end);
        Self { words }
    }

    /// The value of a parameter; the last one counts.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values(name).last()
    }

    /// All values of a parameter, in their order.
    pub fn values<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.words.iter().filter_map(move |word| word.strip_prefix(name)?.strip_prefix('='))
    }

    /// Whether a word stands there as it is.
    pub fn has(&self, word: &str) -> bool {
        self.words.iter().any(|own| own == word)
    }

    /// Whether the kernel mounts the root to write: without `rw` it does not.
    pub fn is_read_write(&self) -> bool {
        self.words.iter().rev().find(|word| *word == "rw" || *word == "ro").is_some_and(|word| word == "rw")
    }

    /// The console that `/dev/console` is: the last one named.
    pub fn last_console(&self) -> Option<&str> {
        self.value("console").map(|console| console.split(',').next().unwrap_or(console))
    }
}

#[cfg(test)]
mod tests {
    use super::CommandLine;

    #[test]
    fn words_are_the_kernels() {
        let line = CommandLine::parse(
            b"console=ttyS0,115200 console=tty0 root=/dev/vda ro rw dm-mod.create=\"a b\" -- init=x",
        );
        assert_eq!(line.value("root"), Some("/dev/vda"));
        assert_eq!(line.value("dm-mod.create"), Some("a b"));
        assert_eq!(line.last_console(), Some("tty0"));
        assert_eq!(line.value("init"), None);
        assert!(line.is_read_write() && line.has("ro") && !line.has("quiet"));
        assert_eq!(CommandLine::parse(b" \n"), CommandLine::default());
    }
}
