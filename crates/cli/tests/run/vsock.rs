//! In Firecracker a program's output comes by vsock, to its last byte, and on the console where there is none.

use nex_testkit::{Result, command, firecracker};
use serde_json::json;

use crate::place::{Place, report};

#[test]
fn all_that_a_program_writes_comes_by_vsock() -> Result<()> {
    let way = if firecracker::vsock_program().is_some() {
        "vsock"
    } else {
        eprintln!("LEFT OUT: output by vsock: there is no vhost-device-vsock (cargo install vhost-device-vsock)");
        "console"
    };
    let Some(place) = Place::new(json!({}))? else { return Ok(()) };
    let script = "seq 1 20000; echo to the other >&2; printf 'no newline'; exit 3";
    let mut run = place.in_firecracker(firecracker::double()?)?;
    run.args(["--format", "json"]).arg(place.busybox()).args(["--", "sh", "-c", script]);
    let result = command::output(&mut run)?;
    let stderr = String::from_utf8_lossy(&result.stderr).into_owned();
    let mut expected = (1..=20_000).map(|number| format!("{number}\n")).collect::<String>();
    expected.push_str("no newline");
    assert!(result.stdout == expected.as_bytes(), "{} bytes; {stderr}", result.stdout.len());
    assert_eq!(result.status.code(), Some(3), "{stderr}");
    let report = report(&result.stderr)?;
    assert_eq!(report["agentWay"], way, "{report}");
    assert_eq!(report["missing"], json!({ "droppedBytes": 0, "lostLines": 0, "damagedLines": 0, "outOfOrder": 0 }));
    assert_eq!(report["agentFailures"], json!([]));
    assert!(place.is_clean()?);
    Ok(())
}
