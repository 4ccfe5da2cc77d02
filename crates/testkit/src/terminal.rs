//! A terminal with somebody at it.

use std::fs::File;
use std::io::{Read, Write};
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::pty::OpenptFlags;
use rustix::termios::{LocalModes, OptionalActions, Winsize};

use crate::{Failure, Result};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A pseudoterminal, and what was read from it so far.
pub struct Terminal {
    user: File,
    programs: OwnedFd,
    seen: String,
    screen: vt100::Parser,
}

impl Terminal {
    /// One of this size: rows and columns.
    pub fn new(rows: u16, columns: u16) -> Result<Self> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let user = rustix::pty::openpt(flags)?;
        rustix::pty::unlockpt(&user)?;
        let programs = rustix::pty::ioctl_tiocgptpeer(&user, flags)?;
        let (high, wide) = size(rows, columns)?;
        let mut this =
            Self { user: user.into(), programs, seen: String::new(), screen: vt100::Parser::new(high, wide, 0) };
        this.resize(rows, columns)?;
        Ok(this)
    }

    /// Gives it another size.
    pub fn resize(&mut self, rows: u16, columns: u16) -> Result<()> {
        let (high, wide) = size(rows, columns)?;
        self.screen.set_size(high, wide);
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        Ok(rustix::termios::tcsetwinsize(&self.user, size)?)
    }

    /// Starts a command on it.
    pub fn start(&self, command: &Command) -> Result<Child> {
        let mut controlled = Command::new("setsid");
        controlled.args(["--ctty", "--wait"]).arg(command.get_program()).args(command.get_args()).env_clear();
        controlled.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        controlled.env("PATH", "/usr/bin:/bin").env("TERM", "vt102");
        let side = || self.programs.try_clone();
        Ok(controlled.stdin(side()?).stdout(side()?).stderr(side()?).spawn()?)
    }

    /// Types a line.
    pub fn types(&mut self, line: &str) -> Result<()> {
        Ok(self.user.write_all(format!("{line}\r").as_bytes())?)
    }

    /// Types keys, without the one that ends a line.
    pub fn types_keys(&mut self, keys: &str) -> Result<()> {
        Ok(self.user.write_all(keys.as_bytes())?)
    }

    /// Reads until this stands there, and gives what came before it since the last time.
    pub fn until(&mut self, words: &str) -> Result<String> {
        let start = Instant::now();
        loop {
            if let Some(place) = self.seen.find(words) {
                let rest = self.seen.split_off(place + words.len());
                return Ok(std::mem::replace(&mut self.seen, rest));
            }
            if start.elapsed() > PATIENCE {
                return Err(Failure::new(format!("{words:?} did not come, but: {}", self.seen)));
            }
            self.read()?;
        }
    }

    /// Reads until the lines that stand on the screen are as wanted, and gives them.
    pub fn shows(&mut self, wanted: impl Fn(&[String]) -> bool) -> Result<Vec<String>> {
        let start = Instant::now();
        loop {
            let contents = self.screen.screen().contents();
            let lines: Vec<_> = contents.lines().map(str::to_owned).collect();
            if wanted(&lines) {
                return Ok(lines);
            }
            if start.elapsed() > PATIENCE {
                return Err(Failure::new(format!("the screen is not as wanted, but:\n{contents}")));
            }
            self.read()?;
        }
    }

    /// Reads what is there, or comes in a moment.
    fn read(&mut self) -> Result<()> {
        let mut ready = [PollFd::new(&self.user, PollFlags::IN)];
        if rustix::event::poll(&mut ready, Some(&Timespec { tv_sec: 0, tv_nsec: 100_000_000 }))? > 0 {
            let mut buffer = [0; 4096];
            let read = self.user.read(&mut buffer)?;
            self.screen.process(&buffer[..read]);
            self.seen += &String::from_utf8_lossy(&buffer[..read]);
        }
        Ok(())
    }

    /// Answers what programs have asked, as a terminal does over a slow line: it types for a moment. Gives the longest time in which
    /// nothing was typed since then: on a busy machine it is longer than any line's.
    pub fn answers(&mut self, since: Instant) -> Result<Duration> {
        let (mut last, mut longest) = (since, Duration::ZERO);
        for _ in 0..10 {
            let before = Instant::now();
            self.user.write_all(b"\x1b[5;10R")?;
            longest = longest.max(last.elapsed());
            last = before;
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(longest)
    }

    /// What the caller's shell would take for typed.
    pub fn is_typed(&self) -> Result<bool> {
        let mut modes = rustix::termios::tcgetattr(&self.programs)?;
        modes.make_raw();
        rustix::termios::tcsetattr(&self.programs, OptionalActions::Now, &modes)?;
        let mut ready = [PollFd::new(&self.programs, PollFlags::IN)];
        Ok(rustix::event::poll(&mut ready, Some(&Timespec { tv_sec: 0, tv_nsec: 100_000_000 }))? > 0)
    }

    /// Whether it is as a shell of the host expects it.
    pub fn is_cooked(&self) -> Result<bool> {
        let modes = rustix::termios::tcgetattr(&self.programs)?.local_modes;
        Ok(modes.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG))
    }
}

/// A size that a screen can have.
fn size(rows: u16, columns: u16) -> Result<(NonZero<u16>, NonZero<u16>)> {
    NonZero::new(rows).zip(NonZero::new(columns)).ok_or_else(|| Failure::new("a screen without a line"))
}
