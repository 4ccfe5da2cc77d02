//! Threads of the monitor that look at what scripts have, and may be held up there.
//!
//! The kernel can have a thread wait that does no more than look at another process, for as long as somebody else likes: by the
//! last close of a file that was looked at (`open_files`), or by a page of memory that a file system does not bring. No
//! check beforehand keeps that away, as the process goes on meanwhile. So such looks are made by threads of their own. Each is
//! tended by one that touches nothing of the scripts, and has it go on where a signal can do that.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Sender};
use std::thread::{Builder, JoinHandle};

use rustix::process::{Pid, Signal};
use rustix::thread::UnshareFlags;

use crate::failure::Failure;
use crate::sys;

/// So many times it may be seen at the same step before it is interrupted.
const USUAL: u32 = 4;

/// What interrupts it. Unasked for, this signal does nothing.
const INTERRUPTION: Signal = Signal::URG;

/// A thread that may be held up.
pub struct Worker {
    handle: JoinHandle<()>,
    thread: Pid,
    pulse: Pulse,
    /// The step at which it was seen last, and how often by then.
    seen: (u64, u32),
}

/// The steps of a worker's work.
#[derive(Clone, Default)]
pub struct Pulse(Arc<AtomicU64>);

impl Pulse {
    /// The next step begins.
    pub fn beat(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Worker {
    /// Starts a thread that waits for what it is to work on. It has a root and a working directory of its own, and may change
    /// both.
    ///
    /// # Errors
    /// When there can be no more threads.
    pub fn start<T: Send + 'static>(name: &str, work: fn(T, &Pulse)) -> Result<(Self, Sender<T>), Failure> {
        let (pulse, (give, given)) = (Pulse::default(), mpsc::channel());
        let (sender, number) = mpsc::channel();
        let beats = pulse.clone();
        let begin = move || {
            let begun = sys::unshare(UnshareFlags::FS).map(|()| rustix::thread::gettid());
            let begins = begun.is_ok();
            if let (Ok(()), true, Ok(what)) = (sender.send(begun), begins, given.recv()) {
                work(what, &beats);
            }
        };
        (|| {
            sys::let_interrupt(INTERRUPTION)?;
            let handle = Builder::new().name(name.into()).spawn(begin)?;
            let thread = number.recv().map_err(std::io::Error::other)??;
            std::io::Result::Ok((Self { handle, thread, pulse, seen: (0, 0) }, give))
        })()
        .map_err(|error| format!("starting a thread: {error}").into())
    }

    /// Whether it has come to its end.
    pub fn has_ended(&self) -> bool {
        self.handle.is_finished()
    }

    /// Looks how far it is, again and again, and interrupts what it waits for when it gets no further. Gives how many looks ago it
    /// was seen to get on.
    pub fn tend(&mut self) -> u32 {
        let step = self.pulse.0.load(Ordering::Relaxed);
        self.seen = if step == self.seen.0 { (step, self.seen.1.saturating_add(1)) } else { (step, 0) };
        if self.seen.1 >= USUAL && !self.has_ended() {
            sys::interrupt_thread(self.thread, INTERRUPTION);
        }
        self.seen.1
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{TcpListener, TcpStream};
    use std::sync::mpsc::Receiver;
    use std::time::{Duration, Instant};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);
    const TICK: Duration = Duration::from_millis(10);

    #[test]
    fn a_thread_that_waits_for_a_peer_goes_on() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let _peer = listener.accept().unwrap();
        socket.set_nonblocking(true).unwrap();
        while (&socket).write(&[0; 65536]).is_ok() {}
        rustix::net::sockopt::set_socket_linger(&socket, Some(Duration::from_secs(3600))).unwrap();
        let (mut worker, work) = Worker::start("closing", |socket: TcpStream, _| drop(socket)).unwrap();
        work.send(socket).unwrap();
        std::thread::sleep(5 * TICK);
        assert!(!worker.has_ended(), "the socket waits for its peer");
        let start = Instant::now();
        while !worker.has_ended() {
            worker.tend();
            assert!(start.elapsed() < PATIENCE, "nothing interrupts it");
            std::thread::sleep(TICK);
        }
    }

    #[test]
    fn a_thread_that_gets_on_is_told_from_one_that_does_not() {
        let working = |steps: Receiver<()>, pulse: &Pulse| steps.into_iter().for_each(|()| pulse.beat());
        let (mut worker, work) = Worker::start("working", working).unwrap();
        let (step, steps) = mpsc::channel();
        work.send(steps).unwrap();
        let start = Instant::now();
        for _ in 0..3 {
            step.send(()).unwrap();
            while worker.tend() > 0 {
                assert!(start.elapsed() < PATIENCE, "it does not get on");
                std::thread::sleep(TICK);
            }
        }
        // It waits for ever then, whatever interrupts it.
        assert_eq!((1..=9).map(|_| worker.tend()).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert!(!worker.has_ended());
        drop(step);
        while !worker.has_ended() {
            assert!(start.elapsed() < PATIENCE, "it does not end");
            std::thread::sleep(TICK);
        }
    }
}
