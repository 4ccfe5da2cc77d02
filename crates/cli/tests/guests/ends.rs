//! `nex wait`, `nex stop` and `nex kill`: how guests end.

use std::process::Stdio;
use std::time::{Duration, Instant};

use nex_supervise::Reason;
use nex_supervise::api::Request;
use nex_testkit::Result;
use serde_json::json;

use crate::world::World;

#[test]
fn wait_prints_exit_codes_in_the_order_of_the_guests() -> Result<()> {
    let world = World::new()?;
    world.ended("job", Reason::OutOfMemoryInGuest, &[])?;
    let web = world.guest("web")?;
    let mut nex = world.nex(&["wait", "web", "job"]).stdout(Stdio::piped()).spawn()?;
    std::thread::sleep(Duration::from_millis(300));
    assert!(nex.try_wait()?.is_none(), "it waits");
    web.ends(Reason::Exited { code: 7 });
    let output = nex.wait_with_output()?;
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stdout).as_ref()), (Some(0), "7\n137\n"));
    let found = world.json(&["wait", "--format", "json", "web"])?;
    assert_eq!((&found[0]["reason"], &found[0]["exit_code"]), (&json!("exited"), &json!(7)));
    Ok(())
}

#[test]
fn stop_ends_a_guest_and_has_nothing_to_do_for_one_that_has_ended() -> Result<()> {
    let world = World::new()?;
    let (web, db) = (world.guest("web")?, world.guest("db")?);
    assert_eq!(world.text(&["stop", "web"])?, "web\n");
    assert_eq!(world.text(&["stop", "-t", "60", "web", "db"])?, "web\ndb\n");
    assert_eq!(web.asked(), [Request::Stop { timeout_ms: None }]);
    assert_eq!(db.asked(), [Request::Stop { timeout_ms: Some(60_000) }]);
    let found = world.json(&["inspect", "--format", "json", "web"])?;
    assert_eq!((&found[0]["reason"], &found[0]["exit_code"]), (&json!("stopped"), &json!(143)));
    Ok(())
}

#[test]
fn kill_sends_a_signal_and_a_guest_that_has_ended_has_no_program() -> Result<()> {
    let world = World::new()?;
    let web = world.guest("web")?;
    assert_eq!(world.text(&["kill", "web"])?, "web\n");
    assert_eq!(world.text(&["kill", "-s", "HUP", web.id.start(8)])?, format!("{}\n", web.id.start(8)));
    assert_eq!(web.asked(), [Request::Kill { signal: 9 }, Request::Kill { signal: 1 }]);
    web.ends(Reason::Signalled { signal: 9 });
    let (code, out, err) = world.result(&["kill", "web"])?;
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert_eq!(err, format!("error: the guest {} has ended: signalled(9)\n", web.id));
    assert_eq!(world.result(&["kill", "-s", "NOVA", "web"])?.0, Some(2));
    Ok(())
}

#[test]
fn what_a_supervisor_refuses_reaches_the_user_with_its_code() -> Result<()> {
    let world = World::new()?;
    let web = world.guest("web")?;
    web.refuses("supervisor-no-channel", "the kernel has no \u{1b}[1mvsock", "use another kernel");
    let (code, out, err) = world.result(&["kill", "-s", "TERM", "--format", "json", "web"])?;
    let error: serde_json::Value = serde_json::from_str(&out)?;
    assert_eq!((code, &error["error"]["code"]), (Some(1), &json!("supervisor-no-channel")));
    assert_eq!(err, "error: the kernel has no \\u{1b}[1mvsock; use another kernel\n");
    Ok(())
}

/// The socket goes a moment before the last line is written.
#[test]
fn a_guest_that_is_about_to_end_is_waited_for() -> Result<()> {
    let world = World::new()?;
    let web = world.guest("web")?;
    let socket = world.text(&["ps", "-q"])?;
    std::fs::remove_file(world.record(socket.trim()).join("socket"))?;
    let start = Instant::now();
    let nex = world.nex(&["stop", "web"]).stdout(Stdio::piped()).spawn()?;
    std::thread::sleep(Duration::from_millis(500));
    web.ends(Reason::VmmCrashed);
    let output = nex.wait_with_output()?;
    assert_eq!(output.status.code(), Some(0));
    assert!(start.elapsed() < Duration::from_secs(8));
    Ok(())
}
