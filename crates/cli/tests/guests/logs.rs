//! `nex logs`: output that is kept.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use nex_supervise::spool::Stream::{Err, Out};
use nex_supervise::{Mode, Reason, UnixMillis};
use nex_testkit::{Failure, Result};

use crate::world::World;

const EXITED: Reason = Reason::Exited { code: 0 };

#[test]
fn output_comes_out_where_it_went_in_byte_for_byte() -> Result<()> {
    let world = World::new()?;
    world.ended("job", EXITED, &[(Out, "one\n"), (Err, "\u{1b}[31mtwo\n"), (Out, "thr"), (Out, "ee")])?;
    let (code, out, err) = world.result(&["logs", "job"])?;
    assert_eq!((code, out.as_str(), err.as_str()), (Some(0), "one\nthree", "\u{1b}[31mtwo\n"));
    assert_eq!(world.result(&["logs", "--stdout", "job"])?.2, "");
    assert_eq!(world.result(&["logs", "--stderr", "job"])?.1, "");
    let (code, _, err) = world.result(&["logs", "nobody"])?;
    assert!(code == Some(1) && err.starts_with("error: no guest"), "{err}");
    Ok(())
}

#[test]
fn what_is_kept_nowhere_cannot_be_shown() -> Result<()> {
    let world = World::new()?;
    let web = world.guest_of("web", Mode::default())?;
    let (code, _, err) = world.result(&["logs", "web"])?;
    let expected =
        format!("error: the guest {} runs in the foreground, so that its output is kept nowhere; attach to it", web.id);
    assert!(code == Some(1) && err.starts_with(&expected), "{err}");
    Ok(())
}

#[test]
fn the_last_lines_and_those_since_a_moment() -> Result<()> {
    let world = World::new()?;
    let web = world.guest("web")?;
    let ago = |seconds: u64| UnixMillis(UnixMillis::now().0 - seconds * 1000);
    web.writes_at(Out, "a\nb\n", ago(600));
    web.writes_at(Err, "c\n", ago(60));
    web.writes_at(Out, "d\ne", ago(1));
    let shown = |arguments: &[&str]| {
        world.result(&[&["logs", "web"], arguments].concat()).map(|(_, out, err)| out + "|" + &err)
    };
    assert_eq!(shown(&[])?, "a\nb\nd\ne|c\n");
    assert_eq!(shown(&["-n", "1"])?, "e|");
    assert_eq!(shown(&["--tail", "3"])?, "d\ne|c\n");
    assert_eq!(shown(&["--tail", "3", "--stdout"])?, "b\nd\ne|");
    assert_eq!(shown(&["--tail", "0"])?, "|");
    assert_eq!(shown(&["--since", "5m"])?, "d\ne|c\n");
    assert_eq!(shown(&["--since", "@1"])?, "a\nb\nd\ne|c\n");
    assert_eq!(shown(&["--since", "5m", "-n", "2"])?, "d\ne|");
    Ok(())
}

#[test]
fn who_follows_sees_what_comes_and_ends_with_the_guest() -> Result<()> {
    let world = World::new()?;
    let web = world.guest("web")?;
    web.writes(Out, "first\n");
    let mut nex = world.nex(&["logs", "-f", "web"]).stdout(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(nex.stdout.take().ok_or_else(|| Failure::new("no output"))?).lines();
    let mut next = || lines.next().transpose();
    assert_eq!(next()?.as_deref(), Some("first"));
    for text in ["second", "third"] {
        web.writes(Out, &format!("{text}\n"));
        assert_eq!(next()?.as_deref(), Some(text));
    }
    web.writes(Out, "last\n");
    web.ends(EXITED);
    assert_eq!((next()?.as_deref(), next()?), (Some("last"), None));
    assert!(nex.wait()?.success());
    // Of one that has ended, all is there.
    assert_eq!(world.text(&["logs", "-f", "web"])?.lines().count(), 4);
    Ok(())
}

#[test]
fn what_is_lost_is_said_once_where_it_was() -> Result<()> {
    let world = World::new()?;
    let web = world.guest("web")?;
    // More than is kept.
    let line = format!("{}\n", "x".repeat(65_535));
    (0..300).for_each(|_| web.writes(Out, &line));
    web.writes(Out, "end\n");
    let (code, out, err) = world.result(&["logs", "web"])?;
    assert!(code == Some(0) && out.ends_with("x\nend\n") && out.len() < 17 << 20, "{} bytes", out.len());
    assert!(
        err.starts_with("warning: ") && err.contains("of output are lost here") && err.lines().count() == 1,
        "{err}"
    );
    assert_eq!(world.result(&["logs", "-n", "1", "web"])?, (Some(0), "end\n".into(), String::new()));
    Ok(())
}
