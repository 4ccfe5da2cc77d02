//! Names, ids, and the directory that they stand in.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::sync::Barrier;
use std::thread;

use nex_fault::Fault;
use nex_supervise::{Id, LookupError, Mode, Name, StateDir, StateError, find, list};

use crate::{Place, about, create, exited};

#[test]
fn a_name_is_one_living_guests_and_free_after_that() {
    let place = Place::new();
    let state = place.state();
    let first = create(&state, Some("web"));
    let name: Name = "web".parse().unwrap();
    match state.create(Some(&name), about(), Mode::default()).unwrap_err() {
        StateError::NameTaken { id, .. } => assert_eq!(id, *first.directory.id()),
        error => panic!("{error}"),
    }
    // Nothing of the refused one is left.
    assert_eq!(state.ids().unwrap(), [first.directory.id().clone()]);
    assert_eq!(fs::read_dir(place.path().join("run/making")).unwrap().count(), 0);
    let by_name = place.path().join("run/names/web/journal");
    assert!(by_name.exists());
    first.journal.end(exited(0)).unwrap();
    let second = create(&state, Some("web"));
    assert!(by_name.canonicalize().unwrap().starts_with(second.directory.path().canonicalize().unwrap()));
    // Who gives back what is another's by now takes nothing away.
    state.release(&name, first.directory.id()).unwrap();
    assert!(by_name.exists());

    let (guests, problems) = list(&state).unwrap();
    assert!(problems.is_empty() && guests.len() == 2);
    assert_eq!(find(&guests, "web").unwrap().record.id, *second.directory.id());
    second.journal.end(exited(0)).unwrap();
    let (guests, _) = list(&state).unwrap();
    let newest = guests.iter().map(|guest| (guest.record.created, &guest.record.id)).max().unwrap().1;
    assert_eq!(find(&guests, "web").unwrap().record.id, *newest);
}

#[test]
fn of_many_that_want_a_name_at_once_one_gets_it() {
    let place = Place::new();
    for _ in 0..10 {
        let barrier = Barrier::new(8);
        let created: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        let state = place.state();
                        barrier.wait();
                        state.create(Some(&"web".parse().unwrap()), about(), Mode::default())
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let (won, lost): (Vec<_>, Vec<_>) = created.into_iter().partition(Result::is_ok);
        assert_eq!(won.len(), 1);
        assert!(lost.iter().all(|error| matches!(error, Err(StateError::NameTaken { .. }))), "{lost:?}");
        won.into_iter().for_each(|guest| guest.unwrap().journal.end(exited(0)).unwrap());
    }
}

#[test]
fn a_word_means_an_id_a_name_or_the_start_of_one_id() {
    let place = Place::new();
    let state = place.state();
    let guests: Vec<_> = (0..40).map(|_| create(&state, None)).collect();
    let one = guests[0].directory.id();
    let named = create(&state, Some(guests[1].directory.id().start(4)));
    let (listed, _) = list(&state).unwrap();
    let length = Id::shown_length(listed.iter().map(|guest| &guest.record.id));
    for text in [one.as_str(), one.start(length)] {
        assert_eq!(find(&listed, text).unwrap().record.id, *one);
    }
    // A name counts more than a start of an id.
    let name = guests[1].directory.id().start(4);
    assert_eq!(find(&listed, name).unwrap().record.id, *named.directory.id());
    for text in ["", "Web", "../x", &format!("{one}a"), "\u{1b}[2J"] {
        let error = find(&listed, text).unwrap_err();
        assert_eq!(error.code().id(), "record-not-found", "{text:?}");
        assert!(error.to_string().chars().all(|letter| !letter.is_control()), "{error}");
        assert!(error.remedy().is_some());
    }
    // 41 ids begin with 32 characters.
    let starts: BTreeSet<_> = listed.iter().map(|guest| guest.record.id.start(1)).collect();
    let several = starts.into_iter().find_map(|start| match find(&listed, start) {
        Err(LookupError::Ambiguous { candidates, .. }) => Some((start, candidates)),
        _ => None,
    });
    let (start, candidates) = several.unwrap();
    assert!(candidates.len() > 1 && candidates.iter().all(|(id, _)| id.as_str().starts_with(start)));
    let error = find(&listed, start).unwrap_err();
    assert_eq!(error.code().id(), "record-ambiguous");
    assert!(error.to_string().contains(candidates[0].0.start(8)), "{error}");
}

#[test]
fn a_directory_that_others_can_change_is_refused_and_links_are_not_followed() {
    let place = Place::new();
    let path = place.path().join("run");
    drop(place.state());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    let refused = || StateDir::open(&path).unwrap_err();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(refused().code().id(), "file-distrust");
    assert!(refused().remedy().is_some());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();

    fs::create_dir(place.path().join("elsewhere")).unwrap();
    for part in ["names", "guests", "making"] {
        fs::remove_dir(path.join(part)).unwrap();
        symlink(place.path().join("elsewhere"), path.join(part)).unwrap();
        assert_eq!(refused().code().id(), "file-not-a-directory", "{part}");
        fs::remove_file(path.join(part)).unwrap();
    }
    // A guest's directory that is a link, or that others can write to, is no guest's.
    let state = place.state();
    let (link, open) = (Id::random().unwrap(), Id::random().unwrap());
    symlink(place.path().join("elsewhere"), path.join("guests").join(link.as_str())).unwrap();
    fs::create_dir(path.join("guests").join(open.as_str())).unwrap();
    fs::set_permissions(path.join("guests").join(open.as_str()), fs::Permissions::from_mode(0o777)).unwrap();
    fs::create_dir(path.join("guests/no-id")).unwrap();
    let (guests, problems) = list(&state).unwrap();
    assert!(guests.is_empty() && problems.len() == 2, "{problems:?}");
    // A name that leads anywhere else is free.
    symlink("/etc", path.join("names/web")).unwrap();
    create(&state, Some("web"));
    assert!(StateDir::open_existing(&place.path().join("missing")).unwrap().is_none());
    assert!(!place.path().join("missing").exists());
}
