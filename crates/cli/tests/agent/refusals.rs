//! What the agent cannot do it says, and the machine ends in place of hanging.

use nex_protocol::{EndBy, Ended, Event, Source};
use nex_testkit::Result;
use nex_vmm::{Access, Ending};
use serde_json::json;

use crate::machine::Boot;

#[test]
fn a_workload_that_cannot_be_had_is_told_and_ends_the_machine() -> Result<()> {
    let Some(boot) = Boot::new(Vec::new(), json!({ "Cmd": ["serve"], "Env": ["PATH=/bin"] }))? else { return Ok(()) };
    let seen = boot.words("nex.workload=image nex.poweroff=1 nex.vsock=1024").run()?;
    let exits = seen.is_whole().exits(Source::Workload);
    assert_eq!(exits.iter().map(|exit| exit.end).collect::<Vec<_>>(), [Ended::Unstarted(127)]);
    let failures = seen.failures();
    assert_eq!(failures, ["there is no 'serve' in /bin"]);
    let notes = seen.events().filter_map(|event| match event {
        Event::Note(note) => Some(String::from_utf8_lossy(&note.text)),
        _ => None,
    });
    let mut notes = notes.filter(|note| note.starts_with("no vsock to port 1024 of the host: "));
    assert!(notes.next().is_some_and(|note| note.ends_with("staying on the console")));
    assert!(seen.events().any(|event| matches!(event, Event::Ready(_))));
    assert_eq!(seen.ending, Ending::PoweredOff);
    Ok(())
}

#[test]
fn an_overlay_that_cannot_be_had_leaves_the_root_alone_and_ends_the_machine() -> Result<()> {
    let Some(boot) = Boot::new(Vec::new(), json!({}))? else { return Ok(()) };
    let empty = boot.directory().join("empty");
    std::fs::write(&empty, vec![0; 1 << 20])?;
    let seen = boot.drive(&empty, Access::ReadOnly).words("nex.overlay=/dev/vdb").run()?;
    let failures = seen.is_whole().failures();
    assert!(
        failures.len() == 1 && failures[0].starts_with("cannot mount /dev/vdb on /run/changes as ext4"),
        "{failures:?}"
    );
    assert!(!seen.events().any(|event| matches!(event, Event::Ready(_))));
    assert!(matches!(seen.events().last(), Some(Event::End(end)) if end.by == EndBy::PowerOff));
    assert_eq!(seen.ending, Ending::PoweredOff);
    Ok(())
}
