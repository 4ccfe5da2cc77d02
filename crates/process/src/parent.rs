//! The thread that children end with.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

/// Spawning takes little of it.
const STACK: usize = 256 << 10;

type Work = Box<dyn FnOnce() + Send>;

/// A thread that starts children, and lives until this is dropped. A child that has the kernel kill it when its parent ends
/// (`PR_SET_PDEATHSIG`) ends with this then, and not before: see [the rule of threads](crate#the-rule-of-threads).
#[derive(Debug)]
pub struct Parent {
    /// `None` once there is no more work.
    work: Option<Sender<Work>>,
    thread: Option<JoinHandle<()>>,
}

impl Parent {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives none.
    pub fn start() -> io::Result<Self> {
        let (work, given) = channel::<Work>();
        let run = move || given.into_iter().for_each(|work| work());
        let thread = std::thread::Builder::new().name("parent".into()).stack_size(STACK).spawn(run)?;
        Ok(Self { work: Some(work), thread: Some(thread) })
    }

    /// Does something on the thread, such as to start a child, and waits until it is done.
    ///
    /// # Errors
    /// When the thread has ended, as after a panic in what it did before.
    pub fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
        let (done, result) = channel();
        let gone = || io::Error::other("the thread that starts processes is gone");
        let work: Work = Box::new(move || {
            // Nobody waits for it when the caller is gone.
            let _ = done.send(work());
        });
        self.work.as_ref().and_then(|sender| sender.send(work).ok()).ok_or_else(gone)?;
        result.recv().map_err(|_| gone())
    }
}

impl Parent {
    /// Starts a program that gets this signal when this is dropped, or when its process ends in whatever way.
    ///
    /// # Errors
    /// When it cannot be started.
    #[allow(unsafe_code, reason = "the standard library lets nothing else be done between fork and exec")]
    pub fn spawn(&self, mut command: Command, signal: i32) -> io::Result<Child> {
        let (parent, word) = (std::process::id(), libc::c_ulong::try_from(signal).map_err(io::Error::other)?);
        // SAFETY: between fork and exec it makes two system calls, and touches no memory.
        unsafe {
            command.pre_exec(move || {
                if libc::prctl(libc::PR_SET_PDEATHSIG, word) != 0 {
                    return Err(io::Error::last_os_error());
                }
                // One that had ended before sends nothing any more.
                match u32::try_from(libc::getppid()) == Ok(parent) {
                    true => Ok(()),
                    false => Err(io::Error::from_raw_os_error(libc::ECHILD)),
                }
            });
        }
        self.run(move || command.spawn())?
    }
}

impl Drop for Parent {
    fn drop(&mut self) {
        self.work = None;
        // What panicked in it has failed for who waited for it.
        drop(self.thread.take().map(JoinHandle::join));
    }
}

#[cfg(test)]
mod tests {
    #![allow(unsafe_code)]

    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command};
    use std::thread;
    use std::time::{Duration, Instant};

    use rustix::process::Signal;

    use super::*;

    /// Long enough for a child to be killed that will be.
    const MOMENT: Duration = Duration::from_millis(300);

    fn start_child() -> io::Result<Child> {
        let mut command = Command::new("sleep");
        command.arg("600");
        // SAFETY: it makes one system call.
        unsafe {
            command.pre_exec(|| Ok(rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?));
        }
        command.spawn()
    }

    fn lives(child: &mut Child) -> io::Result<bool> {
        let deadline = Instant::now() + MOMENT;
        while Instant::now() < deadline {
            if child.try_wait()?.is_some() {
                return Ok(false);
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(true)
    }

    #[test]
    fn a_child_lives_as_long_as_its_parent_whoever_started_it() -> io::Result<()> {
        let joined = |thread: thread::JoinHandle<io::Result<_>>| thread.join().map_err(|_| io::ErrorKind::Other)?;
        let (parent, mut child) = joined(thread::spawn(|| {
            let parent = Parent::start()?;
            let child = parent.run(start_child)??;
            Ok((Some(parent), child))
        }))?;
        assert!(lives(&mut child)?);
        drop(parent);
        assert!(!lives(&mut child)?);

        // Without one, it ends with the thread that started it.
        let (_, mut orphan) = joined(thread::spawn(|| Ok((None, start_child()?))))?;
        assert!(!lives(&mut orphan)?);
        Ok(())
    }

    #[test]
    fn a_child_gets_the_signal_that_was_asked_for() -> io::Result<()> {
        use std::os::unix::process::ExitStatusExt;
        let parent = Parent::start()?;
        let mut command = Command::new("sleep");
        command.arg("600");
        let mut child = parent.spawn(command, libc::SIGTERM)?;
        assert!(lives(&mut child)?);
        drop(parent);
        assert_eq!(child.wait()?.signal(), Some(libc::SIGTERM));
        Ok(())
    }

    #[test]
    fn what_panics_on_the_thread_is_an_error() -> io::Result<()> {
        let parent = Parent::start()?;
        assert!(parent.run(|| -> () { panic!("as it must") }).is_err());
        assert!(parent.run(|| ()).is_err());
        Ok(())
    }
}
