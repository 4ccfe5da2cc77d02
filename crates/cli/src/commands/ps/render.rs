//! A list of guests as text.

use nex_supervise::{Id, Listed, State, UnixMillis};
use nex_text::printable;

use crate::lines::{command_line, since};

/// The longest command that is shown whole, in characters.
const COMMAND: usize = 40;

/// Columns, with what they mean above them.
pub fn table(guests: &[&Listed], now: UnixMillis) -> String {
    let length = Id::shown_length(guests.iter().map(|guest| &guest.record.id));
    let head = ["ID", "NAME", "STATE", "AGE", "ROOT", "COMMAND"].map(str::to_owned);
    let rows = guests.iter().map(|guest| {
        let record = &guest.record;
        [
            record.id.start(length).to_owned(),
            record.name.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string),
            state(guest.state),
            since(record.created.age(now).as_secs()),
            printable(&record.about.root),
            command(&record.about.command),
        ]
    });
    let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<_> = (0..6).map(|column| width(column).unwrap_or_default()).collect();
    let line = |row: &[String; 6]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

/// The ids alone, whole.
pub fn ids(guests: &[&Listed]) -> String {
    guests.iter().map(|guest| format!("{}\n", guest.record.id)).collect()
}

/// How it stands with a guest, and why it has ended, if it has.
pub fn state(state: State) -> String {
    state.reason().map_or_else(|| state.name().to_owned(), |reason| reason.to_string())
}

/// A command as a shell takes it, cut; `-` for the image's own.
fn command(words: &[String]) -> String {
    let line = command_line(words);
    match line.char_indices().nth(COMMAND) {
        _ if words.is_empty() => "-".to_owned(),
        Some((end, _)) => format!("{}\u{2026}", printable(line.get(..end).unwrap_or_default())),
        None => printable(&line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_one_that_a_shell_takes_and_has_an_end() {
        let of = |words: &[&str]| command(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&[]), "-");
        assert_eq!(of(&["sh", "-c", "echo a"]), "sh -c 'echo a'");
        assert_eq!(of(&["\u{e9}".repeat(41).as_str()]).chars().count(), COMMAND + 1);
        assert!(!of(&["a\u{1b}[2J"]).contains('\u{1b}'));
    }
}
