//! A stream of which the next bytes can be looked at before they are taken.

use std::io::{BufRead, Result};

/// Looks ahead in a [`BufRead`], copying only what crosses the edge of its buffer.
pub struct Window<R> {
    source: R,
    /// Bytes taken from the source that were looked at but not consumed, from `start` on.
    carried: Vec<u8>,
    start: usize,
}

impl<R: BufRead> Window<R> {
    pub fn new(source: R) -> Self {
        Self { source, carried: Vec::new(), start: 0 }
    }

    /// At least `minimum` bytes without consuming them; fewer only at the end of the stream.
    pub fn peek(&mut self, minimum: usize) -> Result<&[u8]> {
        if self.start == self.carried.len() && self.source.fill_buf()?.len() >= minimum {
            return self.source.fill_buf();
        }
        self.carried.drain(..self.start);
        self.start = 0;
        while self.carried.len() < minimum {
            let chunk = self.source.fill_buf()?;
            if chunk.is_empty() {
                break;
            }
            let taken = chunk.len().min(minimum - self.carried.len());
            self.carried.extend_from_slice(&chunk[..taken]);
            self.source.consume(taken);
        }
        Ok(&self.carried)
    }

    /// The next bytes, as many as come without copying; empty only at the end of the stream.
    pub fn chunk(&mut self) -> Result<&[u8]> {
        if self.start < self.carried.len() { Ok(&self.carried[self.start..]) } else { self.source.fill_buf() }
    }

    /// Takes bytes that [`peek`](Self::peek) or [`chunk`](Self::chunk) gave.
    pub fn consume(&mut self, count: usize) {
        if self.start < self.carried.len() {
            self.start += count;
        } else {
            self.source.consume(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use super::*;

    #[test]
    fn looking_ahead_across_buffers_loses_nothing() {
        let data: Vec<u8> = (0..=255).collect();
        let mut window = Window::new(BufReader::with_capacity(7, data.as_slice()));
        let mut seen = Vec::new();
        for step in [1, 20, 3, 60, 7, 100] {
            assert_eq!(window.peek(step).unwrap()[..step], data[seen.len()..seen.len() + step]);
            seen.extend_from_slice(&window.peek(step).unwrap()[..step]);
            window.consume(step);
            let chunk = window.chunk().unwrap()[..1].to_vec();
            seen.extend(chunk);
            window.consume(1);
        }
        assert_eq!(seen, data[..seen.len()]);
        assert_eq!(window.peek(1000).unwrap(), &data[seen.len()..]);
    }
}
