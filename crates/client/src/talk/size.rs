//! The size of the caller's terminal.

use nex_contract::TerminalSize;
use rustix::termios::tcgetwinsize;

/// The size of the terminal that is one of the standard streams; `None` where none of them is.
pub fn terminal_size() -> Option<TerminalSize> {
    let streams = [rustix::stdio::stdin(), rustix::stdio::stdout(), rustix::stdio::stderr()];
    let size = streams.into_iter().find_map(|stream| tcgetwinsize(stream).ok())?;
    Some(TerminalSize { rows: size.ws_row, columns: size.ws_col })
}
