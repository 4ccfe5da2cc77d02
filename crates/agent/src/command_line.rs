//! What the kernel's command line asks of the agent.

use std::path::PathBuf;

use nex_contract::Restart;

/// The words that the agent knows. As for the kernel's own parameters, the last of a name counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    words: Vec<String>,
}

/// Where an overlay's changes go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Overlay {
    /// Into memory.
    Memory,
    /// Onto this drive.
    Drive(PathBuf),
}

/// Where the workload is described.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WorkloadSource {
    /// In the image.
    Image,
    /// On this drive, with its program.
    Drive(PathBuf),
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

    /// All values of a name, in their order.
    pub fn values<'a>(&'a self, name: &str) -> impl DoubleEndedIterator<Item = &'a str> {
        self.words.iter().filter_map(move |word| word.strip_prefix(name)?.strip_prefix('='))
    }

    /// The value of a name.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values(name).next_back()
    }

    /// Whether there is a word such as `rootwait`.
    pub fn has(&self, word: &str) -> bool {
        self.words.iter().any(|other| other == word)
    }

    /// The last one of two words that contradict each other, such as `ro` and `rw`.
    pub fn last_of<'a>(&self, words: [&'a str; 2]) -> Option<&'a str> {
        self.words.iter().rev().find_map(|word| words.into_iter().find(|one| one == word))
    }

    /// `nex.overlay=`.
    pub fn overlay(&self) -> Option<Overlay> {
        match self.value("nex.overlay")? {
            "tmpfs" => Some(Overlay::Memory),
            drive => Some(Overlay::Drive(drive.into())),
        }
    }

    /// `nex.workload=`.
    pub fn workload(&self) -> Option<WorkloadSource> {
        match self.value("nex.workload")? {
            "image" => Some(WorkloadSource::Image),
            drive => Some(WorkloadSource::Drive(drive.into())),
        }
    }

    /// `nex.restart=`, for a workload that the image describes.
    pub fn restart(&self) -> Result<Restart, String> {
        self.value("nex.restart")
            .map_or(Ok(Restart::No), |text| text.parse())
            .map_err(|error| format!("nex.restart: {error}"))
    }

    /// `nex.poweroff=1`: whether the machine ends with its workload.
    pub fn ends_with_workload(&self) -> bool {
        self.values("nex.poweroff").any(|value| value == "1")
    }

    /// `nex.vsock=`: the port on the host that takes the agent's lines.
    pub fn vsock_port(&self) -> Result<Option<u32>, String> {
        let Some(text) = self.value("nex.vsock") else { return Ok(None) };
        text.parse().map(Some).map_err(|_| format!("nex.vsock={text} names no port"))
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
        assert_eq!(line.overlay(), Some(Overlay::Memory));
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
        assert!(CommandLine::parse(b"nex.poweroff=1 nex.poweroff=off").ends_with_workload());
        assert!(!CommandLine::parse(b"nex.poweroff=off").ends_with_workload());
    }
}
