//! What the environment says beside the flags' own variables.

use std::env::VarError;

use crate::codes::ENVIRONMENT;
use crate::diagnostic::Diagnostic;

/// The time that stands for now, as <https://reproducible-builds.org/specs/source-date-epoch/> defines it.
///
/// # Errors
/// When it is set to something else.
pub fn source_date_epoch() -> Result<Option<i64>, Diagnostic> {
    match std::env::var("SOURCE_DATE_EPOCH") {
        Err(VarError::NotPresent) => Ok(None),
        Ok(text) if text.is_empty() => Ok(None),
        Ok(text) => match text.parse::<u64>().map(i64::try_from) {
            Ok(Ok(seconds)) => Ok(Some(seconds)),
            _ => Err(bad_epoch(&text)),
        },
        Err(VarError::NotUnicode(text)) => Err(bad_epoch(&text.to_string_lossy())),
    }
}

fn bad_epoch(text: &str) -> Diagnostic {
    let text = nex_text::short_name(text);
    Diagnostic::new(ENVIRONMENT, format!("SOURCE_DATE_EPOCH is '{text}', which is not a number of seconds since 1970"))
        .hinting("correct it or unset it")
}
