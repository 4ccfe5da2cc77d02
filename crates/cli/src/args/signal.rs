//! Signals as people write them: `KILL`, `SIGHUP`, `9`.

use nex_channel::Signal;

/// A signal by its name, with or without `SIG`, or by its number.
///
/// # Errors
/// What is wrong, in words.
pub fn parse(text: &str) -> Result<Signal, String> {
    let number = if text.is_empty() { None } else { nex_contract::stop_signal(text).ok() };
    let signal = number.and_then(|number| u8::try_from(number).ok()).and_then(Signal::new);
    signal.ok_or_else(|| "a signal is a name such as TERM or SIGTERM, or a number from 1 to 64".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_names_and_numbers() {
        let numbers = ["KILL", "sigkill", "9", "RTMIN+3"].map(|text| parse(text).unwrap().number());
        assert_eq!(numbers, [9, 9, 9, 37]);
        for text in ["", "0", "65", "NOVA", "-9"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
