//! `nex ps`, `nex inspect` and `nex rm`: what records say.

use nex_supervise::Reason;
use nex_testkit::Result;
use serde_json::json;

use crate::world::World;

#[test]
fn guests_are_listed_the_newest_first_and_ended_ones_when_asked_for() -> Result<()> {
    let world = World::new()?;
    assert_eq!(world.json(&["ps", "--all", "--format", "json"])?, [json!({"schemaVersion": 1, "guests": []})]);
    let old = world.ended("job", Reason::Exited { code: 3 }, &[])?;
    std::thread::sleep(std::time::Duration::from_millis(5));
    let web = world.guest("web")?;

    let rows = |text: &str| {
        text.lines().map(|line| line.split_whitespace().map(str::to_owned).collect()).collect::<Vec<Vec<_>>>()
    };
    let head = ["ID", "NAME", "STATE", "AGE", "ROOT", "COMMAND"];
    let row = |id: &str, name: &str, state: &str| {
        let command = ["alpine.ext4", "sh", "-c", "'a", "b'"];
        let words = [&[&id[..8], name, state, "0", "s"][..], &command].concat();
        words.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(rows(&world.text(&["ps"])?), [head.map(str::to_owned).to_vec(), row(web.id.as_str(), "web", "running")]);
    let all = rows(&world.text(&["ps", "-a"])?);
    assert_eq!(all[1..], [row(web.id.as_str(), "web", "running"), row(old.as_str(), "job", "exited(3)")]);
    assert_eq!(world.text(&["ps", "-aq"])?, format!("{}\n{old}\n", web.id));

    let listed = world.json(&["ps", "-a", "--format", "json"])?;
    let guests = listed[0]["guests"].as_array().cloned().unwrap_or_default();
    let of = |guest: &serde_json::Value| ["name", "state", "reason", "exit_code"].map(|key| guest[key].clone());
    assert_eq!(of(&guests[0]), [json!("web"), json!("running"), json!(null), json!(null)]);
    assert_eq!(of(&guests[1]), [json!("job"), json!("ended"), json!("exited"), json!(3)]);
    Ok(())
}

#[test]
fn a_guest_is_found_by_id_name_and_start() -> Result<()> {
    let world = World::new()?;
    let web = world.guest("web")?;
    for word in [web.id.as_str(), "web", web.id.start(10)] {
        let found = world.json(&["inspect", "--format", "json", word])?;
        assert_eq!((&found[0]["id"], &found[0]["schemaVersion"]), (&json!(web.id.as_str()), &json!(1)), "{word}");
    }
    let text = world.text(&["inspect", "web"])?;
    assert!(
        text.contains(&format!("id          {}\n", web.id)) && text.contains("command     sh -c 'a b'\n"),
        "{text}"
    );
    assert!(!text.contains("exit code"), "{text}");

    let (code, out, err) = world.result(&["inspect", "nobody\u{1b}[2J", "web"])?;
    assert_eq!(code, Some(1));
    assert!(out.contains("state       running\n"), "one that is not found keeps no other: {out}");
    assert!(err.starts_with("error: no guest has the name 'nobody\\u{1b}[2J'") && err.lines().count() == 1, "{err}");
    let (_, out, _) = world.result(&["inspect", "--format", "json", "nobody"])?;
    let error: serde_json::Value = serde_json::from_str(&out)?;
    assert_eq!(error["error"]["code"], "record-not-found");
    Ok(())
}

#[test]
fn the_state_directory_is_not_made_to_be_looked_at() -> Result<()> {
    let world = World::new()?;
    let mut nex = world.nex(&["ps"]);
    let place = tempfile::tempdir()?;
    nex.env("XDG_STATE_HOME", place.path());
    nex_testkit::command::run(&mut nex)?;
    assert_eq!(std::fs::read_dir(place.path())?.count(), 0);
    Ok(())
}

#[test]
fn records_of_guests_that_have_ended_are_removed_and_others_when_forced() -> Result<()> {
    let world = World::new()?;
    let job = world.ended("job", Reason::Exited { code: 0 }, &[])?;
    let web = world.guest("web")?;
    let (code, out, err) = world.result(&["rm", "web", "job"])?;
    assert_eq!((code, out.as_str()), (Some(1), "job\n"));
    assert!(err.contains(&format!("the guest {} has not ended; stop it first, or say --force", web.id)), "{err}");
    assert!(world.text(&["ps", "-aq"])?.trim() == web.id.as_str() && web.asked().is_empty());

    let removed = world.json(&["rm", "--force", "--format", "json", "web", "nobody"])?;
    assert_eq!((removed.len(), &removed[0]["id"]), (1, &json!(web.id.as_str())));
    assert_eq!(world.text(&["ps", "-aq"])?, "", "{job}");
    assert_eq!(web.asked(), [nex_supervise::api::Request::Stop { timeout_ms: Some(0) }]);
    Ok(())
}
