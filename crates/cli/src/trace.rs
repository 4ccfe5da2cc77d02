//! What `-v`, `-vv` and `NEX_LOG` show: what nex asks registries, what it decides about its cache, and who runs a guest.
//!
//! The libraries say it as events of the crate `tracing`; here is who listens. No library knows whether anybody does.

use std::env;
use std::fmt::{self, Write};
use std::time::Instant;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use crate::codes::ENVIRONMENT;
use crate::diagnostic::Diagnostic;
use crate::output;

/// The variable that chooses traces where no flag does.
pub const VARIABLE: &str = "NEX_LOG";

/// What there are traces of.
const TARGETS: [&str; 4] = ["cache", "registry", "supervise", "vmm"];

/// Shows traces from now on, as often as `--verbose` was given, else as the variable says.
///
/// # Errors
/// When the variable has a value that chooses nothing.
pub fn begin(verbose: u8) -> Result<(), Diagnostic> {
    let chosen = env::var_os(VARIABLE).filter(|text| !text.is_empty() && verbose == 0);
    let targets = match (verbose, chosen) {
        (0, None) => return Ok(()),
        (0, Some(text)) => targets(&text.to_string_lossy())?,
        (1, _) => all(Level::INFO),
        _ => all(Level::DEBUG),
    };
    let subscriber = tracing_subscriber::registry().with(Lines { start: Instant::now() }.with_filter(targets));
    tracing::subscriber::set_global_default(subscriber)
        .map_err(|error| Diagnostic::system(std::io::Error::other(error)))
}

fn all(level: Level) -> Targets {
    TARGETS.iter().fold(Targets::new(), |targets, target| targets.with_target(*target, level))
}

fn targets(text: &str) -> Result<Targets, Diagnostic> {
    let chosen: Option<Targets> = text.parse().ok();
    // A single word that is no level would be a target that nobody has.
    let is_known = |targets: &Targets| targets.iter().all(|(target, _)| TARGETS.contains(&target));
    chosen.filter(is_known).ok_or_else(|| {
        let text = nex_text::short_name(text);
        Diagnostic::new(ENVIRONMENT, format!("{VARIABLE} is '{text}', which chooses no traces")).hinting(format!(
            "use a level, as in 'info' or 'debug', or levels of {}, as in 'registry=debug,cache=info'",
            TARGETS.join(", ")
        ))
    })
}

/// A line for each event.
struct Lines {
    start: Instant,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let metadata: &Metadata = event.metadata();
        let mut text = Text::default();
        event.record(&mut text);
        let seconds = self.start.elapsed().as_secs_f64();
        output::tell(format_args!("[{seconds:.3} s] {}: {}", metadata.target(), text.0));
    }
}

/// What an event says.
#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_a_level_or_levels_of_what_there_is() {
        for text in ["info", "debug", "trace", "off", "registry=debug", "cache=info,vmm=debug"] {
            assert!(targets(text).is_ok(), "{text}");
        }
        for text in ["loud", "registry=loud", "registry=debug,tls=info", "="] {
            let refused = targets(text).err().map(|error| error.text()).unwrap_or_default();
            assert!(refused.contains("NEX_LOG") && refused.contains("registry=debug"), "{text}: {refused}");
        }
    }

    #[test]
    fn a_level_holds_for_all_there_is() {
        let targets = all(Level::INFO);
        for target in TARGETS {
            assert!(targets.would_enable(target, &Level::INFO) && !targets.would_enable(target, &Level::DEBUG));
        }
        assert!(!targets.would_enable("ureq", &Level::ERROR));
    }
}
