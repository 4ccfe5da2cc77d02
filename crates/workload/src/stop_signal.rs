//! The signal that asks a program to end.

use nix::sys::signal::Signal;

use crate::start::{NOT_STARTED, Unstarted};

/// A signal by name, with or without `SIG`, or by number; SIGTERM where the text is empty. Real-time signals are not among them.
///
/// # Errors
/// When there is no such signal.
pub fn stop_signal(text: &str) -> Result<Signal, Unstarted> {
    let upper = text.to_ascii_uppercase();
    let by_number = || text.parse().ok().and_then(|number: i32| Signal::try_from(number).ok());
    let by_name = || upper.parse().ok().or_else(|| format!("SIG{upper}").parse().ok());
    match text {
        "" => Ok(Signal::SIGTERM),
        _ => by_number()
            .or_else(by_name)
            .ok_or_else(|| Unstarted::new(NOT_STARTED, format!("the stop signal {text:?} is not known"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_signals_have_names_and_numbers() {
        for (text, signal) in [("", 15), ("SIGQUIT", 3), ("quit", 3), ("10", 10), ("SIGUSR1", 10)] {
            assert_eq!(stop_signal(text).unwrap() as i32, signal, "{text}");
        }
        assert!(stop_signal("SIGRTMIN+3").unwrap_err().reason.contains("not known"));
    }
}
