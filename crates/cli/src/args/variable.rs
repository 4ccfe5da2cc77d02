//! Variables for a program in a guest.

/// `NAME=VALUE`, or a name with a value in the environment.
///
/// # Errors
/// What is wrong, in words.
pub fn parse(text: &str) -> Result<String, String> {
    match text.split_once('=') {
        Some(("", _)) => Err("a variable is NAME=VALUE".into()),
        Some(_) => Ok(text.into()),
        None => match std::env::var(text) {
            Ok(value) if !text.is_empty() => Ok(format!("{text}={value}")),
            _ => {
                let name = nex_text::short_name(text);
                Err(format!("there is no variable {name} here to take the value from; write {name}=VALUE"))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_have_values_here_or_in_the_environment() {
        assert_eq!(parse("A=b=c"), Ok("A=b=c".into()));
        assert_eq!(parse("A="), Ok("A=".into()));
        assert!(parse("PATH").is_ok_and(|path| path.starts_with("PATH=")));
        for text in ["", "=x", "NEX_NO_SUCH_VARIABLE"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
