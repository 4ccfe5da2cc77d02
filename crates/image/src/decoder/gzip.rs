//! Gzip as layers have it: several members in a row, and zeros at the end.

use std::io::{self, BufRead, Read};

use flate2::{Decompress, FlushDecompress, Status};

/// The largest window that deflate has, as a power of two.
const WINDOW_BITS: u8 = 15;
/// The first byte of a member.
const MEMBER_START: u8 = 0x1f;

/// Something that is no member follows the last one.
#[derive(Debug, thiserror::Error)]
#[error("something else follows the gzip data")]
pub(crate) struct TrailingData;

/// Decompresses all members. Each one's CRC and length are checked by the inflater.
pub(crate) struct GzipReader<R> {
    compressed: R,
    inflater: Decompress,
    state: State,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    /// In a member.
    Member,
    /// Behind a member: another one may follow.
    Between,
    /// In the zeros that fill up a block device or tape: nothing else may follow.
    Padding,
}

impl<R: BufRead> GzipReader<R> {
    /// Expects at least one member.
    pub(super) fn new(compressed: R) -> GzipReader<R> {
        GzipReader { compressed, inflater: Decompress::new_gzip(WINDOW_BITS), state: State::Member }
    }

    /// Where it reads from.
    pub(super) fn get_ref(&self) -> &R {
        &self.compressed
    }

    /// Decides what follows a member. `false` at the end of all.
    fn next_member(&mut self) -> io::Result<bool> {
        while self.state != State::Member {
            let input = self.compressed.fill_buf()?;
            let zeros = input.iter().take_while(|&&byte| byte == 0).count();
            match input.first() {
                None => return Ok(false),
                Some(0) => {
                    self.state = State::Padding;
                    self.compressed.consume(zeros);
                }
                Some(&MEMBER_START) if self.state == State::Between => {
                    self.inflater.reset(true);
                    self.state = State::Member;
                }
                Some(_) => return Err(io::Error::other(TrailingData)),
            }
        }
        Ok(true)
    }

    /// One step of the inflater: bytes written.
    fn inflate(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let input = self.compressed.fill_buf()?;
        if input.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (in_before, out_before) = (self.inflater.total_in(), self.inflater.total_out());
        let status = self.inflater.decompress(input, out, FlushDecompress::None).map_err(io::Error::from)?;
        let taken = usize::try_from(self.inflater.total_in() - in_before).map_err(io::Error::other)?;
        let written = usize::try_from(self.inflater.total_out() - out_before).map_err(io::Error::other)?;
        self.compressed.consume(taken);
        match status {
            Status::StreamEnd => self.state = State::Between,
            Status::BufError if taken == 0 && written == 0 => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "the inflater makes no progress"));
            }
            Status::Ok | Status::BufError => {}
        }
        Ok(written)
    }
}

impl<R: BufRead> Read for GzipReader<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        while self.next_member()? {
            let written = self.inflate(out)?;
            if written > 0 {
                return Ok(written);
            }
        }
        Ok(0)
    }
}
