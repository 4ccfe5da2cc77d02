//! Hands a shell its script line by line, to know how far it has come.
//!
//! Shells run what they have read before they read on, but most read 8 KiB ahead, and none but bash and a few others tell
//! a line. A read may always give less than was asked for, as a terminal does; so here it gives one line, from the same
//! file and position. The script, its output and all else that programs see of them are as ever.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::os::unix::fs::FileExt;

use rustix::fs::{AtFlags, Statx, StatxFlags};

use super::call::Call;
use super::seccomp::SHELL_BUFFER;
use crate::Script;
use crate::sys::CallAnswer;

/// The script that is running.
pub struct ScriptLines<'a> {
    script: &'a Script,
    /// Device and inode of the file that it is in.
    file: (u64, u64),
    /// The process above the one that runs it.
    init: u32,
    /// How much was read, and the number of the line that it ended in.
    read: Option<(usize, u64)>,
}

impl<'a> ScriptLines<'a> {
    /// A script that nobody has begun to read.
    pub fn new(script: &'a Script, file: (u64, u64), init: u32) -> Self {
        Self { script, file, init, read: None }
    }

    /// The line that the shell has come to, from 1 on; `None` if the script's interpreter does not read as shells do.
    pub fn line(&self) -> Option<u64> {
        self.read.map(|(_, line)| line)
    }

    /// Answers a read(2), if it is the script's shell that reads its script. Gives whether that was so.
    pub fn answer(&mut self, call: &Call) -> bool {
        let Some((mut file, position)) = self.opened(call) else { return false };
        // The filter looks at 32 bits of the length; a read may give less than was asked for, whatever that was.
        let mut buffer = vec![0; usize::try_from(call.argument(2).min(SHELL_BUFFER)).unwrap_or_default()];
        let Ok(read @ 1..) = file.read_at(&mut buffer, position) else { return false };
        let length = buffer[..read].iter().position(|byte| *byte == b'\n').map_or(read, |end| end + 1);
        let end = position + length as u64;
        if call.write(1, &buffer[..length]).is_err() || file.seek(SeekFrom::Start(end)).is_err() {
            return false;
        }
        if call.answer(CallAnswer::Result(length as i64)).is_err() {
            // A signal came in between, and the call is made again.
            file.seek(SeekFrom::Start(position)).ok();
        } else {
            self.note(usize::try_from(end).unwrap_or(usize::MAX));
        }
        true
    }

    /// The file that is read, if it is the script and its own process reads it.
    fn opened(&self, call: &Call) -> Option<(File, u64)> {
        if !self.is_script(&call.look(call.word(0)).ok()?) || call.status("PPid")?.parse() != Ok(self.init) {
            return None;
        }
        let mut file = File::from(call.take(call.word(0)).ok()?);
        // Another thread may have put another file there meanwhile.
        let flags = AtFlags::EMPTY_PATH | AtFlags::STATX_DONT_SYNC;
        if !self.is_script(&rustix::fs::statx(&file, c"", flags, StatxFlags::INO).ok()?) {
            return None;
        }
        let position = file.stream_position().ok()?;
        Some((file, position))
    }

    fn is_script(&self, seen: &Statx) -> bool {
        (rustix::fs::makedev(seen.stx_dev_major, seen.stx_dev_minor), seen.stx_ino) == self.file
    }

    /// Counts on from the line that was read last.
    fn note(&mut self, end: usize) {
        let content = &self.script.content;
        let end = end.min(content.len());
        let (from, lines) = match self.read {
            Some((read, line)) if read <= end => (read, line - u64::from(!self.ends_line(read))),
            _ => (0, 0),
        };
        let whole = content[from..end].iter().filter(|byte| **byte == b'\n').count() as u64;
        self.read = Some((end, lines + whole + u64::from(!self.ends_line(end))));
    }

    fn ends_line(&self, end: usize) -> bool {
        end == 0 || self.script.content.get(end - 1) == Some(&b'\n')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_as_they_are_read() {
        let script = Script { name: "x".into(), content: b"one\ntwo\n\nfour".to_vec() };
        let mut lines = ScriptLines::new(&script, (0, 0), 1);
        assert_eq!(lines.line(), None);
        for (end, line) in [(4, 1), (6, 2), (8, 2), (9, 3), (11, 4), (13, 4), (4, 1), (13, 4)] {
            lines.note(end);
            assert_eq!(lines.line(), Some(line), "{end}");
        }
    }
}
