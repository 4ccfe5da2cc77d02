//! What the supervisor tells the one who has started it.

use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nex_supervise::api::{self, Notice};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// The most bytes that wait for a starter who does not read. Notes that come then are left out.
const MOST: usize = 1 << 20;

/// As many bytes may wait before the guest's console is held.
const ENOUGH: usize = 64 << 10;

/// The connection to the one who has started the supervisor. No call waits but [`finish`](Self::finish). All copies are the same connection.
#[derive(Clone, Debug, Default)]
pub struct Control(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// `None` where nobody is there, or not any more.
    stream: Option<UnixStream>,
    waiting: Vec<u8>,
}

impl Control {
    /// Speaks over this socket.
    ///
    /// # Errors
    /// When it cannot be had without waiting.
    pub fn over(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self(Arc::new(Mutex::new(State { stream: Some(stream), waiting: Vec::new() }))))
    }

    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Says something.
    pub fn tell(&self, notice: &Notice) {
        // What is longer than a line helps nobody who waits for lines.
        let Ok(line) = api::encode(notice) else { return };
        self.with(|state| {
            let is_last = matches!(notice, Notice::Ended(_) | Notice::Refused { .. });
            if state.stream.is_some() && (is_last || state.waiting.len() < MOST) {
                state.waiting.extend(line);
                state.flush();
            }
        });
    }

    /// Sends what waits, as far as there is room for it now.
    pub fn flush(&self) {
        self.with(State::flush);
    }

    /// Whether something waits for room.
    pub fn is_waiting(&self) -> bool {
        self.with(|state| !state.waiting.is_empty())
    }

    /// Whether so much waits that nothing should be added that comes without end.
    pub fn is_full(&self) -> bool {
        self.with(|state| state.waiting.len() > ENOUGH)
    }

    /// A descriptor of its own, to wait for room.
    pub fn file(&self) -> Option<OwnedFd> {
        self.with(|state| state.stream.as_ref()?.as_fd().try_clone_to_owned().ok())
    }

    /// Waits until all is sent, or until nobody is there any more.
    pub fn finish(&self) {
        /// Every so often a look is taken at what another thread may have changed.
        const MOMENT: Duration = Duration::from_secs(1);
        while let Some(file) = self.file().filter(|_| self.is_waiting()) {
            let moment = Timespec::try_from(MOMENT).ok();
            let _ = poll(&mut [PollFd::new(&file, PollFlags::OUT)], moment.as_ref());
            self.flush();
        }
    }
}

impl State {
    fn flush(&mut self) {
        while let Some(stream) = self.stream.as_mut().filter(|_| !self.waiting.is_empty()) {
            match stream.write(&self.waiting) {
                Ok(count) => drop(self.waiting.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => *self = Self::default(),
            }
        }
    }
}
