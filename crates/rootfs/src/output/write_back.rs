//! Starts writing to the disk while the file still grows, so that the sync at the end has little left to do.

use std::fs::File;
use std::io;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long data may wait; builds that take less than this never notice.
const INTERVAL: Duration = Duration::from_millis(200);

/// A thread that syncs a file's data again and again, until it is stopped.
#[derive(Debug)]
pub struct WriteBack {
    stop: Sender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl WriteBack {
    /// Starts to sync `file` from time to time.
    ///
    /// # Errors
    /// When there is no descriptor or no thread to be had.
    pub fn start(file: &File) -> io::Result<Self> {
        let file = file.try_clone()?;
        let (stop, stopped) = channel();
        let thread = std::thread::Builder::new().name("write-back".into()).spawn(move || {
            while stopped.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                file.sync_data()?;
            }
            Ok(())
        })?;
        Ok(Self { stop, thread })
    }

    /// Stops, and says whether everything so far could be written.
    ///
    /// # Errors
    /// What the disk said. It says so only once: a later sync of the file would succeed.
    pub fn finish(self) -> io::Result<()> {
        drop(self.stop);
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("the thread that writes the output failed")))
    }
}
