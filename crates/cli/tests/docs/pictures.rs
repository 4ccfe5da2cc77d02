//! The pictures are what their scripts draw of what the pages say.

use std::process::Command;

use nex_testkit::{Result, command, places};

use crate::pages;

/// A script, and the picture that it writes to standard output.
const PICTURES: [(&str, &str); 2] = [("docs/draw-flow", "docs/flow.svg"), ("docs/draw-speed", "docs/speed.svg")];

#[test]
fn pictures_are_what_the_scripts_draw() -> Result<()> {
    for (script, picture) in PICTURES {
        let drawn =
            command::run(Command::new(places::workspace().join(script)).env_clear().env("PATH", "/usr/bin:/bin"))?;
        let there = pages::read(picture)?;
        assert!(drawn == there.as_bytes(), "{picture} is not what {script} draws; {script} >{picture} renews it");
    }
    Ok(())
}
