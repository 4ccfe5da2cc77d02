//! Records of guests as several processes make, read and sweep them, and as they are after kills at any moment.

mod journal;
mod names;
mod namespaces;
mod role;
mod second_reader;
mod spool;
mod sweep;

use std::path::Path;

use nex_supervise::{About, Ended, Mode, NewGuest, Reason, Record, State, StateDir};
use tempfile::TempDir;

/// A directory for records, for this test alone.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn state(&self) -> StateDir {
        StateDir::open(&self.path().join("run")).unwrap()
    }
}

fn about() -> About {
    About { root: "alpine.ext4".into(), command: vec!["sh".into()], ..About::default() }
}

fn create(state: &StateDir, name: Option<&str>) -> NewGuest {
    state.create(name.map(|name| name.parse().unwrap()).as_ref(), about(), Mode::default()).unwrap()
}

fn record(state: &StateDir, guest: &nex_supervise::Id) -> (Record, State) {
    let directory = state.guest(guest).unwrap().unwrap();
    let record = directory.record().unwrap();
    let state = directory.state(&record).unwrap();
    (record, state)
}

fn exited(code: u8) -> Ended {
    Ended::because_of(Reason::Exited { code })
}

/// How many last lines a journal has.
fn count_ends(directory: &Path) -> usize {
    let journal = std::fs::read(directory.join("journal")).unwrap();
    String::from_utf8_lossy(&journal).matches(r#""event":"ended""#).count()
}
