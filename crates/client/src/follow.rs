//! The output of a guest that is kept, as it comes.

use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::time::Duration;

use nex_supervise::spool::{Piece, SpoolReader};
use nex_supervise::{GuestDir, StateError};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify;
use rustix::io::Errno;

/// How long is waited for a sign of the guest before its supervisor is looked for: where that was killed, nothing is written any more.
const LOOK: Duration = Duration::from_secs(1);

/// Reads a guest's output from the oldest on that is kept, and waits for what comes.
#[derive(Debug)]
pub struct Follow {
    reader: SpoolReader,
    /// Readable when something changes in the guest's directory.
    changes: OwnedFd,
    path: PathBuf,
}

impl Follow {
    pub(crate) fn new(directory: &GuestDir) -> Result<Self, StateError> {
        let path = directory.path().to_owned();
        let made = (|| {
            let changes = inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
            let signs = inotify::WatchFlags::MODIFY | inotify::WatchFlags::CREATE | inotify::WatchFlags::DELETE;
            inotify::add_watch(
                &changes,
                format!("/proc/self/fd/{}", directory.directory().handle().as_raw_fd()),
                signs,
            )?;
            Ok((SpoolReader::new(directory.directory())?, changes))
        })();
        let (reader, changes) = made.map_err(|cause| StateError::Io { path: path.clone(), cause })?;
        Ok(Self { reader, changes, path })
    }

    /// The next piece that is there; `None` when there is none yet.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn next_piece(&mut self) -> Result<Option<Piece>, StateError> {
        self.reader.next_piece().map_err(|cause| StateError::Io { path: self.path.clone(), cause })
    }

    /// Waits until there may be more, or until it is time to look whether the guest still is there.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn wait(&mut self) -> Result<(), StateError> {
        let waited = (|| {
            let patience = Timespec::try_from(LOOK).map_err(io::Error::other)?;
            let mut files = [PollFd::from_borrowed_fd(self.changes.as_fd(), PollFlags::IN)];
            match poll(&mut files, Some(&patience)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            // What has changed does not matter: all of it is looked at.
            let mut signs = [0; 4096];
            while matches!(rustix::io::read(&self.changes, &mut signs), Ok(1..)) {}
            Ok(())
        })();
        waited.map_err(|cause| StateError::Io { path: self.path.clone(), cause })
    }
}
