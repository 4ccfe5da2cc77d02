//! Lends the caller's terminal to what runs inside, a shell in an image or a guest's console, and gives it back as it was.
//!
//! Programs ask terminals questions, such as where the cursor is (`ESC [ 6 n`), and a terminal answers by typing. Who asks and ends
//! lets the answer be typed into what reads the terminal next: the caller's shell, which takes it for a command. So what
//! comes in when the terminal is given back is read away for a moment, until nothing more comes, and what is still
//! waiting then is thrown away.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fd::{AsFd, BorrowedFd};
use rustix::io::Errno;
use rustix::termios::{OptionalActions, QueueSelector, Termios, tcflush, tcgetattr, tcsetattr};

/// How long a terminal has to be silent before it is given back: it answers at once, and the answer comes over a network at most.
pub const SILENCE: Duration = Duration::from_millis(100);

/// How long it is read from at most: somebody may lean on a key.
const PATIENCE: Duration = Duration::from_secs(1);

/// The terminal on standard input. A program makes one of these, and clones stand for the same terminal: whoever ends the program
/// gives back what another thread was lent.
#[derive(Clone, Debug, Default)]
pub struct Terminal {
    /// How it was before it was lent; `None` while it is not.
    before: Arc<Mutex<Option<Termios>>>,
    /// Who hears it out: of two, each would take the other's answers for silence.
    hearing: Arc<Mutex<()>>,
}

/// A terminal that passes every key on until it is given back: when this is dropped, or by [`Terminal::give_back`].
#[derive(Debug)]
pub struct Lent(Terminal);

impl Terminal {
    /// Lends it.
    ///
    /// # Errors
    /// When standard input is no terminal, or one that is gone.
    pub fn lend(&self) -> io::Result<Lent> {
        let lent = Lent(self.clone());
        self.take()?;
        Ok(lent)
    }

    fn take(&self) -> io::Result<()> {
        let before = tcgetattr(rustix::stdio::stdin())?;
        *self.before() = Some(before.clone());
        pass_keys_on(before)
    }

    /// Gives the terminal back as it was, if it is lent. It takes a moment, in which the terminal's answers come.
    pub fn give_back(&self) {
        let _hearing = self.hearing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.before().is_some() {
            hear_out(rustix::stdio::stdin());
            self.give_back_at_once();
        }
    }

    /// The same for a process that has no moment left.
    pub fn give_back_at_once(&self) {
        if let Some(before) = self.before().take() {
            restore(rustix::stdio::stdin(), &before);
        }
    }

    fn before(&self) -> MutexGuard<'_, Option<Termios>> {
        self.before.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lent {
    /// Gives the terminal back while this process is stopped, to who stops it.
    pub fn suspend(&self) {
        self.0.give_back_at_once();
    }

    /// Takes the terminal again, once this process goes on: as it is then, or, where whoever has stopped this process could not be
    /// foreseen, as it was.
    ///
    /// # Errors
    /// When the terminal is gone.
    pub fn resume(&self) -> io::Result<()> {
        let lent = self.0.before().clone();
        match lent {
            Some(before) => pass_keys_on(before),
            None => self.0.take(),
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

/// Lets the terminal pass every key on, and changes nothing else of how it is.
fn pass_keys_on(mut terminal: Termios) -> io::Result<()> {
    terminal.make_raw();
    loop {
        // In the background this stops the process, and a signal ends the call once it goes on.
        match tcsetattr(rustix::stdio::stdin(), OptionalActions::Drain, &terminal) {
            Err(Errno::INTR) => {}
            set => return Ok(set?),
        }
    }
}

/// Reads what is typed, until nothing is typed any more.
fn hear_out(terminal: impl AsFd) {
    let start = Instant::now();
    while start.elapsed() < PATIENCE && is_typed(terminal.as_fd()) {
        // What cannot be read will not be heard.
        if !matches!(rustix::io::read(&terminal, &mut [0; 256]), Ok(1..) | Err(Errno::INTR)) {
            return;
        }
    }
}

fn is_typed(terminal: BorrowedFd) -> bool {
    let silence = Timespec { tv_sec: 0, tv_nsec: SILENCE.subsec_nanos().into() };
    let mut ready = [PollFd::from_borrowed_fd(terminal, PollFlags::IN)];
    matches!(rustix::event::poll(&mut ready, Some(&silence)), Ok(1..) | Err(Errno::INTR))
}

/// Not once its output is written, which a terminal that somebody has stopped never does. A terminal that is gone needs
/// nothing.
fn restore(terminal: impl AsFd, before: &Termios) {
    tcsetattr(&terminal, OptionalActions::Now, before).ok();
    tcflush(&terminal, QueueSelector::IFlush).ok();
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use rustix::fd::OwnedFd;
    use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, unlockpt};

    use super::*;

    /// A raw pseudoterminal: the side of who sits before it, and that of programs.
    fn terminal() -> io::Result<(File, OwnedFd)> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let user = openpt(flags)?;
        unlockpt(&user)?;
        let programs = ioctl_tiocgptpeer(&user, flags)?;
        let mut raw = tcgetattr(&programs)?;
        raw.make_raw();
        tcsetattr(&programs, OptionalActions::Now, &raw)?;
        Ok((user.into(), programs))
    }

    #[test]
    fn late_answers_are_heard_out() -> io::Result<()> {
        let (mut user, programs) = terminal()?;
        let answers = std::thread::spawn(move || {
            for _ in 0..3 {
                std::thread::sleep(SILENCE / 4);
                user.write_all(b"\x1b[1;1R")?;
            }
            io::Result::Ok(user)
        });
        hear_out(&programs);
        let _user = answers.join().map_err(|_| io::ErrorKind::Other)??;
        assert!(!is_typed(programs.as_fd()));
        Ok(())
    }

    #[test]
    fn nobody_types_for_ever() -> io::Result<()> {
        let (mut user, programs) = terminal()?;
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let typing = std::thread::spawn(move || {
            while stopped
                .recv_timeout(Duration::from_millis(5))
                .is_err_and(|error| error == std::sync::mpsc::RecvTimeoutError::Timeout)
            {
                user.write_all(b"x")?;
            }
            io::Result::Ok(user)
        });
        let start = Instant::now();
        hear_out(&programs);
        assert!(start.elapsed() >= PATIENCE);
        drop(stop);
        let _user = typing.join().map_err(|_| io::ErrorKind::Other)??;
        // What is waiting by then is thrown away.
        let before = tcgetattr(&programs)?;
        restore(&programs, &before);
        assert!(!is_typed(programs.as_fd()));
        Ok(())
    }
}
