//! The log: lines with a time, the microVM's name and the thread's, on standard output or in a file.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where lines go.
pub struct Log {
    id: String,
    file: Option<File>,
    has_information: bool,
}

impl Log {
    /// A log on standard output, until it is told otherwise.
    pub fn new(id: String) -> Self {
        Self { id, file: None, has_information: true }
    }

    /// Goes on with lines of this level and graver ones.
    pub fn set_level(&mut self, level: &str) {
        self.has_information = ["Info", "Debug", "Trace"].iter().any(|name| name.eq_ignore_ascii_case(level));
    }

    /// Goes on in a file, which must be there.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn redirect(&mut self, path: &Path) -> io::Result<()> {
        self.file = Some(File::options().read(true).append(true).open(path)?);
        Ok(())
    }

    /// Writes a line of the level of information.
    pub fn information(&mut self, thread: &str, text: &str) {
        if self.has_information {
            self.error(thread, text);
        }
    }

    /// Writes a line of the level of errors.
    pub fn error(&mut self, thread: &str, text: &str) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let line = format!("{}.{:09} [{}:{thread}] {text}\n", now.as_secs(), now.subsec_nanos(), self.id);
        // Firecracker counts the lines that it loses, and goes on.
        let _ = match &mut self.file {
            Some(file) => file.write_all(line.as_bytes()),
            None => io::stdout().write_all(line.as_bytes()),
        };
    }
}
