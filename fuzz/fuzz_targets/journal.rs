//! The journal of a guest. Whatever it holds, it is read or refused; what stands behind the last line feed counts for nothing, and what a
//! later writer adds behind a line feed is read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use nex_fuzz::place;
use nex_supervise::{Id, Presence, Record};

/// The guest whose journal it is.
const GUEST: &str = "abcdefghijklmnopqrstuvwxyz";

/// The most that is read of a journal.
const MOST: usize = 64 << 10;

fuzz_target!(|data: &[u8]| {
    let id = Id::parse(GUEST).expect("an id");
    let record = match Record::fold(&id, data) {
        Ok(record) => record,
        Err(error) => return place::check_message(&error),
    };
    assert_eq!(record.id, id);
    let whole = &data[..data.len().min(MOST)];
    let lines = whole.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    assert_eq!(Record::fold(&id, &data[..lines]).as_ref(), Ok(&record));
    for presence in [Presence::Here, Presence::Killed, Presence::Rebooted, Presence::Elsewhere] {
        let state = record.state(presence);
        assert_eq!(state.is_living(), state.reason().is_none());
    }
    for leftover in &record.leftovers {
        // Nothing of it is removed here: only what it says is asked.
        drop(nex_supervise::Leftover::of(&id, leftover.path()));
    }
    // A sweep's line, behind whatever is torn.
    let ended = b"\n{\"schemaVersion\":1,\"time\":1,\"event\":\"ended\",\"reason\":\"supervisor-killed\"}\n";
    if data.len() + ended.len() <= MOST {
        let swept = Record::fold(&id, &[data, ended].concat()).expect("the first line is there");
        assert!(swept.ended.is_some());
    }
});
