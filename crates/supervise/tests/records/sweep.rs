//! Supervisors that were killed, and those who sweep behind them.

use std::fs;
use std::path::Path;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use nex_supervise::{Id, Reason, State, SweepOptions, UnixMillis, list, sweep};

use crate::role::{self, Player, said};
use crate::{Place, count_ends, create, exited, record};

fn is_there(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}

/// What stands in the test's directory beside the records.
fn beside(place: &Path) -> Vec<String> {
    let names = fs::read_dir(place).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name != "run").collect()
}

#[test]
fn a_killed_supervisor_leaves_nothing_and_one_last_line() {
    let place = Place::new();
    let mut supervisor = Player::start("supervisor", place.path());
    let words = said(&mut supervisor);
    let (id, vmm) = words.split_once(' ').unwrap();
    let id = Id::parse(id).unwrap();
    let state = place.state();
    let directory = state.guest(&id).unwrap().unwrap().path().to_owned();
    // As long as it lives, nobody touches it.
    let swept = sweep(&state, &SweepOptions::default(), UnixMillis::now()).unwrap();
    assert!(swept.lost.is_empty() && swept.problems.is_empty(), "{swept:?}");
    assert_eq!(record(&state, &id).1, State::Running);
    assert_eq!((is_there(vmm), beside(place.path()).len(), directory.join("socket").exists()), (true, 1, true));
    assert_eq!(nex_fault::Fault::code(&state.remove(&id).unwrap_err()).id(), "record-living");

    supervisor.kill();
    assert_eq!(record(&state, &id).1, State::Lost(Reason::SupervisorKilled));
    let barrier = Barrier::new(8);
    let all: Vec<_> = thread::scope(|scope| {
        let sweep_at_once = || {
            let state = place.state();
            barrier.wait();
            sweep(&state, &SweepOptions::default(), UnixMillis::now()).unwrap()
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(sweep_at_once)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let lost: Vec<_> = all.iter().flat_map(|swept| &swept.lost).collect();
    assert_eq!(lost, [&(id.clone(), Reason::SupervisorKilled)]);
    assert!(all.iter().all(|swept| swept.problems.is_empty()), "{all:?}");
    assert_eq!(count_ends(&directory), 1);
    assert_eq!((is_there(vmm), beside(place.path()).len(), directory.join("socket").exists()), (false, 0, false));
    assert!(fs::symlink_metadata(place.path().join("run/names/web")).is_err());
    assert_eq!(record(&state, &id).1, State::Ended(Reason::SupervisorKilled));
    state.remove(&id).unwrap();
    assert!(state.guest(&id).unwrap().is_none());
}

#[test]
fn killed_at_any_moment_every_guest_ends_once_and_nothing_is_left() {
    let place = Place::new();
    let state = place.state();
    let begun = Instant::now();
    for round in 0..40_u64 {
        let mut supervisor = Player::start("busy", place.path());
        said(&mut supervisor);
        thread::sleep(Duration::from_micros(round * 2711 % 20_000));
        supervisor.kill();
        // Sweepers are killed as well.
        let mut sweeper = Player::start("sweeper", place.path());
        thread::sleep(Duration::from_micros(round * 1777 % 20_000));
        sweeper.kill();
        let swept = sweep(&state, &SweepOptions::default(), UnixMillis::now()).unwrap();
        assert!(swept.problems.is_empty(), "round {round}: {swept:?}");
        let (guests, problems) = list(&state).unwrap();
        assert!(problems.is_empty(), "round {round}: {problems:?}");
        for guest in &guests {
            let directory = state.guest(&guest.record.id).unwrap().unwrap().path().to_owned();
            assert_eq!((count_ends(&directory), guest.state.name()), (1, "ended"), "round {round}");
            let names: Vec<_> = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            assert_eq!(names, ["journal"], "round {round}");
            state.remove(&guest.record.id).unwrap();
        }
        assert_eq!(beside(place.path()), Vec::<String>::new(), "round {round}");
        for part in ["guests", "making", "names"] {
            let left: Vec<_> = fs::read_dir(place.path().join("run").join(part)).unwrap().flatten().collect();
            assert!(left.is_empty(), "round {round}: {left:?}");
        }
    }
    eprintln!("40 kills in {:?}", begun.elapsed());
}

#[test]
fn sweeping_processes_at_once_write_one_last_line_for_each_guest() {
    let place = Place::new();
    let state = place.state();
    for _ in 0..3 {
        let mut supervisor = Player::start("supervisor", place.path());
        said(&mut supervisor);
        supervisor.kill();
    }
    let sweepers: Vec<_> = (0..4).map(|_| role::command("sweeper", place.path()).spawn().unwrap()).collect();
    for mut sweeper in sweepers {
        assert!(sweeper.wait().unwrap().success());
    }
    let ids = state.ids().unwrap();
    assert_eq!(ids.len(), 3);
    for id in ids {
        assert_eq!(count_ends(state.guest(&id).unwrap().unwrap().path()), 1);
    }
}

#[test]
fn records_go_after_their_time_and_the_oldest_where_they_take_too_much() {
    let place = Place::new();
    let state = place.state();
    let ids: Vec<_> = (0..4)
        .map(|_| {
            let guest = create(&state, None);
            fs::write(guest.directory.path().join("output.0"), vec![1; 1 << 20]).unwrap();
            let id = guest.directory.id().clone();
            guest.journal.end(exited(0)).unwrap();
            thread::sleep(Duration::from_millis(2));
            id
        })
        .collect();
    let living = create(&state, None);
    let now = UnixMillis::now();
    let expired = |options: &SweepOptions, now| sweep(&state, options, now).unwrap().expired;
    let options = SweepOptions::default();
    assert_eq!((options.keep_for.as_secs(), options.keep_bytes), (7 * 86400, 1 << 30));
    assert!(expired(&options, now).is_empty());
    // A clock that was set back makes nothing old.
    assert!(expired(&options, UnixMillis(0)).is_empty());
    assert_eq!(expired(&SweepOptions { keep_bytes: 5 << 19, ..options }, now), ids[..2]);
    let in_a_week = UnixMillis(now.0 + 7 * 86_400_000 + 1000);
    assert_eq!(expired(&options, in_a_week), ids[2..]);
    assert_eq!(state.ids().unwrap(), [living.directory.id().clone()]);

    // What is damaged from its first line on goes by the time of its directory.
    let damaged = Id::random().unwrap();
    fs::create_dir(place.path().join("run/guests").join(damaged.as_str())).unwrap();
    assert_eq!(list(&state).unwrap().1.len(), 1);
    assert!(expired(&options, now).is_empty());
    assert_eq!(expired(&options, in_a_week), [damaged]);
}

#[test]
fn nothing_of_anybody_elses_is_removed() {
    let place = Place::new();
    let state = place.state();
    let other = place.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("kept"), "").unwrap();
    let mut supervisor = Player::start("supervisor", place.path());
    let words = said(&mut supervisor);
    let id = Id::parse(words.split_once(' ').unwrap().0).unwrap();
    let directory = state.guest(&id).unwrap().unwrap().path().to_owned();
    // Links to what is elsewhere, in the guest's directory and in the place of its drive; another process in that of its VMM.
    std::os::unix::fs::symlink(&other, directory.join("link")).unwrap();
    let drive = place.path().join(format!("drive-{id}.ext4"));
    fs::remove_file(&drive).unwrap();
    std::os::unix::fs::symlink(&other, &drive).unwrap();
    let journal = fs::read_to_string(directory.join("journal")).unwrap();
    let vmm = words.split_once(' ').unwrap().1.to_owned();
    let bystander = std::process::id().to_string();
    fs::write(
        directory.join("journal"),
        journal.replace(&format!(r#""pid":{vmm},"#), &format!(r#""pid":{bystander},"#)),
    )
    .unwrap();
    supervisor.kill();
    let swept = sweep(&state, &SweepOptions::default(), UnixMillis::now()).unwrap();
    assert_eq!((swept.lost.len(), swept.problems.len()), (1, 0), "{swept:?}");
    assert!(other.join("kept").exists() && fs::symlink_metadata(&drive).is_err() && !directory.join("link").exists());
    // This process is still here. The one that no journal names any more is ended by hand.
    let vmm = rustix::process::Pid::from_raw(vmm.parse().unwrap()).unwrap();
    rustix::process::kill_process(vmm, rustix::process::Signal::KILL).unwrap();
}

#[test]
fn a_name_is_free_while_somebody_sweeps_the_guest_that_had_it() {
    let place = Place::new();
    let state = place.state();
    let mut supervisor = Player::start("supervisor", place.path());
    let words = said(&mut supervisor);
    let id = Id::parse(words.split_once(' ').unwrap().0).unwrap();
    supervisor.kill();
    // As a sweep has it that waits for a VMM.
    let directory = state.guest(&id).unwrap().unwrap();
    let lock = fs::File::open(directory.path()).unwrap();
    lock.lock().unwrap();
    assert_eq!(record(&state, &id).1, State::Lost(Reason::SupervisorKilled));
    let swept = sweep(&state, &SweepOptions::default(), UnixMillis::now()).unwrap();
    assert!(swept.lost.is_empty() && swept.problems.is_empty(), "{swept:?}");
    let second = create(&state, Some("web"));
    drop(lock);
    // The name stays with the guest that has it now.
    assert_eq!(sweep(&state, &SweepOptions::default(), UnixMillis::now()).unwrap().lost.len(), 1);
    assert!(
        second
            .directory
            .path()
            .ends_with(fs::read_link(place.path().join("run/names/web")).unwrap().file_name().unwrap())
    );
}

#[test]
fn a_record_with_nothing_left_to_do_is_not_touched() {
    let place = Place::new();
    let state = place.state();
    let guest = create(&state, Some("web"));
    let (id, directory) = (guest.directory.id().clone(), guest.directory.path().to_owned());
    guest.journal.end(exited(0)).unwrap();
    state.release(&"web".parse().unwrap(), &id).unwrap();
    let swept = || {
        let swept = sweep(&state, &SweepOptions::default(), UnixMillis::now()).unwrap();
        assert!(swept.lost.is_empty() && swept.problems.is_empty(), "{swept:?}");
    };
    // Nobody can take a lock of it without being seen, and this one would hinder a sweep.
    let lock = fs::File::open(&directory).unwrap();
    lock.lock().unwrap();
    swept();
    let expired = sweep(&state, &SweepOptions { keep_bytes: 0, ..SweepOptions::default() }, UnixMillis::now()).unwrap();
    assert_eq!(expired.problems[0].to_string(), format!("another process works on the record of the guest {id}"));
    drop(lock);
    // What is left behind a last line goes.
    fs::write(directory.join("socket"), "").unwrap();
    std::os::unix::fs::symlink(format!("../guests/{id}"), place.path().join("run/names/web")).unwrap();
    swept();
    assert!(!directory.join("socket").exists() && fs::symlink_metadata(place.path().join("run/names/web")).is_err());
    assert_eq!(count_ends(&directory), 1);
}
