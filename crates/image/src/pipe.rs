//! Bounded pipes of reused buffers between the stages.

use std::cell::Cell;
use std::io::{self, BufRead, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use nex_cancel::Cancel;

use crate::error::LayerError;

/// How long a reader waits that can be cancelled, before it looks at that again.
const GLANCE: Duration = Duration::from_millis(50);

/// The size of a pool's first buffer.
const FIRST_SIZE: usize = 32 << 10;

/// A bounded set of buffers. Taking one waits until one is free, so a pipeline's memory is what its pools may hold.
///
/// A buffer is made only when none is free, and the first ones are small: most layers are, and the stages behind begin early.
pub(crate) struct Pool {
    free: Receiver<Box<[u8]>>,
    home: SyncSender<Box<[u8]>>,
    /// How many there are, of `count` at most.
    made: Cell<usize>,
    count: usize,
    size: usize,
}

impl Pool {
    /// At most `count` buffers of at most `size` bytes.
    pub(crate) fn new(count: usize, size: usize) -> Pool {
        let (home, free) = sync_channel(count);
        Pool { free, home, made: Cell::new(0), count, size }
    }

    /// A free buffer, or a new one; waits when there may be no more of them.
    pub(crate) fn take(&self) -> Buffer {
        let bytes = match self.free.try_recv() {
            Ok(bytes) if bytes.len() == self.size => bytes,
            Ok(_) => new_buffer(self.size),
            Err(_) if self.made.get() < self.count => self.make(),
            Err(_) => self.free.recv().expect("the pool itself holds a sender"),
        };
        Buffer { bytes, length: 0, home: self.home.clone() }
    }

    /// One more buffer, twice as large as the one before.
    fn make(&self) -> Box<[u8]> {
        let made = self.made.get();
        self.made.set(made + 1);
        let shift = u32::try_from(made).unwrap_or(u32::MAX);
        new_buffer(FIRST_SIZE.checked_shl(shift).map_or(self.size, |size| size.min(self.size)))
    }
}

fn new_buffer(size: usize) -> Box<[u8]> {
    vec![0; size].into_boxed_slice()
}

/// A buffer that goes back to its pool when it is dropped, wherever that is.
pub(crate) struct Buffer {
    bytes: Box<[u8]>,
    length: usize,
    home: SyncSender<Box<[u8]>>,
}

impl Buffer {
    /// What it holds.
    pub(crate) fn filled(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// Whether there is no room left.
    pub(crate) fn is_full(&self) -> bool {
        self.length == self.bytes.len()
    }

    /// Reads once, behind what is there already.
    pub(crate) fn read_some(&mut self, from: &mut impl Read) -> io::Result<usize> {
        loop {
            match from.read(&mut self.bytes[self.length..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return read.inspect(|read| self.length += read),
            }
        }
    }

    /// Reads until the buffer is full or the stream ends; gives the bytes read. Nothing read means the stream's end.
    pub(crate) fn fill(&mut self, from: &mut impl Read) -> io::Result<usize> {
        while !self.is_full() && self.read_some(from)? > 0 {}
        Ok(self.length)
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        // The pool may be gone, and then the memory just goes too.
        let _ = self.home.try_send(std::mem::take(&mut self.bytes));
    }
}

/// What goes through a pipe: data, then one of the others.
enum Message<T> {
    Data(Buffer),
    Failed(LayerError),
    End(T),
}

/// The end that a stage writes to.
pub(crate) struct PipeWriter<T>(SyncSender<Message<T>>);

/// The reader went away, so the stage has nothing left to do.
pub(crate) struct Closed;

impl<T> PipeWriter<T> {
    /// Hands a buffer over; waits while the pipe is full.
    pub(crate) fn send(&self, buffer: Buffer) -> Result<(), Closed> {
        self.0.send(Message::Data(buffer)).map_err(|_| Closed)
    }
}

/// The end that a stage reads from.
pub(crate) struct PipeReader<T> {
    messages: Receiver<Message<T>>,
    /// What the writing stage does, for the error when it dies.
    stage: &'static str,
    current: Option<Buffer>,
    consumed: usize,
    end: Option<T>,
    cancel: Cancel,
}

/// Why a stage's work ended early.
pub(crate) enum Stop {
    Closed,
    Failed(LayerError),
}

impl From<Closed> for Stop {
    fn from(_: Closed) -> Stop {
        Stop::Closed
    }
}

impl From<LayerError> for Stop {
    fn from(error: LayerError) -> Stop {
        Stop::Failed(error)
    }
}

/// Runs `work` on a thread of its own, and gives the reading end of what it writes. `stage` is a verb: what it does.
pub(crate) fn spawn_stage<T: Send + 'static>(
    stage: &'static str,
    depth: usize,
    work: impl FnOnce(&PipeWriter<T>) -> Result<T, Stop> + Send + 'static,
) -> Result<PipeReader<T>, LayerError> {
    let (sender, messages) = sync_channel(depth);
    let run = move || {
        let writer = PipeWriter(sender);
        let last = match work(&writer) {
            Ok(end) => Message::End(end),
            Err(Stop::Failed(error)) => Message::Failed(error),
            Err(Stop::Closed) => return,
        };
        // A reader that went away does not want to know.
        let _ = writer.0.send(last);
    };
    thread::Builder::new().name(format!("layer {stage}")).spawn(run).map_err(LayerError::Thread)?;
    Ok(PipeReader { messages, stage, current: None, consumed: 0, end: None, cancel: Cancel::never() })
}

impl<T> PipeReader<T> {
    /// From now on it fails once this is cancelled, also while it waits.
    pub(crate) fn fail_at(&mut self, cancel: Cancel) {
        self.cancel = cancel;
    }

    fn receive(&self) -> Result<Message<T>, LayerError> {
        loop {
            self.cancel.check().map_err(|_| LayerError::Cancelled)?;
            let received = match self.cancel.file() {
                Some(_) => self.messages.recv_timeout(GLANCE),
                None => self.messages.recv().map_err(RecvTimeoutError::from),
            };
            match received {
                Ok(message) => return Ok(message),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err(LayerError::StageDied { stage: self.stage }),
            }
        }
    }

    /// The next buffer as a whole; `None` at the end.
    pub(crate) fn next_piece(&mut self) -> Result<Option<Buffer>, LayerError> {
        self.current = None;
        self.consumed = 0;
        if self.end.is_some() {
            return Ok(None);
        }
        match self.receive()? {
            Message::Data(buffer) => Ok(Some(buffer)),
            Message::Failed(error) => Err(error),
            Message::End(end) => {
                self.end = Some(end);
                Ok(None)
            }
        }
    }

    /// The rest of the current buffer, or the next one; empty at the end.
    pub(crate) fn piece(&mut self) -> Result<&[u8], LayerError> {
        if self.current.as_ref().is_none_or(|buffer| self.consumed >= buffer.length) {
            self.current = self.next_piece()?;
        }
        Ok(self.current.as_ref().map_or(&[], |buffer| &buffer.filled()[self.consumed..]))
    }

    /// What the writing stage gave at its end; `None` before that was reached.
    pub(crate) fn end(&self) -> Option<&T> {
        self.end.as_ref()
    }
}

impl<T> BufRead for PipeReader<T> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.piece().map_err(io::Error::other)
    }

    fn consume(&mut self, amount: usize) {
        self.consumed += amount;
    }
}

impl<T> Read for PipeReader<T> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let piece = self.fill_buf()?;
        let length = piece.len().min(out.len());
        out[..length].copy_from_slice(&piece[..length]);
        self.consume(length);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_that_is_cancelled_waits_no_longer() {
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let mut pipe = spawn_stage("wait", 1, move |_: &PipeWriter<()>| {
            held.recv().ok();
            Err(Stop::Closed)
        })
        .ok()
        .unwrap();
        let cancel = Cancel::new().unwrap();
        pipe.fail_at(cancel.clone());
        let reader = thread::spawn(move || pipe.next_piece().err());
        cancel.cancel();
        assert!(matches!(reader.join().unwrap(), Some(LayerError::Cancelled)));
        drop(hold);
    }

    #[test]
    fn a_pool_makes_what_is_needed_and_no_more_than_it_may() {
        let pool = Pool::new(3, 4 * FIRST_SIZE);
        drop(pool.take());
        assert_eq!(pool.made.get(), 1);
        let taken: Vec<_> = (0..3).map(|_| pool.take()).collect();
        assert_eq!(pool.made.get(), 3);
        assert!(taken.iter().all(|buffer| buffer.bytes.len() <= 4 * FIRST_SIZE));
        std::thread::scope(|scope| {
            scope.spawn(|| drop(taken));
            drop(pool.take());
        });
        assert_eq!(pool.made.get(), 3);
    }
}
