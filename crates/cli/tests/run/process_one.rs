//! Images whose program has to be process 1, as that of s6-overlay.

use nex_testkit::layer::Entry;
use nex_testkit::{Result, command};
use serde_json::{Value, json};

use crate::place::{Place, report};

/// As s6-overlay's own: it refuses to be another process, and ends with what its last argument says.
const INIT: &str = "#!/bin/sh\nif [ $$ != 1 ]; then echo 's6-overlay-suexec: fatal: can only run as pid 1' >&2; exit 100; fi\n\
                    read line </dev/stdin; echo \"process $$ of $(id -u) in $PWD with '$GREETING' and '$*'\"\n\
                    echo 'on standard error' >&2\ntouch /made && ls -d /proc/1 /dev/console /run /made | tail -n 4\n\
                    while [ $# -gt 1 ]; do shift; done\n[ \"$1\" != off ] || poweroff -f\nprintf 'no end'; exit $1\n";

fn place(arguments: &[&str]) -> Result<Option<Place>> {
    let config = json!({ "Entrypoint": ["/init"], "Cmd": ["3"], "Env": ["PATH=/bin", "GREETING=hello  you"], "WorkingDir": "/srv" });
    let more = vec![Entry::file("init", INIT).mode(0o755), Entry::symlink("bin/poweroff", "busybox")];
    Place::with(config, more, arguments)
}

#[test]
fn a_program_that_has_to_be_process_one_is_refused_before_a_boot() -> Result<()> {
    let Some(place) = place(&[])? else { return Ok(()) };
    let result = command::output(&mut place.nex()?)?;
    let said = String::from_utf8_lossy(&result.stderr);
    assert_eq!(result.status.code(), Some(125), "{said}");
    for words in ["/init is s6-overlay", "process 1 alone", "nex rootfs --pid1 image", "--no-check"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let checked = command::output(place.check().args(["--format", "json"]))?;
    let checked: Value = serde_json::from_slice(&checked.stdout)?;
    let has = |id: &str| checked["findings"].as_array().into_iter().flatten().any(|finding| finding["id"] == id);
    assert!(has("image-process-one"), "{checked}");
    Ok(())
}

#[test]
fn it_is_process_one_where_that_is_built_and_its_exit_code_comes_out() -> Result<()> {
    let Some(place) = place(&["--pid1", "image"])? else { return Ok(()) };
    let checked = command::output(place.check().args(["--format", "json"]))?;
    assert!(!String::from_utf8_lossy(&checked.stdout).contains("image-process-one"));
    let again = command::output(place.nex()?.args(["--restart", "always"]))?;
    assert_eq!(again.status.code(), Some(125));
    assert!(String::from_utf8_lossy(&again.stderr).contains("leave --restart out"));

    let result = command::output(place.nex()?.args(["--format", "json", "--", "a b", "7"]))?;
    let (out, err) = (String::from_utf8_lossy(&result.stdout), String::from_utf8_lossy(&result.stderr));
    assert_eq!(result.status.code(), Some(7), "{out}{err}");
    let expected = "process 1 of 0 in /srv with 'hello  you' and 'a b 7'\non standard error\n/dev/console\n/made\n/proc/1\n/run\nno end";
    assert_eq!(out, expected, "{err}");
    let report = report(&result.stderr)?;
    assert_eq!((&report["handedOver"], &report["end"]["code"]), (&true.into(), &7.into()), "{report}");
    assert!(place.is_clean()?);
    Ok(())
}

#[test]
#[ignore = "slow: boots a guest"]
fn one_that_switches_the_power_off_has_no_exit_code() -> Result<()> {
    let Some(place) = place(&["--pid1", "image"])? else { return Ok(()) };
    let result = command::output(place.nex()?.args(["--", "off"]))?;
    assert_eq!(result.status.code(), Some(0), "{}", String::from_utf8_lossy(&result.stderr));
    assert!(String::from_utf8_lossy(&result.stdout).starts_with("process 1 of 0 in /srv"));
    Ok(())
}
