//! The commands about guests that are there, with one that boots (`tests/guests` has them with a supervisor that is played).

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nex_testkit::nex::program;
use nex_testkit::terminal::Terminal;
use nex_testkit::{Failure, Result, command};
use serde_json::json;

use crate::place::Place;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// What the guest runs.
const WORKLOAD: &str = "trap 'echo stopping; exit 7' TERM; echo up; echo too >&2; while :; do sleep 1; done";

/// The guest of a test. It ends with the test, however that ends.
struct Web<'a>(&'a Place);

impl Drop for Web<'_> {
    fn drop(&mut self) {
        drop(nex(self.0, &["rm", "--force", "web"]).status());
    }
}

/// A command about the guests of this place.
fn nex(place: &Place, arguments: &[&str]) -> Command {
    let mut nex = Command::new(program());
    nex.env_clear().env("XDG_STATE_HOME", place.path("state")).args(arguments);
    nex
}

/// Its exit code, and what it writes to both outputs.
fn result(place: &Place, arguments: &[&str]) -> Result<(Option<i32>, String, String)> {
    let output = command::output(&mut nex(place, arguments))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((output.status.code(), text(&output.stdout), text(&output.stderr)))
}

/// Reads what follows a guest until these words come.
fn followed_until(place: &Place, words: &str) -> Result<()> {
    let mut nex = nex(place, &["logs", "--follow", "web"]).stdout(Stdio::piped()).spawn()?;
    let stdout = nex.stdout.take().ok_or_else(|| Failure::new("no output"))?;
    let found = BufReader::new(stdout).lines().map_while(std::result::Result::ok).any(|line| line == words);
    nex.kill()?;
    nex.wait()?;
    if found { Ok(()) } else { Err(Failure::new(format!("the output ends without {words}"))) }
}

#[test]
fn a_guest_is_talked_with_listed_and_ended() -> Result<()> {
    let Some(place) = Place::new(json!({}))? else { return Ok(()) };
    let mut run = place.script(&["-d", "--name", "web"], WORKLOAD)?;
    let _web = Web(&place);
    let id = command::run(run.env("XDG_STATE_HOME", place.path("state")))?;
    let id = String::from_utf8(id)?.trim().to_owned();
    followed_until(&place, "up")?;
    let (_, listed, _) = result(&place, &["ps"])?;
    assert!(listed.contains(&id[..8]) && listed.contains(" web ") && listed.contains(" running "), "{listed}");

    let script = "echo out $A $(pwd) $(id -un); echo err >&2; exit 5";
    let ran = result(&place, &["exec", "-e", "A=b", "-w", "/bin", "-u", "web", &id[..9], "--", "sh", "-c", script])?;
    assert_eq!(ran, (Some(5), "out b /bin web\n".into(), "err\n".into()));
    assert_eq!(result(&place, &["exec", "web", "sh", "-c", "kill -9 $$"])?.0, Some(137));
    assert_eq!(result(&place, &["exec", "web", "--", "/no/such"])?.0, Some(127));
    assert_eq!(result(&place, &["exec", "web", "--", "/etc/passwd"])?.0, Some(126));

    let mut head = Command::new("head").args(["-c", "4M", "/dev/zero"]).stdout(Stdio::piped()).spawn()?;
    let zeros = head.stdout.take().ok_or_else(|| Failure::new("no output"))?;
    let counted = command::run(nex(&place, &["exec", "-i", "web", "--", "busybox", "wc", "-c"]).stdin(zeros))?;
    assert_eq!(String::from_utf8_lossy(&counted).trim(), (4 << 20).to_string());
    head.wait()?;

    // The caller's client is killed, and what it has started ends.
    let mut killed = nex(&place, &["exec", "web", "--", "sh", "-c", "sleep 12345 & echo up; wait"])
        .stdout(Stdio::piped())
        .spawn()?;
    let mut line = String::new();
    BufReader::new(killed.stdout.take().ok_or_else(|| Failure::new("no output"))?).read_line(&mut line)?;
    let has_sleep = || -> Result<bool> {
        let (_, lines, _) = result(&place, &["exec", "web", "--", "sh", "-c", "cat /proc/[0-9]*/cmdline"])?;
        Ok(lines.contains("sleep\x0012345\0"))
    };
    assert!(line == "up\n" && has_sleep()?);
    killed.kill()?;
    assert_eq!(killed.wait()?.signal(), Some(9));
    let start = Instant::now();
    while has_sleep()? {
        assert!(start.elapsed() < PATIENCE, "it runs on");
    }

    let mut terminal = Terminal::new(31, 97)?;
    let mut shell = terminal.start(&nex(&place, &["shell", "web"]))?;
    terminal.until("# ")?;
    terminal.types("echo an'swer' $TERM $SHELL $(busybox stty size)")?;
    terminal.until("answer vt102 /bin/sh 31 97")?;
    terminal.types("echo sle'eps'; sleep 12345")?;
    terminal.until("sleeps")?;
    std::thread::sleep(Duration::from_millis(500));
    terminal.types("\u{3}")?;
    terminal.types("exit 7")?;
    assert_eq!(shell.wait()?.code(), Some(7));
    assert!(terminal.is_cooked()?);

    let mut attached = nex(&place, &["attach", "web"]).stdout(Stdio::piped()).stdin(Stdio::piped()).spawn()?;
    let waits = nex(&place, &["wait", "web"]).stdout(Stdio::piped()).spawn()?;
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(result(&place, &["stop", "web"])?, (Some(0), "web\n".into(), String::new()));
    assert_eq!(waits.wait_with_output()?.stdout, b"7\n");
    drop(attached.stdin.take().map(|mut stdin| stdin.write_all(b"unread")));
    let attached = attached.wait_with_output()?;
    assert_eq!((attached.status.code(), String::from_utf8_lossy(&attached.stdout).as_ref()), (Some(7), "stopping\n"));

    let (_, inspected, _) = result(&place, &["inspect", "--format", "json", "web"])?;
    let inspected: serde_json::Value = serde_json::from_str(&inspected)?;
    assert_eq!(
        [&inspected["id"], &inspected["reason"], &inspected["exit_code"]],
        [&json!(id), &json!("stopped"), &json!(7)]
    );
    let (code, out, err) = result(&place, &["logs", "web"])?;
    // The shell itself has a word on the end of what it waits for.
    assert!(code == Some(0) && out == "up\nstopping\n" && err.starts_with("too\n"), "{out}{err}");
    assert_eq!(result(&place, &["exec", "web", "--", "true"])?.0, Some(125));
    assert_eq!(result(&place, &["rm", "web"])?.1, "web\n");
    assert_eq!(result(&place, &["ps", "-aq"])?.1, "");
    assert!(place.is_clean()?);
    Ok(())
}

#[test]
fn a_client_in_python_starts_a_guest() -> Result<()> {
    let Some(place) = Place::new(json!({}))? else { return Ok(()) };
    let run = place.script(&["--name", "web"], WORKLOAD)?;
    let _web = Web(&place);
    let client = |arguments: &[&str]| {
        let mut client = Command::new("python3");
        client.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/guest-client.py")).args(arguments);
        client.envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
        client.env("XDG_STATE_HOME", place.path("state"));
        client
    };
    let id = command::run(client(&["run", program()]).args(run.get_args().skip(1)))?;
    followed_until(&place, "up")?;
    assert_eq!(result(&place, &["ps", "-q"])?.1, String::from_utf8_lossy(&id));
    let ran = command::output(&mut client(&["exec", "web", "sh", "-c", "echo $((6 * 7)); exit 3"]))?;
    assert_eq!((ran.status.code(), ran.stdout.as_slice()), (Some(3), &b"42\n"[..]));
    let follows = client(&["follow", "web"]).stdout(Stdio::piped()).spawn()?;
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(result(&place, &["stop", "web"])?, (Some(0), "web\n".into(), String::new()));
    let followed = follows.wait_with_output()?;
    assert_eq!((followed.status.code(), followed.stdout.as_slice()), (Some(7), &b"stopping\n"[..]));
    assert_eq!(result(&place, &["wait", "web"])?.1, "7\n");
    Ok(())
}
