//! Who asks a supervisor for the guest's end: its starter, and who sends it signals.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nex_process::IgnoredSignals;
use nex_run::{Asked, Stop};
use nex_supervise::api::{self, LONGEST_REQUEST, LineBuffer, Order};
use rustix::event::{PollFd, PollFlags, poll};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::interrupt::{Grace, Process, end_by};

/// The most that is read at once.
const CHUNK: usize = 4 << 10;

/// How long a guest may take to be killed and released that nobody waits for.
const NOBODY_WAITS: Duration = Duration::from_secs(5);

/// The requests for an end, one after another.
pub struct StopRequests {
    file: UnixStream,
    is_detached: Arc<AtomicBool>,
}

/// The supervisor ends itself when it has not ended in time, whatever it waits for.
struct Asking {
    write: UnixStream,
    grace: Grace,
    count: usize,
    process: Process,
}

impl StopRequests {
    /// Listens to the starter and to signals from now on.
    ///
    /// # Errors
    /// When the system gives no threads, or does not let signals be caught.
    pub fn listen(control: UnixStream, grace: Grace, process: &Process) -> io::Result<Self> {
        let (file, write) = UnixStream::pair()?;
        let is_detached = Arc::new(AtomicBool::new(false));
        let asking = Arc::new(Mutex::new(Asking { write, grace, count: 0, process: process.clone() }));
        let ignored = IgnoredSignals::now();
        let signals = [SIGINT, SIGTERM].into_iter().filter(|signal| !ignored.has(*signal));
        let mut signals = Signals::new(signals)?;
        let by_signal = Arc::clone(&asking);
        thread("signals", move || {
            for signal in signals.forever() {
                // Only those come that are asked for above.
                u8::try_from(signal).into_iter().for_each(|number| ask(&by_signal, Asked::Signal(number)));
            }
        })?;
        let leaves = Arc::clone(&is_detached);
        thread("starter", move || {
            hear(&control, |number| ask(&asking, Asked::Signal(number)));
            if !leaves.load(Ordering::SeqCst) {
                ask(&asking, Asked::StarterGone);
            }
        })?;
        Ok(Self { file, is_detached })
    }

    /// Says that the guest goes on without its starter once this is set.
    pub fn detachment(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.is_detached)
    }
}

impl Stop for StopRequests {
    fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    fn take(&mut self) -> io::Result<Asked> {
        let mut byte = [0];
        self.file.read_exact(&mut byte)?;
        Ok(match byte {
            [STARTER_GONE] => Asked::StarterGone,
            [number] => Asked::Signal(number),
        })
    }
}

/// Stands in the file for a starter that is gone. No signal has this number.
const STARTER_GONE: u8 = 0;

/// How an end that was asked for stands in the file; `None` for a number that is no signal's.
fn encode(asked: Asked) -> Option<u8> {
    match asked {
        Asked::Signal(STARTER_GONE) => None,
        Asked::Signal(number) => Some(number),
        Asked::StarterGone => Some(STARTER_GONE),
    }
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    /// They do next to nothing.
    const STACK: usize = 128 << 10;
    std::thread::Builder::new().name(name.into()).stack_size(STACK).spawn(work).map(drop)
}

/// Hears the starter, until that has gone.
fn hear(mut control: &UnixStream, mut order: impl FnMut(u8)) {
    let mut lines = LineBuffer::up_to(LONGEST_REQUEST);
    let mut bytes = [0; CHUNK];
    loop {
        match control.read(&mut bytes) {
            Ok(0) => return,
            Ok(count) => lines.push(bytes.get(..count).unwrap_or_default()),
            // The writing end is this one, too, and does not wait.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let _ = poll(&mut [PollFd::new(&control, PollFlags::IN)], None);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
        loop {
            match lines.next_line() {
                Ok(Some(line)) => match api::decode(&line) {
                    Ok(Order::Signal { number }) => order(number),
                    // Who speaks another language is not understood when it matters.
                    Err(_) => return,
                },
                Ok(None) => break,
                Err(_) => return,
            }
        }
    }
}

fn ask(asking: &Mutex<Asking>, asked: Asked) {
    let Some(byte) = encode(asked) else { return };
    let mut asking = asking.lock().unwrap_or_else(PoisonError::into_inner);
    // Nobody reads it any more when the supervisor is at its end.
    let _ = asking.write.write_all(&[byte]);
    asking.count += 1;
    let patience = patience(asked, asking.count, asking.grace);
    let process = asking.process.clone();
    let overdue = move || {
        std::thread::sleep(patience);
        end_by(SIGTERM, &process)
    };
    if thread("grace", overdue).is_err() {
        end_by(SIGTERM, &asking.process);
    }
}

/// How long the supervisor may take to end from the request on that is this one in their order, counted from 1.
fn patience(asked: Asked, count: usize, grace: Grace) -> Duration {
    match (asked, count) {
        (Asked::StarterGone, _) => NOBODY_WAITS,
        (Asked::Signal(_), 1) => grace.first,
        (Asked::Signal(_), 2) => grace.second.unwrap_or_default(),
        (Asked::Signal(_), _) => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hangup_of_the_starter_is_a_signal_like_others_and_its_end_is_none() {
        let (file, mut write) = UnixStream::pair().unwrap();
        let mut requests = StopRequests { file, is_detached: Arc::default() };
        for asked in [Asked::Signal(1), Asked::StarterGone, Asked::Signal(15)] {
            write.write_all(&[encode(asked).unwrap()]).unwrap();
            assert_eq!(requests.take().unwrap(), asked);
        }
        assert_eq!(encode(Asked::Signal(0)), None);

        let grace = Grace { first: Duration::from_secs(30), second: None };
        assert_eq!(patience(Asked::Signal(1), 1, grace), grace.first);
        assert_eq!(patience(Asked::StarterGone, 1, grace), NOBODY_WAITS);
    }
}
