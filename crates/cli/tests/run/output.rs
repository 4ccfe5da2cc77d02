//! What comes out: bytes, streams, exit codes, and the world that a program sees.

use std::fs;

use nex_testkit::{Result, command, nex};
use serde_json::json;

use crate::place::{Place, report};

#[test]
fn a_program_s_bytes_come_out_as_they_are_and_apart() -> Result<()> {
    let Some(place) = Place::new(json!({}))? else { return Ok(()) };
    let before = fs::read(place.root())?;
    // All bytes there are, 5 MB in lines of all lengths, and no newline at the end.
    let script = "i=0; while [ $i -lt 256 ]; do printf \"\\\\$(printf %03o $i)\"; i=$((i+1)); done; \
                  seq 1 20000; awk 'BEGIN { for (i = 1; i <= 5000; i++) printf(\"%01000d\\n\", i) }'; \
                  echo to the other >&2; printf 'no newline'; printf 'nor here' >&2; exit 3";
    let result = command::output(&mut place.script(&["--format", "json"], script)?)?;
    let mut expected: Vec<u8> = (0..=255).collect();
    (1..=20_000).for_each(|number| expected.extend(format!("{number}\n").into_bytes()));
    (1..=5_000).for_each(|number| expected.extend(format!("{number:01000}\n").into_bytes()));
    expected.extend_from_slice(b"no newline");
    let stderr = String::from_utf8_lossy(&result.stderr).into_owned();
    assert!(result.stdout == expected, "{} bytes; {stderr}", result.stdout.len());
    // The report begins a line, whatever the program has written.
    let own = stderr.split_once("{\"schemaVersion").map(|(own, _)| own);
    assert_eq!(own, Some("to the other\nnor here\n"));
    assert_eq!(result.status.code(), Some(3));
    let report = report(&result.stderr)?;
    assert_eq!((&report["exitCode"], &report["end"]["code"]), (&json!(3), &json!(3)));
    assert_eq!(report["stdoutBytes"], expected.len());
    assert_eq!(report["missing"], json!({ "droppedBytes": 0, "lostLines": 0, "damagedLines": 0, "outOfOrder": 0 }));
    assert!(report["times"]["readyMs"].is_u64() && report["vmm"]["name"].is_string(), "{report}");
    assert!(fs::read(place.root())? == before, "the root changed");
    assert!(place.is_clean()?);
    Ok(())
}

#[test]
fn the_image_and_the_user_make_a_program_s_world() -> Result<()> {
    let config = json!({
        "Entrypoint": ["/bin/sh", "-c", "echo $0 $* $A $B; id -u; id -g; pwd; cat; touch /x 2>/dev/null || echo not mine"],
        "Cmd": ["cmd"], "Env": ["PATH=/bin", "A=image", "B=image"], "User": "web", "WorkingDir": "/bin",
    });
    let Some(place) = Place::new(config)? else { return Ok(()) };
    let words = |result: std::process::Output| {
        let said = String::from_utf8_lossy(&result.stderr).into_owned();
        assert_eq!((result.status.code(), said.as_str()), (Some(0), ""));
        String::from_utf8_lossy(&result.stdout).into_owned()
    };
    // The image's own words. Standard input is empty.
    assert_eq!(words(command::output(&mut place.nex()?)?), "cmd image image\n77\n78\n/bin\nnot mine\n");
    // The user's own words.
    let mut run = place.nex()?;
    run.args(["-e", "B=mine", "--env", "C", "-u", "0:5", "-w", "/etc", "--", "a b", ""]).env("C", "c");
    assert_eq!(words(command::output(&mut run)?), "a b image mine\n0\n5\n/etc\n");
    // A program from here has the image's world and its own name.
    let mut run = place.nex()?;
    run.arg(place.busybox()).args(["--", "sh", "-c", "echo $A $(id -u) $(pwd); exec /bin/kill -9 $$"]);
    let result = command::output(&mut run)?;
    assert_eq!(String::from_utf8_lossy(&result.stdout), "image 77 /bin\n");
    assert_eq!(result.status.code(), Some(137), "{}", String::from_utf8_lossy(&result.stderr));
    assert_eq!(nex::names(&place.path("tmp"))?.len(), 0);
    Ok(())
}
