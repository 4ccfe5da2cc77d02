//! A program in a root that the guest's kernel checks, by a hash tree in a file of its own; and standard input that goes nowhere.

use std::fs::{self, File};

use nex_testkit::{Result, command, nex};
use serde_json::{Value, json};

use crate::place::{Place, report};

#[test]
fn a_root_is_checked_beneath_its_overlay_and_input_that_goes_nowhere_is_told() -> Result<()> {
    let Some(place) = Place::new(json!({}))? else { return Ok(()) };
    let layout = format!("oci:{}:image", place.path("layout").display());
    let mut build = nex::rootfs(&layout, &place.root())?;
    build.args(["--size", "64MiB", "--format", "json", "--verity-file"]).arg(place.path("tree.verity"));
    let sealed: Value = serde_json::from_slice(&command::run(&mut build)?)?;
    let root_hash = sealed["verity"]["rootHash"].as_str().unwrap_or_default();

    fs::write(place.path("input"), "nobody reads this\n")?;
    let script = "cat; cat /sys/block/dm-0/ro; cat /sys/block/dm-0/dm/name; echo changed > /bin/new && cat /bin/new";
    let tree = place.path("tree.verity").display().to_string();
    let mut run = place.script(&["--format", "json", "--root-hash", root_hash, "--verity", &tree], script)?;
    run.stdin(File::open(place.path("input"))?);
    let result = command::output(&mut run)?;
    let said = String::from_utf8_lossy(&result.stderr).into_owned();
    assert_eq!(result.status.code(), Some(0), "{said}");
    assert_eq!(String::from_utf8_lossy(&result.stdout), "1\nrootfs\nchanged\n", "{said}");
    assert_eq!(said.matches("warning: standard input is not passed on").count(), 1, "{said}");
    let line = report(&result.stderr)?["commandLine"].as_str().unwrap_or_default().to_owned();
    assert!(
        line.contains(root_hash) && line.contains("/dev/vda /dev/vdb 4096") && line.contains("root=/dev/dm-0"),
        "{line}"
    );
    assert!(place.is_clean()?);
    Ok(())
}
