//! What the kernel's command line asks of the agent.

use nex_contract::{Carrier, PowerOff, Restart, Upper, Word, WordError, WordName, WorkloadSource};

/// The words that the agent knows. As for the kernel's own parameters, the last of a name counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    words: Vec<String>,
}

impl CommandLine {
    /// Reads it. `/proc` should be mounted.
    pub fn read() -> Self {
        Self::parse(&std::fs::read("/proc/cmdline").unwrap_or_default())
    }

    /// Splits it as the kernel does: at spaces, but not at those between double quotes.
    pub fn parse(text: &[u8]) -> Self {
        let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
        for character in String::from_utf8_lossy(text).chars() {
            match character {
                '"' => quoted = !quoted,
                _ if character.is_ascii_whitespace() && !quoted => words.push(std::mem::take(&mut word)),
                _ => word.push(character),
            }
        }
        words.push(word);
        words.retain(|word| !word.is_empty());
        Self { words }
    }

    /// The value of a name.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.words.iter().rev().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
    }

    /// Whether there is a word such as `rootwait`.
    pub fn has(&self, word: &str) -> bool {
        self.words.iter().any(|other| other == word)
    }

    /// The last one of two words that contradict each other, such as `ro` and `rw`.
    pub fn last_of<'a>(&self, words: [&'a str; 2]) -> Option<&'a str> {
        self.words.iter().rev().find_map(|word| words.into_iter().find(|one| one == word))
    }

    /// Where the changes go of an overlay that is asked for.
    pub fn overlay(&self) -> Option<Upper> {
        match self.last(WordName::Overlay)? {
            Ok(Word::Overlay(upper)) => Some(upper),
            _ => None,
        }
    }

    /// The init that is named for the overlay.
    pub fn overlay_init(&self) -> Option<String> {
        match self.last(WordName::Init)? {
            Ok(Word::Init(path)) => Some(path),
            _ => None,
        }
    }

    /// Where the workload is described that is asked for.
    pub fn workload(&self) -> Option<WorkloadSource> {
        match self.last(WordName::Workload)? {
            Ok(Word::Workload(source)) => Some(source),
            _ => None,
        }
    }

    /// Whether a workload that the image describes is started again.
    pub fn restart(&self) -> Result<Restart, WordError> {
        match self.last(WordName::Restart).transpose()? {
            Some(Word::Restart(policy)) => Ok(policy),
            _ => Ok(Restart::No),
        }
    }

    /// Whether the machine ends with its workload.
    pub fn ends_with_workload(&self) -> bool {
        let mut words = self.words.iter().filter_map(|word| Word::parse(word));
        words.any(|word| word == Ok(Word::PowerOff(PowerOff::WithWorkload)))
    }

    /// The port on the host that takes the agent's lines.
    pub fn vsock_port(&self) -> Result<Option<u32>, WordError> {
        match self.last(WordName::Vsock).transpose()? {
            Some(Word::Vsock(port)) => Ok(Some(port)),
            _ => Ok(None),
        }
    }

    /// What the channel to the host is carried by.
    pub fn channel(&self) -> Result<Option<Carrier>, WordError> {
        match self.last(WordName::Channel).transpose()? {
            Some(Word::Channel(carrier)) => Ok(Some(carrier)),
            _ => Ok(None),
        }
    }

    /// The last word of ours with this name.
    fn last(&self, name: WordName) -> Option<Result<Word, WordError>> {
        self.value(name.as_str()).map(|value| name.with(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_as_the_kernel_splits_them() {
        let line = CommandLine::parse(b"root=/dev/vda ro  dm-mod.create=\"a,b c\" rootwait nex.overlay=tmpfs rw\n");
        assert_eq!(line.value("root"), Some("/dev/vda"));
        assert_eq!(line.value("dm-mod.create"), Some("a,b c"));
        assert!(line.has("rootwait") && !line.has("root"));
        assert_eq!(line.last_of(["ro", "rw"]), Some("rw"));
        assert_eq!(line.overlay(), Some(Upper::Tmpfs));
        assert_eq!(line.workload(), None);
    }

    #[test]
    fn the_last_word_of_a_name_counts() {
        let line = CommandLine::parse(b"nex.workload=image nex.workload=/dev/vdb nex.restart=always nex.restart=no");
        assert_eq!(line.workload(), Some(WorkloadSource::Drive("/dev/vdb".into())));
        assert_eq!(line.restart(), Ok(Restart::No));
        assert!(CommandLine::parse(b"nex.restart=often").restart().is_err());
        assert!(CommandLine::parse(b"nex.vsock=x").vsock_port().is_err());
        assert_eq!(CommandLine::parse(b"nex.vsock=1024").vsock_port(), Ok(Some(1024)));
        let channel = |line: &[u8]| CommandLine::parse(line).channel();
        assert_eq!(channel(b"nex.channel=vsock:9 nex.channel=virtio"), Ok(Some(Carrier::Virtio)));
        assert_eq!(channel(b"nex.channels=virtio"), Ok(None));
        assert!(channel(b"nex.channel=tcp").is_err());
        assert!(CommandLine::parse(b"nex.poweroff=1 nex.poweroff=off").ends_with_workload());
        assert!(!CommandLine::parse(b"nex.poweroff=off").ends_with_workload());
    }
}
