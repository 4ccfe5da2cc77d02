//! What scripts write, line by line.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, PipeReader, Read};

use nex_text::printable;
use rustix::event::{PollFd, PollFlags};
use rustix::fs::OFlags;
use rustix::io::Errno;

/// The longest line of output that is passed on in one piece.
const LONGEST_LINE: u64 = 64 << 10;

/// How many of the last lines an error shows.
const SHOWN_LINES: usize = 10;

/// And how much of each.
const SHOWN_CHARACTERS: usize = 200;

/// A pipe of scripts that run. Whoever has got hold of it may keep it open, and write to it or read from it when they have
/// ended, so its end is theirs: what is in it then is the last that comes.
pub struct Output {
    pipe: File,
    /// Its other side is closed when the scripts have ended.
    running: PipeReader,
    /// How many bytes there still are at most, once they have.
    left: Option<u64>,
}

impl Output {
    /// Begins to read a pipe.
    ///
    /// # Errors
    /// When it is none.
    pub fn new(pipe: File, running: PipeReader) -> io::Result<Self> {
        rustix::fs::fcntl_setfl(&pipe, rustix::fs::fcntl_getfl(&pipe)? | OFlags::NONBLOCK)?;
        Ok(Self { pipe, running, left: None })
    }

    /// Waits until there is something to read, or the scripts have ended.
    fn wait(&mut self) -> io::Result<()> {
        let mut files = [PollFd::new(&self.pipe, PollFlags::IN), PollFd::new(&self.running, PollFlags::IN)];
        loop {
            match rustix::event::poll(&mut files, None) {
                Ok(_) => break,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if !files[1].revents().is_empty() {
            self.left = Some(rustix::io::ioctl_fionread(&self.pipe)?);
        }
        Ok(())
    }
}

impl Read for Output {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.left.is_none() {
                self.wait()?;
            }
            match self.pipe.by_ref().take(self.left.unwrap_or(u64::MAX)).read(buffer) {
                // Somebody else has read it.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && self.left.is_some() => return Ok(0),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => {
                    let read = read?;
                    self.left = self.left.map(|left| left - read as u64);
                    return Ok(read);
                }
            }
        }
    }
}

/// Passes lines on, and gives the last ones, made fit for a message.
pub fn read_lines(output: Output, line: &mut (dyn FnMut(&[u8]) + Send)) -> Vec<String> {
    let mut output = BufReader::new(output);
    let mut last = VecDeque::new();
    let mut bytes = Vec::new();
    while output.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut bytes).is_ok_and(|read| read > 0) {
        let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        line(text);
        if last.len() == SHOWN_LINES {
            last.pop_front();
        }
        last.push_back(short_line(text));
        bytes.clear();
    }
    last.into()
}

/// A line as a message shows it.
pub fn short_line(line: &[u8]) -> String {
    printable(line.strip_suffix(b"\r").unwrap_or(line)).chars().take(SHOWN_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use std::io::{PipeWriter, Write};
    use std::os::fd::{AsRawFd, OwnedFd};

    use super::*;

    /// Output, where it is written, and what ends it.
    fn output() -> (Output, PipeWriter, PipeWriter) {
        let ((pipe, writer), (running, ends)) = (io::pipe().unwrap(), io::pipe().unwrap());
        (Output::new(File::from(OwnedFd::from(pipe)), running).unwrap(), writer, ends)
    }

    #[test]
    fn output_ends_with_the_scripts_whoever_keeps_it_open() {
        let (output, mut writer, ends) = output();
        let reader = std::thread::spawn(move || {
            let mut lines = Vec::new();
            let last = read_lines(output, &mut |line| lines.push(line.to_vec()));
            (lines, last)
        });
        writer.write_all(b"one\ntwo\nthr").unwrap();
        writer.write_all(b"ee").unwrap();
        drop(ends);
        let (lines, last) = reader.join().unwrap();
        assert_eq!(lines, [b"one".to_vec(), b"two".into(), b"three".into()]);
        assert_eq!(last, ["one", "two", "three"]);
    }

    #[test]
    fn output_ends_when_nobody_has_it_open() {
        let (output, mut writer, _ends) = output();
        writer.write_all(b"all\n").unwrap();
        drop(writer);
        let mut lines = 0;
        read_lines(output, &mut |_| lines += 1);
        assert_eq!(lines, 1);
    }

    #[test]
    fn who_goes_on_writing_is_not_heard_out() {
        let (output, mut writer, ends) = output();
        let half = vec![b'\n'; rustix::pipe::fcntl_getpipe_size(&output.pipe).unwrap() / 2];
        writer.write_all(&half).unwrap();
        drop(ends);
        let mut lines = 0;
        read_lines(output, &mut |_| {
            lines += 1;
            writer.write_all(b"\n").unwrap();
        });
        assert_eq!(lines, half.len());
    }

    #[test]
    fn what_somebody_else_has_read_is_not_waited_for() {
        let (mut output, mut writer, ends) = output();
        writer.write_all(b"something").unwrap();
        drop(ends);
        output.wait().unwrap();
        assert_eq!(output.left, Some(9));
        let mut thief = File::open(format!("/proc/self/fd/{}", writer.as_raw_fd())).unwrap();
        assert_eq!(thief.read(&mut [0; 16]).unwrap(), 9);
        assert_eq!(output.read(&mut [0; 16]).unwrap(), 0);
    }
}
