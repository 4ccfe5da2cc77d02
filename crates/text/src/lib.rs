//! Text for people: what somebody else has written, so that it steers no terminal, and what is to be typed into a shell.

mod printable;
mod shell;

pub use printable::printable;
pub use shell::shell_word;
