//! One layer on its way from a registry: ahead of its turn into a file, and from its turn on straight to its reader.
//!
//! ```text
//! ahead:   connection ─> spool ─ ─ ─> reader     at the network's speed; the reader follows
//! in turn: spool's rest ─> connection ─> reader  at the reader's speed: no copy, and no more on the disk
//! ```
//!
//! A download ahead is only an attempt. Where it fails, for whatever reason, the layer goes on in its turn from the byte
//! where it stopped, and what fails then is the error.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use nex_registry::Digest;

use super::supply::Supply;
use crate::blob::Blob;
use crate::blob_cache::NewBlob;

/// Bytes that go into the spool at once.
const PIECE: usize = 256 << 10;

/// A layer's download, shared by its reader and the thread that goes ahead.
pub(super) struct Download {
    supply: Arc<Supply>,
    digest: Digest,
    size: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    phase: Phase,
    /// What went ahead, to be read, and how many bytes of it are there.
    spooled: Option<Arc<File>>,
    bytes: u64,
    has_reader: bool,
    /// Who places layers waits for this one.
    is_in_turn: bool,
    /// Nobody reads it any more.
    is_given_up: bool,
}

#[derive(Default)]
enum Phase {
    /// Not begun.
    #[default]
    Waiting,
    /// A thread goes ahead.
    Ahead,
    /// It has ended, and this is what goes on.
    Left(Left),
    /// The reader has it.
    Taken,
}

/// What gives the bytes behind the spooled ones.
enum Left {
    /// An earlier build has cached all of it.
    Cached(File),
    /// A connection; `None` where it has to be made anew.
    Connection(Option<Box<dyn Read + Send>>, Option<Box<dyn NewBlob>>),
    /// There is nothing behind them.
    Whole(Option<Box<dyn NewBlob>>),
}

impl Download {
    /// Of the blob with this digest and so many bytes. Nothing is sent yet.
    pub(super) fn new(supply: Arc<Supply>, digest: Digest, size: u64) -> Download {
        Download { supply, digest, size, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Claims the download for the one who reads it. False when it has a reader, or had one.
    fn claim(&self) -> bool {
        !std::mem::replace(&mut self.state().has_reader, true)
    }

    /// From now on the layer is waited for.
    pub(super) fn take_turn(&self) {
        self.state().is_in_turn = true;
        self.changed.notify_all();
    }

    /// Nobody wants it any more.
    fn give_up(&self) {
        let mut state = self.state();
        state.is_given_up = true;
        state.spooled = None;
        self.changed.notify_all();
    }

    /// Nobody gives turns any more. Its reader, if it has one, reads on; otherwise nobody wants it.
    pub(super) fn leave_alone(&self) {
        if self.state().has_reader { self.take_turn() } else { self.give_up() }
    }

    /// Claims the download for a thread that goes ahead. False when it is too late for that.
    pub(super) fn claim_ahead(&self) -> bool {
        let mut state = self.state();
        let is_free = matches!(state.phase, Phase::Waiting) && !state.is_in_turn && !state.is_given_up;
        if is_free {
            state.phase = Phase::Ahead;
        }
        is_free
    }

    /// Goes ahead until all is there, or the turn comes, or it fails. Only for who has claimed it.
    pub(super) fn go_ahead(&self) {
        let left = panic::catch_unwind(AssertUnwindSafe(|| self.download_ahead()));
        self.leave(left.unwrap_or(Left::Connection(None, None)));
    }

    /// Nobody goes ahead after all.
    pub(super) fn stay_behind(&self) {
        self.leave(Left::Connection(None, None));
    }

    fn leave(&self, left: Left) {
        let mut state = self.state();
        if !state.is_given_up {
            state.phase = Phase::Left(left);
        }
        self.changed.notify_all();
    }

    fn download_ahead(&self) -> Left {
        if let Some(file) = self.supply.find(&self.digest) {
            return Left::Cached(file);
        }
        let spool = self.supply.spool(&self.digest, self.size);
        let Some((mut spool, file)) = spool.and_then(|spool| spool.reader().ok().map(|file| (spool, file))) else {
            return Left::Connection(None, None);
        };
        self.state().spooled = Some(Arc::new(file));
        let Ok(mut connection) = self.supply.connect(&self.digest, self.size, 0) else {
            return Left::Connection(None, spool.into_cached());
        };
        let mut piece = vec![0; PIECE];
        while !self.must_hand_over() {
            match connection.read(&mut piece) {
                Ok(0) => return Left::Whole(spool.into_cached()),
                Ok(read) if spool.write_all(&piece[..read]).is_ok() => self.spooled(read),
                // There is no room for it. In its turn it needs none.
                Ok(_) => return Left::Connection(None, None),
                Err(_) => return Left::Connection(None, spool.into_cached()),
            }
        }
        Left::Connection(Some(connection), spool.into_cached())
    }

    fn spooled(&self, bytes: usize) {
        self.state().bytes += bytes as u64;
        self.changed.notify_all();
    }

    fn must_hand_over(&self) -> bool {
        let state = self.state();
        state.is_in_turn || state.is_given_up
    }

    /// Waits for what comes after the first `offset` bytes.
    fn next(&self, offset: u64) -> Next {
        let mut state = self.state();
        loop {
            if let Some(spooled) = state.spooled.as_ref().filter(|_| state.bytes > offset) {
                return Next::Spooled(Arc::clone(spooled), state.bytes - offset);
            }
            let is_ready = match &state.phase {
                Phase::Waiting | Phase::Left(Left::Connection(..)) => state.is_in_turn,
                Phase::Left(Left::Cached(_) | Left::Whole(_)) => true,
                Phase::Ahead | Phase::Taken => false,
            };
            if is_ready {
                return match std::mem::replace(&mut state.phase, Phase::Taken) {
                    Phase::Left(left) => Next::Left(left),
                    _ => Next::Begin,
                };
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a reader can go on with.
enum Next {
    /// So many bytes of the spool.
    Spooled(Arc<File>, u64),
    /// What the thread that went ahead has left.
    Left(Left),
    /// The reader has to begin itself.
    Begin,
}

/// Reads a download from its first byte to its last.
pub(super) struct DownloadReader {
    download: Arc<Download>,
    offset: u64,
    left: Option<Left>,
}

impl DownloadReader {
    /// `None` when the download has a reader, or had one.
    pub(super) fn new(download: &Arc<Download>) -> Option<DownloadReader> {
        download.claim().then(|| DownloadReader { download: Arc::clone(download), offset: 0, left: None })
    }

    /// From now on the layer is waited for.
    pub(super) fn take_turn(&self) {
        self.download.take_turn();
    }

    /// What the reader begins with when nobody went ahead.
    fn begin(&self) -> Left {
        let Download { supply, digest, size, .. } = &*self.download;
        match supply.find(digest) {
            Some(file) => Left::Cached(file),
            None => Left::Connection(None, supply.new_blob(digest, *size)),
        }
    }

    fn read_left(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Download { supply, digest, size, .. } = &*self.download;
        match &mut self.left {
            Some(Left::Cached(file)) => file.read(buffer),
            Some(Left::Connection(connection, cached)) => {
                let connection = match connection {
                    Some(connection) => connection,
                    None => connection.insert(supply.connect(digest, *size, self.offset).map_err(io::Error::other)?),
                };
                let read = connection.read(buffer)?;
                *cached = cached.take().and_then(|mut blob| blob.write_all(&buffer[..read]).is_ok().then_some(blob));
                Ok(read)
            }
            Some(Left::Whole(_)) | None => Ok(0),
        }
    }
}

impl Read for DownloadReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        let mut read = None;
        if self.left.is_none() {
            match self.download.next(self.offset) {
                Next::Spooled(file, bytes) => {
                    let length = usize::try_from(bytes).map_or(buffer.len(), |bytes| bytes.min(buffer.len()));
                    read = Some(file.read_at(&mut buffer[..length], self.offset)?);
                }
                Next::Left(left) => self.left = Some(left),
                Next::Begin => self.left = Some(self.begin()),
            }
        }
        let read = match read {
            Some(read) => read,
            None => self.read_left(buffer)?,
        };
        self.offset += read as u64;
        Ok(read)
    }
}

impl Blob for DownloadReader {
    fn verified(mut self: Box<Self>) {
        if let Some(Left::Connection(_, Some(blob)) | Left::Whole(Some(blob))) = self.left.take() {
            blob.commit();
        }
    }
}

impl Drop for DownloadReader {
    fn drop(&mut self) {
        self.download.give_up();
    }
}
