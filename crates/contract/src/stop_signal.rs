//! The signal that asks a program to end.

use nix::sys::signal::Signal;

use crate::start::{NOT_STARTED, Unstarted};

/// The first real-time signal for programs: the C library keeps 32 and 33 for its threads.
const RTMIN: i32 = 34;
/// The last signal (the kernel's `_NSIG`).
const RTMAX: i32 = 64;

/// The number of a signal that is given by number or by name, with or without `SIG`; SIGTERM's where the text is empty.
/// systemd as a container's init wants `SIGRTMIN+3`.
///
/// # Errors
/// When there is no such signal.
pub fn stop_signal(text: &str) -> Result<i32, Unstarted> {
    if text.is_empty() {
        return Ok(Signal::SIGTERM as i32);
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    let by_number = || text.parse().ok().filter(|number| (1..=RTMAX).contains(number));
    let by_name = || format!("SIG{name}").parse().ok().map(|signal: Signal| signal as i32);
    by_number().or_else(by_name).or_else(|| real_time(name)).ok_or_else(|| {
        Unstarted::new(NOT_STARTED, format!("the stop signal '{}' is not known", nex_text::short_name(text)))
    })
}

/// `RTMIN`, `RTMIN+N`, `RTMAX`, `RTMAX-N`.
fn real_time(name: &str) -> Option<i32> {
    let from_first = name.strip_prefix("RTMIN").map(|rest| (RTMIN, '+', rest));
    let (base, sign, rest) = from_first.or_else(|| name.strip_prefix("RTMAX").map(|rest| (RTMAX, '-', rest)))?;
    let offset: i32 = match rest {
        "" => 0,
        _ if rest.starts_with(sign) => rest.parse().ok()?,
        _ => return None,
    };
    base.checked_add(offset).filter(|number| (RTMIN..=RTMAX).contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_signals_have_names_and_numbers() {
        for (text, signal) in [("", 15), ("SIGQUIT", 3), ("quit", 3), ("10", 10), ("SIGUSR1", 10), ("37", 37)] {
            assert_eq!(stop_signal(text).unwrap(), signal, "{text}");
        }
        for (text, signal) in [("SIGRTMIN+3", 37), ("rtmin", 34), ("SIGRTMAX", 64), ("RTMAX-14", 50)] {
            assert_eq!(stop_signal(text).unwrap(), signal, "{text}");
        }
        for text in
            ["SIGRTMIN+31", "RTMIN-1", "RTMAX+1", "RTMIN3", "RTMIN+99999999999", "0", "65", "-9", "SIG", "SIGNOVA"]
        {
            assert!(stop_signal(text).unwrap_err().reason.contains("not known"), "{text}");
        }
    }
}
