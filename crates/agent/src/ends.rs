//! The agent's ends of a program's standard streams, when they lead to a stream of the channel.
//!
//! Nothing is held here: output is read only into the room that the channel has for it, and input stays there until the program takes it.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};

use nex_channel::{Flow, Guest, StreamId};
use nex_contract::{Stdin, TerminalSize};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::poll::{PollFd, PollFlags};
use rustix::io::ioctl_fionread;

use crate::terminal;

/// What a terminal holds at most of a program's output: the kernel's limit for a buffer (`TTYB_DEFAULT_MEM_LIMIT`), and the 4 KiB that
/// wait to be read.
const TERMINAL_HOLDS: usize = (64 << 10) + 4096;

/// A program's standard streams, or its terminal.
#[derive(Debug)]
pub struct Ends {
    input: Option<Input>,
    outputs: Vec<Output>,
    terminal: Option<File>,
}

#[derive(Debug)]
struct Input {
    file: File,
    /// The last byte that was written, as the end of a terminal's input depends on it.
    last: u8,
    state: InputState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum InputState {
    Open,
    /// The key that ends a terminal's input is to be written so often.
    Ending(u8, usize),
    /// A terminal's input has ended, and further one goes nowhere.
    Ended,
}

#[derive(Debug)]
struct Output {
    flow: Flow,
    file: File,
    state: OutputState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OutputState {
    Open,
    /// The program has ended, and of what can be read now, so many bytes at most are its own.
    ProgramEnded(usize),
    Ended,
}

impl Ends {
    /// Pipes: to a program's standard input, if that is one, and from its outputs.
    ///
    /// # Errors
    /// When the kernel refuses to make them non-blocking.
    pub fn of_pipes(input: Option<OwnedFd>, out: OwnedFd, err: OwnedFd) -> std::io::Result<Self> {
        let input = input.map(Input::new).transpose()?;
        let outputs = vec![Output::new(Flow::Stdout, out)?, Output::new(Flow::Stderr, err)?];
        Ok(Self { input, outputs, terminal: None })
    }

    /// A terminal, at which somebody types or nobody does.
    ///
    /// # Errors
    /// As above.
    pub fn of_terminal(terminal: OwnedFd, stdin: Stdin) -> std::io::Result<Self> {
        let input = match stdin {
            Stdin::Null => None,
            Stdin::Stream => Some(Input::new(terminal.try_clone()?)?),
        };
        let outputs = vec![Output::new(Flow::Stdout, terminal.try_clone()?)?];
        Ok(Self { input, outputs, terminal: Some(terminal.into()) })
    }

    /// Gives the terminal, if it is one, another size.
    pub fn resize(&self, size: TerminalSize) {
        if let Some(terminal) = &self.terminal {
            terminal::resize(terminal, size);
        }
    }

    /// The program has ended. What it has written is in the kernel by now, and others may write on.
    pub fn program_ended(&mut self) {
        for output in self.outputs.iter_mut().filter(|output| output.state == OutputState::Open) {
            let held = match self.terminal {
                Some(_) => TERMINAL_HOLDS,
                None => ioctl_fionread(&output.file).map_or(0, |held| held.try_into().unwrap_or(usize::MAX)),
            };
            output.state = OutputState::ProgramEnded(held);
        }
    }

    /// Whether all that the program has written is read.
    pub fn are_drained(&self) -> bool {
        self.outputs.iter().all(|output| output.state == OutputState::Ended)
    }

    /// Whether there is something to do without waiting: to look whether a program that has ended has left anything, once there is room
    /// for it again.
    pub fn are_ready(&self, guest: &Guest, stream: StreamId) -> bool {
        let is_ready = |output: &Output| {
            matches!(output.state, OutputState::ProgramEnded(_)) && guest.space(stream, output.flow) > 0
        };
        self.outputs.iter().any(is_ready)
    }

    /// Adds what to wait for.
    pub fn wait_for<'a>(&'a self, guest: &Guest, stream: StreamId, descriptors: &mut Vec<PollFd<'a>>) {
        for output in &self.outputs {
            if output.state != OutputState::Ended && guest.space(stream, output.flow) > 0 {
                descriptors.push(PollFd::new(output.file.as_fd(), PollFlags::POLLIN));
            }
        }
        if let Some(input) = &self.input
            && (!guest.held(stream).is_empty() || matches!(input.state, InputState::Ending(..)))
        {
            descriptors.push(PollFd::new(input.file.as_fd(), PollFlags::POLLOUT));
        }
    }

    /// Carries output to the channel.
    pub fn carry_output(&mut self, guest: &mut Guest, stream: StreamId, buffer: &mut [u8]) {
        self.outputs.iter_mut().for_each(|output| output.carry(guest, stream, buffer));
    }

    /// Carries input from the channel. What the program does not take any more is dropped.
    pub fn carry_input(&mut self, guest: &mut Guest, stream: StreamId) {
        if self.input.as_mut().is_some_and(|input| input.carry(guest, stream) == Taker::Gone) {
            // That closes a pipe. A terminal's outputs keep it open.
            self.input = None;
        }
        if self.input.is_none() {
            drop_input(guest, stream);
        }
    }
}

/// Whether the program still takes input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taker {
    There,
    Gone,
}

impl Input {
    fn new(descriptor: OwnedFd) -> std::io::Result<Self> {
        Ok(Self { file: non_blocking(descriptor)?, last: b'\n', state: InputState::Open })
    }

    fn carry(&mut self, guest: &mut Guest, stream: StreamId) -> Taker {
        while self.state == InputState::Open {
            let held = guest.held(stream);
            let Some(last) = held.last().copied() else { break };
            match write(&mut self.file, held) {
                Ok(Some(count)) => {
                    self.last = held.get(count.wrapping_sub(1)).copied().unwrap_or(last);
                    guest.consume(stream, count);
                }
                Ok(None) => return Taker::There,
                Err(_) => return Taker::Gone,
            }
        }
        if self.state == InputState::Open && guest.has_ended(stream) {
            self.state = match terminal::end_of_input(&self.file) {
                // The first one only ends a line that has begun.
                Some(key) => InputState::Ending(key, if self.last == b'\n' { 1 } else { 2 }),
                None => InputState::Ended,
            };
        }
        while let InputState::Ending(key, times) = self.state {
            match write(&mut self.file, &[key]) {
                Ok(Some(_)) if times > 1 => self.state = InputState::Ending(key, times - 1),
                Ok(Some(_)) => self.state = InputState::Ended,
                Ok(None) => return Taker::There,
                Err(_) => return Taker::Gone,
            }
        }
        if self.state == InputState::Ended { Taker::Gone } else { Taker::There }
    }
}

impl Output {
    fn new(flow: Flow, descriptor: OwnedFd) -> std::io::Result<Self> {
        Ok(Self { flow, file: non_blocking(descriptor)?, state: OutputState::Open })
    }

    fn carry(&mut self, guest: &mut Guest, stream: StreamId, buffer: &mut [u8]) {
        loop {
            let left = match self.state {
                OutputState::Open => usize::MAX,
                OutputState::ProgramEnded(left) => left,
                OutputState::Ended => return,
            };
            if left == 0 {
                self.state = OutputState::Ended;
                return;
            }
            let size = guest.space(stream, self.flow).min(left).min(buffer.len());
            if size == 0 {
                return;
            }
            let (piece, _) = buffer.split_at_mut(size);
            match self.file.read(piece) {
                // A terminal that no program has open any more gives an error.
                Ok(0) => self.state = OutputState::Ended,
                Ok(count) => {
                    let (bytes, _) = piece.split_at(count);
                    guest.send(stream, self.flow, bytes);
                    if let OutputState::ProgramEnded(left) = &mut self.state {
                        *left = left.saturating_sub(count);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if self.state != OutputState::Open {
                        self.state = OutputState::Ended;
                    }
                    return;
                }
                Err(_) => self.state = OutputState::Ended,
            }
        }
    }
}

/// Drops input that nobody takes, so that the host goes on.
fn drop_input(guest: &mut Guest, stream: StreamId) {
    loop {
        let count = guest.held(stream).len();
        if count == 0 {
            return;
        }
        guest.consume(stream, count);
    }
}

/// Writes what goes without waiting; `None` where nothing does.
fn write(file: &mut File, bytes: &[u8]) -> std::io::Result<Option<usize>> {
    loop {
        match file.write(bytes) {
            Ok(count) => return Ok(Some(count)),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        }
    }
}

/// The agent's end alone: the program's is a separate description.
fn non_blocking(descriptor: OwnedFd) -> std::io::Result<File> {
    fcntl(&descriptor, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok(descriptor.into())
}
