//! Builds the report of what scripts have changed: of many names: the first of them, and how many more there are.

use std::collections::BTreeMap;

use nex_fault::Note;

use crate::report::{ChangeKind, ChangeReport, DirectoryReport, ScriptReport};

/// The most names in a list: more than most distributions install.
const NAMES: usize = 100_000;

/// The most bytes of all names in the lists, as they are absolute: of an image's author they may be 16,000 each.
const BYTES: usize = 16 << 20;

/// The most directories that are told apart.
const DIRECTORIES: usize = 1000;

/// The most sockets that are named.
const SOCKETS: usize = 3;

/// How deep a directory is that is told apart: `/usr/lib`.
const DEPTH: usize = 2;

/// A report in the making.
#[derive(Default)]
pub struct ReportBuilder {
    report: ScriptReport,
    bytes: usize,
    /// Bytes of new and changed files, by directory.
    gained: BTreeMap<String, u64>,
    /// How many sockets there were, and the first of them.
    sockets: u64,
    first_sockets: Vec<String>,
}

impl ReportBuilder {
    /// Adds a change.
    pub fn change(&mut self, path: &[u8], change: ChangeKind) {
        let report = &mut self.report;
        *match change {
            ChangeKind::Created => &mut report.created,
            ChangeKind::Changed => &mut report.changed,
            ChangeKind::Deleted => &mut report.deleted,
        } += 1;
        match has_room(report.changes.len(), &mut self.bytes, path) {
            Some(path) => report.changes.push(ChangeReport { path, change }),
            None => report.unlisted_changes += 1,
        }
    }

    /// Adds a name that is left out.
    pub fn left_out(&mut self, path: &[u8]) {
        match has_room(self.report.left_out.len(), &mut self.bytes, path) {
            Some(path) => self.report.left_out.push(path),
            None => self.report.unlisted_left_out += 1,
        }
    }

    /// Adds a socket, which is no part of an image.
    pub fn socket(&mut self, path: &[u8]) {
        self.sockets += 1;
        if self.first_sockets.len() < SOCKETS {
            self.first_sockets.push(absolute(path));
        }
    }

    /// Adds the bytes of a file. Past the most directories, they count for the root.
    pub fn file(&mut self, path: &[u8], bytes: u64) {
        self.report.bytes += bytes;
        let names: Vec<_> = path.split(|byte| *byte == b'/').collect();
        let depth = names.len().saturating_sub(1).min(DEPTH);
        let directory = absolute(&names[..depth].join(&b'/'));
        let is_known = self.gained.len() < DIRECTORIES || self.gained.contains_key(&directory);
        *self.gained.entry(if is_known { directory } else { "/".into() }).or_default() += bytes;
    }

    /// The report.
    pub fn report(mut self) -> ScriptReport {
        if self.sockets > 0 {
            let more = if self.sockets > SOCKETS as u64 { ", ..." } else { "" };
            self.report.notes.push(Note::new(format!(
                "sockets that the setup script made are left out ({}), as the programs behind them have ended: {}{more}",
                self.sockets,
                self.first_sockets.join(", ")
            )));
        }
        let directories = self.gained.into_iter().map(|(path, bytes)| DirectoryReport { path, bytes }).collect();
        ScriptReport { directories, ..self.report }
    }
}

/// A path as it is absolute, if it still has room.
fn has_room(listed: usize, bytes: &mut usize, path: &[u8]) -> Option<String> {
    if listed >= NAMES || *bytes + path.len() > BYTES {
        return None;
    }
    let mut absolute = absolute(path);
    *bytes = bytes.saturating_add(absolute.len());
    absolute.shrink_to_fit();
    (*bytes <= BYTES).then_some(absolute)
}

/// A path of the image, escaped, from the root on.
pub fn absolute(path: &[u8]) -> String {
    format!("/{}", nex_text::name(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_up_to_their_bytes_and_counted_past_them() {
        let mut builder = ReportBuilder::default();
        let path = [0xff; 4000];
        for number in 0..3000 {
            builder.change(&path, ChangeKind::Created);
            builder.change(b"x", ChangeKind::Deleted);
            builder.left_out(&path);
            builder.file(&path, number);
        }
        let report = builder.report();
        let bytes = |path: &String| path.len();
        let listed: usize = report.changes.iter().map(|change| bytes(&change.path)).sum();
        assert!((BYTES - 100_000..=BYTES).contains(&(listed + report.left_out.iter().map(bytes).sum::<usize>())));
        assert_eq!((report.created, report.deleted), (3000, 3000));
        assert_eq!(report.changes.len() as u64 + report.unlisted_changes, 6000);
        assert_eq!(report.left_out.len() as u64 + report.unlisted_left_out, 3000);
        assert_eq!(report.bytes, 2999 * 1500);
        assert_eq!(report.directories.len(), 1);
    }

    #[test]
    fn names_are_listed_up_to_their_number() {
        let mut builder = ReportBuilder::default();
        (0..=NAMES).for_each(|_| builder.change(b"x", ChangeKind::Changed));
        let report = builder.report();
        assert_eq!((report.changes.len(), report.unlisted_changes, report.changed), (NAMES, 1, NAMES as u64 + 1));
    }

    #[test]
    fn sockets_are_counted_and_the_first_of_them_named() {
        assert!(ReportBuilder::default().report().notes.is_empty());
        for (number, named) in
            [(1, "ended: /run/0"), (3, "/run/0, /run/1, /run/2"), (5000, "/run/0, /run/1, /run/2, ...")]
        {
            let mut builder = ReportBuilder::default();
            (0..number).for_each(|number| builder.socket(format!("run/{number}").as_bytes()));
            let notes = builder.report().notes;
            let [note] = &notes[..] else { panic!("{notes:?}") };
            assert!(note.fact().contains(&format!("({number})")) && note.fact().contains(named), "{note:?}");
            assert!(note.fact().len() < 200, "{note:?}");
        }
    }

    #[test]
    fn directories_are_told_apart_up_to_their_number() {
        let mut builder = ReportBuilder::default();
        for number in 0..2 * DIRECTORIES {
            builder.file(format!("a/{number}/b/c").as_bytes(), 1);
            builder.file(b"a/0/x", 1);
        }
        let report = builder.report();
        let bytes = |path: &str| report.directories.iter().find(|known| known.path == path).map(|known| known.bytes);
        assert_eq!(report.directories.len(), DIRECTORIES + 1);
        assert_eq!(bytes("/"), Some(DIRECTORIES as u64));
        assert_eq!((bytes("/a/0"), bytes("/a/999")), (Some(2 * DIRECTORIES as u64 + 1), Some(1)));
    }
}
