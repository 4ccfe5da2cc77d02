//! A journal that was cut, torn or damaged, and how it is gone on with.

use std::fs;

use nex_fault::Fault;
use nex_supervise::{
    About, Asker, BootId, Event, How, Id, Identity, Leftover, Makes, Mode, Presence, Reason, Record, Restarted,
    Started, State, StopAsked, SweepOptions, UnixMillis, list, sweep,
};
use proptest::prelude::*;

use crate::{Place, count_ends, create, exited, record};

/// A journal with a line of each kind, and its guest.
fn whole() -> (Place, Id, Vec<u8>) {
    let place = Place::new();
    let state = place.state();
    let mut guest = create(&state, Some("web"));
    let id = guest.directory.id().clone();
    let path = guest.directory.path().join("journal");
    // One that is no process: a sweep would end it.
    let vmm = Identity { start_ticks: 1, ..Identity::of_self().unwrap() };
    guest.journal.note(Event::Started(Started { name: "qemu".into(), vmm })).unwrap();
    guest.journal.note(Event::Up).unwrap();
    guest.journal.note(Event::Restarted(Restarted { times: 1 })).unwrap();
    let asked = StopAsked { by: Asker::Client { uid: 1000, pid: 7 }, how: How::Stop };
    guest.journal.note(Event::StopAsked(asked)).unwrap();
    guest.journal.end(exited(3)).unwrap();
    (place, id, fs::read(path).unwrap())
}

#[test]
fn states_follow_the_lines() {
    let (_place, id, bytes) = whole();
    let text = String::from_utf8(bytes).unwrap();
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    let states: Vec<_> = (1..=lines.len())
        .map(|count| Record::fold(&id, lines[..count].concat().as_bytes()).unwrap().state(Presence::Here).name())
        .collect();
    assert_eq!(states, ["starting", "starting", "running", "running", "stopping", "ended"]);
    let begun = Record::fold(&id, lines[0].as_bytes()).unwrap();
    assert_eq!(begun.state(Presence::Killed), State::Lost(Reason::SupervisorKilled));
    assert_eq!(begun.state(Presence::Rebooted), State::Lost(Reason::LostAtReboot));
    let ended = Record::fold(&id, text.as_bytes()).unwrap();
    assert_eq!(ended.state(Presence::Rebooted), State::Ended(Reason::Exited { code: 3 }));
    assert_eq!((ended.restarts, ended.stop_asked.unwrap().1.by), (1, Asker::Client { uid: 1000, pid: 7 }));
    assert!(Record::fold(&Id::random().unwrap(), text.as_bytes()).is_err());
}

#[test]
fn cut_at_any_byte_a_journal_says_what_its_whole_lines_say_and_gets_one_last_line() {
    let (place, id, bytes) = whole();
    let path = place.path().join("run/guests").join(id.as_str()).join("journal");
    let state = place.state();
    // The supervisor is this process. Another one took its place, as it were.
    let text =
        String::from_utf8(bytes).unwrap().replacen(&format!(r#""pid":{}"#, std::process::id()), r#""pid":4194305"#, 1);
    let bytes = text.into_bytes();
    let first = bytes.iter().position(|byte| *byte == b'\n').unwrap();
    for cut in 0..=bytes.len() {
        let torn = &bytes[..cut];
        let lines = torn.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        assert_eq!(Record::fold(&id, torn), Record::fold(&id, &torn[..lines]), "cut at {cut}");
        assert_eq!(Record::fold(&id, torn).is_ok(), cut > first, "cut at {cut}");
        if cut <= first || lines == bytes.len() {
            continue;
        }
        fs::write(&path, torn).unwrap();
        let swept = sweep(&state, &SweepOptions::default(), UnixMillis::now()).unwrap();
        assert_eq!(swept.lost, [(id.clone(), Reason::SupervisorKilled)], "cut at {cut}: {:?}", swept.problems);
        let (record, now) = record(&state, &id);
        assert_eq!(now, State::Ended(Reason::SupervisorKilled), "cut at {cut}");
        assert_eq!(record.damaged_lines, u64::from(lines < cut), "cut at {cut}");
        let before = Record::fold(&id, torn).unwrap();
        assert_eq!((record.up, record.vmm, record.restarts), (before.up, before.vmm, before.restarts), "cut at {cut}");
        assert!(sweep(&state, &SweepOptions::default(), UnixMillis::now()).unwrap().lost.is_empty());
        assert!(fs::read(&path).unwrap().starts_with(torn), "what was written is changed, cut at {cut}");
    }
}

/// A journal as a guest of another boot would have it, on the machine of this name: two digests and a number.
fn of_another_boot(text: &str, id: &Id, machine: Option<&str>) -> String {
    let domain = Record::fold(id, text.as_bytes()).unwrap().lock_domain;
    let parts: Vec<_> = domain.split('-').collect();
    let other = format!("{}-{:016x}-{}", machine.unwrap_or(parts[0]), 0, parts[2]);
    text.replace(&BootId::current().unwrap().to_string(), "00000000-0000-4000-8000-000000000000")
        .replace(&domain, &other)
}

#[test]
fn a_reboot_is_told_from_a_kill() {
    let (place, id, bytes) = whole();
    let path = place.path().join("run/guests").join(id.as_str()).join("journal");
    let other = of_another_boot(&String::from_utf8(bytes).unwrap(), &id, None);
    fs::write(&path, other.split_inclusive('\n').take(3).collect::<String>()).unwrap();
    let state = place.state();
    if other.contains(r#""lockDomain":"unknown-"#) {
        eprintln!("LEFT OUT: this machine has no id, so that nothing tells a reboot");
        return;
    }
    assert_eq!(record(&state, &id).1, State::Lost(Reason::LostAtReboot));
    // Where somebody has the lock, the guest is on another machine that shares the directory.
    let lock = fs::File::open(&path).unwrap();
    lock.lock().unwrap();
    assert_eq!(record(&state, &id).1, State::Running);
    assert!(sweep(&state, &SweepOptions::default(), UnixMillis::now()).unwrap().lost.is_empty());
    drop(lock);
    let swept = sweep(&state, &SweepOptions::default(), UnixMillis::now()).unwrap();
    assert_eq!(swept.lost, [(id, Reason::LostAtReboot)]);
}

#[test]
fn a_guest_whose_lock_is_not_seen_here_is_left_alone() {
    let (place, id, bytes) = whole();
    let text = String::from_utf8(bytes).unwrap();
    let directory = place.path().join("run/guests").join(id.as_str());
    let domain = Record::fold(&id, text.as_bytes()).unwrap().lock_domain;
    // Of this boot and another pid namespace, where only the lock could tell.
    let namespace = format!(r#""pidNamespace":{}"#, Identity::of_self().unwrap().pid_namespace);
    let unseen = text.replace(&namespace, r#""pidNamespace":1"#);
    let (rest, _device) = domain.rsplit_once('-').unwrap();
    let elsewhere = [
        of_another_boot(&text, &id, Some(&"1".repeat(16))),
        of_another_boot(&text, &id, Some("unknown")),
        unseen.replace(&domain, &format!("{rest}-ffffffff")),
        unseen.replace(&domain, "what a later nex has"),
    ];
    let state = place.state();
    for text in elsewhere {
        let begun = text.split_inclusive('\n').take(3).collect::<String>();
        fs::write(directory.join("journal"), &begun).unwrap();
        fs::write(directory.join("drive"), "in use").unwrap();
        let _ = fs::remove_file(place.path().join("run/names/web"));
        std::os::unix::fs::symlink(format!("../guests/{id}"), place.path().join("run/names/web")).unwrap();
        assert_eq!(record(&state, &id).1, State::Elsewhere, "{begun}");
        let in_a_year = UnixMillis(UnixMillis::now().0 + 365 * 86_400_000);
        let swept = sweep(&state, &SweepOptions::default(), in_a_year).unwrap();
        assert!(swept.lost.is_empty() && swept.expired.is_empty() && swept.problems.is_empty(), "{swept:?}");
        assert!(directory.join("drive").exists() && count_ends(&directory) == 0);
        assert_eq!(state.remove(&id).unwrap_err().code().id(), "record-elsewhere");
        let taken = state.create(Some(&"web".parse().unwrap()), crate::about(), Mode::default()).unwrap_err();
        assert_eq!(taken.code().id(), "record-name-taken");
        // A lock that is seen tells all the same.
        let lock = fs::File::open(directory.join("journal")).unwrap();
        lock.lock().unwrap();
        assert_eq!(record(&state, &id).1, State::Running);
    }
    // The control: of this namespace, it is known to be gone, whatever is mounted where.
    let gone = text
        .replace(&domain, &format!("{rest}-ffffffff"))
        .replace(&format!(r#""pid":{}"#, std::process::id()), r#""pid":4194305"#);
    fs::write(directory.join("journal"), gone.split_inclusive('\n').take(3).collect::<String>()).unwrap();
    assert_eq!(sweep(&state, &SweepOptions::default(), UnixMillis::now()).unwrap().lost.len(), 1);
}

/// What every later form has, and nothing else that is known today.
const LATER: &str = "{\"schemaVersion\":2,\"was\":\"born\"}\n";

#[test]
fn a_guest_of_a_later_nex_keeps_its_record_and_its_name() {
    let place = Place::new();
    let state = place.state();
    let name = "web".parse().unwrap();
    let guest = create(&state, Some("web"));
    let id = guest.directory.id().clone();
    let path = guest.directory.path().join("journal");
    let first = fs::read_to_string(&path).unwrap();
    let in_a_year = UnixMillis(UnixMillis::now().0 + 365 * 86_400_000);
    let look = |problems: usize| {
        let swept = sweep(&state, &SweepOptions::default(), in_a_year).unwrap();
        assert!(swept.lost.is_empty() && swept.expired.is_empty() && swept.problems.len() == problems, "{swept:?}");
        assert_eq!(
            state.create(Some(&name), crate::about(), Mode::default()).unwrap_err().code().id(),
            "record-name-taken"
        );
        assert_eq!(state.ids().unwrap(), std::slice::from_ref(&id));
    };
    // As long as its supervisor is there, nobody has anything to say.
    fs::write(&path, LATER).unwrap();
    look(0);
    assert_eq!(state.remove(&id).unwrap_err().code().id(), "record-later");
    // So it is where the first line is damaged, for which there is no other protection.
    fs::write(&path, "{\"schemaVersion\":1}\n").unwrap();
    look(0);
    assert_eq!(state.remove(&id).unwrap_err().code().id(), "record-living");
    drop(guest);
    fs::write(&path, LATER).unwrap();
    look(1);
    assert_eq!(state.remove(&id).unwrap_err().code().id(), "record-later");
    // One that this nex has begun with, and a later one goes on with.
    fs::write(&path, first.replace(&format!(r#""pid":{}"#, std::process::id()), r#""pid":4194305"#) + LATER).unwrap();
    look(1);
    // Damaged, and nobody has the lock: name and record are free.
    fs::write(&path, "\n").unwrap();
    assert_eq!(sweep(&state, &SweepOptions::default(), in_a_year).unwrap().expired, [id]);
    create(&state, Some("web"));
}

#[test]
fn a_full_journal_without_an_end_is_a_damaged_one() {
    let place = Place::new();
    let state = place.state();
    let guest = create(&state, None);
    let id = guest.directory.id().clone();
    let path = guest.directory.path().join("journal");
    drop(guest);
    let first =
        fs::read_to_string(&path).unwrap().replace(&format!(r#""pid":{}"#, std::process::id()), r#""pid":4194305"#);
    let full = |length: usize| {
        let mut journal = first.clone().into_bytes();
        journal.resize(length, b'\n');
        journal
    };
    for length in [(64 << 10) - 511, 64 << 10, 70 << 10] {
        fs::write(&path, full(length)).unwrap();
        let swept = sweep(&state, &SweepOptions::default(), UnixMillis::now()).unwrap();
        assert!(swept.problems.is_empty() && swept.lost.is_empty(), "{length}: {swept:?}");
        assert_eq!(list(&state).unwrap().1[0].code().id(), "record-unreadable", "{length}");
    }
    let in_a_week = UnixMillis(UnixMillis::now().0 + 7 * 86_400_000 + 1000);
    assert_eq!(sweep(&state, &SweepOptions::default(), in_a_week).unwrap().expired, [id]);
    // The control: where the last line finds its place, it is written.
    let guest = create(&state, None);
    let path = guest.directory.path().join("journal");
    let text = fs::read_to_string(&path).unwrap();
    drop(guest);
    let mut journal = text.replace(&format!(r#""pid":{}"#, std::process::id()), r#""pid":4194305"#).into_bytes();
    journal.resize((64 << 10) - 512, b'\n');
    fs::write(&path, journal).unwrap();
    assert_eq!(sweep(&state, &SweepOptions::default(), UnixMillis::now()).unwrap().lost.len(), 1);
    assert_eq!(count_ends(path.parent().unwrap()), 1);
}

#[test]
fn what_a_later_nex_writes_is_left_alone() {
    let (place, id, bytes) = whole();
    let path = place.path().join("run/guests").join(id.as_str()).join("journal");
    let text = String::from_utf8(bytes).unwrap();
    let mut lines: Vec<_> = text.lines().take(3).map(str::to_owned).collect();
    lines[0] = lines[0].replace(&format!(r#""pid":{}"#, std::process::id()), r#""pid":4194305"#);
    lines[1] = lines[1].replace(r#""schemaVersion":1"#, r#""schemaVersion":2"#);
    fs::write(&path, lines.join("\n") + "\n").unwrap();
    let state = place.state();
    let swept = sweep(&state, &SweepOptions::default(), UnixMillis::now()).unwrap();
    assert!(swept.lost.is_empty() && swept.problems.len() == 1, "{swept:?}");
    assert_eq!(swept.problems[0].code().id(), "record-later");
    assert_eq!(count_ends(path.parent().unwrap()), 0);
    // What it adds without changing what was there is no reason to keep off.
    let added = lines[2].replace(r#""event":"up""#, r#""event":"dreamt","of":["sheep"]"#);
    lines[1] = lines[1].replace(r#""schemaVersion":2"#, r#""schemaVersion":1,"new":{}"#);
    fs::write(&path, [lines[0].clone(), lines[1].clone(), added, String::new()].join("\n")).unwrap();
    assert_eq!(record(&state, &id).0.damaged_lines, 0);
    assert_eq!(sweep(&state, &SweepOptions::default(), UnixMillis::now()).unwrap().lost.len(), 1);
}

#[test]
fn a_journal_has_a_bound_and_room_for_its_last_line() {
    let place = Place::new();
    let state = place.state();
    let mut guest = create(&state, None);
    let id = guest.directory.id().clone();
    let path = guest.directory.path().join("journal");
    for times in 0..5000 {
        guest.journal.note(Event::Restarted(Restarted { times })).unwrap();
    }
    let asked = StopAsked { by: Asker::Signal { signal: 15 }, how: How::Stop };
    guest.journal.note(Event::StopAsked(asked)).unwrap();
    let dropped = guest.journal.dropped_events();
    assert!(dropped > 1000, "{dropped}");
    // What each sweep has to know finds room behind those, and who makes something hears when that is at its end.
    let supervisor = Identity::of_self().unwrap();
    let vmm = Identity { start_ticks: 1, ..supervisor };
    let started = || Event::Started(Started { name: "qemu".into(), vmm: vmm.clone() });
    let makes = |number: usize| {
        let path = place.path().join(format!("{}-{id}-{number}", "d".repeat(200)));
        Event::Makes(Makes { path: Leftover::of(&id, &path).unwrap() })
    };
    guest.journal.note(Event::Up).unwrap();
    guest.journal.note(started()).unwrap();
    let noted = (0..1000).take_while(|number| guest.journal.note(makes(*number)).is_ok()).count();
    assert!((20..100).contains(&noted), "{noted}");
    while guest.journal.note(started()).is_ok() {}
    let full = guest.journal.dropped_events();
    assert_eq!(full, dropped + 2);
    let read = guest.directory.record().unwrap();
    assert_eq!((read.leftovers.len(), read.up.is_some(), read.stop_asked), (noted, true, None));
    let dropped = full;
    guest.journal.end(exited(0)).unwrap();
    assert!(fs::metadata(path).unwrap().len() <= 64 << 10);
    let (record, now) = record(&state, &id);
    assert_eq!(
        (now, record.ended.unwrap().1.losses.dropped_events),
        (State::Ended(Reason::Exited { code: 0 }), dropped)
    );
}

#[test]
fn a_first_line_of_any_texts_is_written() {
    let place = Place::new();
    let state = place.state();
    let controls = || "\u{1}".repeat(3000);
    let about = About {
        root: controls(),
        image: Some(controls()),
        kernel: Some(controls()),
        command: vec![controls(); 100],
        command_is_cut: false,
    };
    let name = "n".repeat(63).parse().unwrap();
    let guest = state.create(Some(&name), about, Mode::default()).unwrap();
    let (record, _) = record(&state, guest.directory.id());
    assert_eq!(record.name, Some(name));
    assert!(record.about.command_is_cut && controls().starts_with(&record.about.root) && record.about.root.len() > 300);
}

proptest! {
    #[test]
    fn no_journal_makes_the_reader_fail(lines in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..20)) {
        let (_place, id, mut bytes) = whole_once();
        bytes.extend(lines.join(&b'\n'));
        let record = Record::fold(&id, &bytes).unwrap();
        prop_assert_eq!(record.state(Presence::Killed), State::Ended(Reason::Exited { code: 3 }));
        prop_assert!(record.damaged_lines <= 20 * 200);
    }

    #[test]
    fn a_changed_byte_makes_at_most_one_line_another(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let (_place, id, mut bytes) = whole_once();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(record) = Record::fold(&id, &bytes) {
            prop_assert!(record.damaged_lines <= 2);
        }
    }
}

/// The same journal each time: making one costs syncs.
fn whole_once() -> (&'static Place, Id, Vec<u8>) {
    static WHOLE: std::sync::OnceLock<(Place, Id, Vec<u8>)> = std::sync::OnceLock::new();
    let (place, id, bytes) = WHOLE.get_or_init(whole);
    (place, id.clone(), bytes.clone())
}
