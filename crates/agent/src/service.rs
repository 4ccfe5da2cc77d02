//! The agent as a service of another init.

use std::io::Write;

use crate::READY;
use crate::console::{announce, say};
use crate::signals::Signals;

/// Says that it is ready, waits until it is asked to stop, and returns the exit code.
pub fn run() -> i32 {
    // Blocked before the ready line: whoever reads it may send SIGTERM at once.
    let signals = match Signals::of_service() {
        Ok(signals) => signals,
        Err(error) => return failed(&format!("cannot wait for signals: {error}")),
    };
    let mut output = std::io::stdout();
    if let Err(error) = output.write_all(format!("{READY}\n").as_bytes()).and_then(|()| output.flush()) {
        return failed(&format!("cannot write to standard output: {error}"));
    }
    announce(READY);
    match signals.wait() {
        Ok(_) => 0,
        Err(error) => failed(&format!("cannot wait for signals: {error}")),
    }
}

fn failed(problem: &str) -> i32 {
    say(&format!("nex-agent: {problem}"));
    1
}
