//! What a copy does not have, though it goes on.

use std::fmt;

/// How many notes are kept. Of the others only the number is.
const MOST: usize = 20;

/// Something that the copy does not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The name in the tar, escaped.
    pub place: String,
    /// What is missing.
    pub what: LeftOut,
}

/// What a copy may lack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// A socket, which no tar has.
    Socket,
    /// A device, where none is to be made.
    Device,
    /// Something that went away while its directory was read.
    Vanished,
    /// The state of one moment: the file was written to while it was read.
    OneMoment,
    /// The end of a file that does not say how long it is, as those of /proc.
    End,
    /// What is mounted on this directory.
    Mount,
    /// The owner, which only root can give. Setuid and setgid bits stay away with it.
    Owner,
    /// An extended attribute.
    Xattr {
        /// Its name, escaped.
        name: String,
        /// What the system says.
        why: String,
    },
}

/// The first notes of a copy, and how many more there were.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    kept: Vec<Note>,
    more: u64,
}

impl Notes {
    /// The notes that were kept, in order.
    pub fn kept(&self) -> &[Note] {
        &self.kept
    }

    /// How many there were beside them.
    pub fn more(&self) -> u64 {
        self.more
    }

    /// All of them as lines for people.
    pub fn lines(&self) -> impl Iterator<Item = String> {
        let more = (self.more > 0).then(|| format!("and {} more are not as they were", self.more));
        self.kept.iter().map(Note::to_string).chain(more)
    }

    pub(crate) fn add(&mut self, place: &[u8], what: LeftOut) {
        if self.kept.len() < MOST {
            self.kept.push(Note { place: nex_text::short_name(place), what });
        } else {
            self.more += 1;
        }
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, what } = self;
        match what {
            LeftOut::Socket => write!(f, "'{place}' is a socket and is left out"),
            LeftOut::Device => write!(f, "'{place}' is a device and is left out"),
            LeftOut::Vanished => write!(f, "'{place}' went away while its directory was read"),
            LeftOut::OneMoment => write!(f, "'{place}' was written to while it was read; the copy may be a mixture"),
            LeftOut::End => {
                write!(f, "'{place}' does not say how long it is; what is behind its first 16 MiB is left out")
            }
            LeftOut::Mount => write!(f, "'{place}' has something mounted on it, which is left out"),
            LeftOut::Owner => write!(f, "'{place}' belongs to the caller: only root can give files away"),
            LeftOut::Xattr { name, why } => write!(f, "'{place}' lacks the extended attribute {name}: {why}"),
        }
    }
}
