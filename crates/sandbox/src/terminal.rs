//! The caller's terminal while a shell runs: each key goes to the shell, and what it writes comes back.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use nex_terminal::Terminal;
use rustix::event::{PollFd, PollFlags};
use rustix::fs::OFlags;
use rustix::io::Errno;
use rustix::termios::{tcgetwinsize, tcsetwinsize};
use signal_hook::SigId;
use signal_hook::consts::SIGWINCH;

use crate::wire::Channel;

const BUFFER: usize = 4 << 10;

/// The most that is still shown of a shell that has ended: more than the kernel keeps of a terminal (`TTYB_DEFAULT_MEM_LIMIT`).
const LAST: usize = 1 << 20;

/// Tells when the terminal gets another size.
struct Resizes {
    events: UnixStream,
    signal: SigId,
}

impl Resizes {
    fn watch() -> io::Result<Self> {
        let (events, sender) = UnixStream::pair()?;
        events.set_nonblocking(true)?;
        Ok(Self { events, signal: signal_hook::low_level::pipe::register(SIGWINCH, sender)? })
    }

    fn forget(&self) {
        // However many there were, the size is asked for once.
        while matches!((&self.events).read(&mut [0; 64]), Ok(1..)) {}
    }
}

impl Drop for Resizes {
    fn drop(&mut self) {
        signal_hook::low_level::unregister(self.signal);
    }
}

/// Lends the terminal to the shell behind `shell`, the other side of its own, until there is something to read from the
/// monitor.
///
/// # Errors
/// When there is no terminal, or it is gone before that, or the run is cancelled.
pub fn lend(terminal: &Terminal, shell: OwnedFd, monitor: &Channel) -> io::Result<()> {
    let resizes = Resizes::watch()?;
    let _lent = terminal.lend()?;
    rustix::fs::fcntl_setfl(&shell, rustix::fs::fcntl_getfl(&shell)? | OFlags::NONBLOCK)?;
    let mut shell = File::from(shell);
    resize(&shell);
    let mut typed = Vec::new();
    loop {
        let (stdin, for_shell) = match typed.is_empty() {
            true => (PollFlags::IN, PollFlags::IN),
            false => (PollFlags::empty(), PollFlags::IN | PollFlags::OUT),
        };
        let end = monitor.socket().as_fd();
        let mut ready = [
            PollFd::from_borrowed_fd(rustix::stdio::stdin(), stdin),
            PollFd::new(&shell, for_shell),
            PollFd::new(&resizes.events, PollFlags::IN),
            PollFd::from_borrowed_fd(end, PollFlags::IN),
            // Where nobody cancels, the same once more.
            PollFd::from_borrowed_fd(monitor.cancel().file().unwrap_or(end), PollFlags::IN),
        ];
        match rustix::event::poll(&mut ready, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        monitor.cancel().check()?;
        let [stdin, of_shell, resized, ended, _] = ready.map(|ready| ready.revents());
        if resized.intersects(PollFlags::IN) {
            resizes.forget();
            resize(&shell);
        }
        if of_shell.intersects(PollFlags::IN) {
            show(&mut shell)?;
        }
        if ended.intersects(PollFlags::IN | PollFlags::HUP) {
            // Who has kept the terminal open may go on writing, and is not heard out.
            for _ in 0..LAST / BUFFER {
                if !show(&mut shell)? {
                    break;
                }
            }
            return Ok(());
        }
        if stdin.intersects(PollFlags::IN | PollFlags::HUP | PollFlags::ERR) && typed.is_empty() {
            let mut buffer = [0; BUFFER];
            match rustix::io::read(rustix::stdio::stdin(), &mut buffer) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) => typed.extend_from_slice(&buffer[..read]),
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if !typed.is_empty() {
            // A program that does not read lets what is typed wait; one that is gone needs it no more.
            match shell.write(&typed) {
                Ok(written) => drop(typed.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => typed.clear(),
            }
        }
    }
}

/// Shows what the shell has written; `false` when there is nothing.
fn show(shell: &mut File) -> io::Result<bool> {
    let mut buffer = [0; BUFFER];
    // EIO is what is read when no program has the terminal open.
    let Ok(read @ 1..) = shell.read(&mut buffer) else { return Ok(false) };
    let mut output = io::stdout().lock();
    output.write_all(&buffer[..read])?;
    output.flush()?;
    Ok(true)
}

/// Gives the shell's terminal the size of the caller's.
fn resize(shell: impl AsFd) {
    // Sizes are a courtesy: a terminal that has none is still one.
    if let Ok(size) = tcgetwinsize(rustix::stdio::stdout()) {
        tcsetwinsize(shell, size).ok();
    }
}
