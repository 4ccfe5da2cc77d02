//! The form of reports as text: a label and a value in each line.

use std::fmt::Write;

use nex_fault::{Note, Remedy, Setting};
use nex_rootfs::{PhaseReport, Usage};
use nex_text::{human, printable, shell_word};

use crate::output;

/// Labelled lines. What comes from an image is escaped, so that it cannot steer the terminal.
#[derive(Default)]
pub struct Lines(pub String);

impl Lines {
    /// Adds a line, or one that goes on with the last where the label is empty.
    pub fn add(&mut self, label: &str, value: &str) {
        let value = printable(value);
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "{label:<11} {value}");
    }

    /// Adds what to do about something.
    pub fn remedy(&mut self, label: &str, remedy: &Remedy) {
        self.add(label, &remedy.words(Setting::flag));
    }

    /// Adds notes, a line each, unless nobody wants them.
    pub fn notes(&mut self, notes: &[Note]) {
        let wanted = if output::is_quiet() { &[] } else { notes };
        wanted.iter().for_each(|note| self.add("note", &note.words(Setting::flag)));
    }
}

/// Room, in bytes, blocks and inodes.
pub fn amount(usage: &Usage) -> String {
    format!("{} ({} blocks, {} inodes)", human(usage.bytes), usage.blocks, usage.inodes)
}

/// All phases together, and each; with so many digits behind the point.
pub fn times(phases: &[PhaseReport], digits: usize) -> String {
    let total: f64 = phases.iter().map(|phase| phase.seconds).sum();
    let each: Vec<_> = phases.iter().map(|phase| format!("{} {:.digits$}", phase.name, phase.seconds)).collect();
    format!("{total:.digits$} s ({})", each.join(", "))
}

/// A time that has passed, in its largest unit.
pub fn since(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// A command as a shell takes it.
pub fn command_line(words: &[String]) -> String {
    words.iter().map(|word| shell_word(word.as_ref())).collect::<Vec<_>>().join(" ")
}
