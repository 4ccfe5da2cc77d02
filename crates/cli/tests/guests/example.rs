//! A client of another language: `examples/guest-client.py`.

use std::process::Command;

use nex_supervise::Reason;
use nex_testkit::{Result, command};

use crate::world::World;

#[test]
fn a_client_in_python_executes_and_follows() -> Result<()> {
    let world = World::new()?;
    let web = world.guest("web")?;
    let client = |arguments: &[&str]| {
        let nex = world.nex(&[]);
        let mut client = Command::new("python3");
        client.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/guest-client.py")).args(arguments);
        client
            .env_clear()
            .envs(nex.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .env("PATH", "/usr/bin:/bin");
        let output = command::output(&mut client)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Result::Ok((output.status.code(), text(&output.stdout), text(&output.stderr)))
    };
    // More than a window.
    let script = "head -c 300000 /dev/zero | tr '\\0' x; echo err >&2; exit 7";
    let (code, out, err) = client(&["exec", "web", "sh", "-c", script])?;
    assert_eq!((code, out.len(), err.as_str()), (Some(7), 300_000, "err\n"));
    assert_eq!(client(&["exec", web.id.as_str(), "sh", "-c", "kill -9 $$"])?.0, Some(137));
    assert_eq!(client(&["follow", "web"])?, (Some(5), "up\n".into(), String::new()));
    let refused = client(&["exec", "web", "refused"])?;
    assert_eq!((refused.0, refused.2.as_str()), (Some(1), "'it is \\x1b[1mrefused'\n"));

    web.refuses("supervisor-too-many", "too many clients", "wait");
    assert_eq!(client(&["exec", "web", "true"])?, (Some(1), String::new(), "'too many clients'\n".into()));
    let job = world.guest("job")?;
    let ending = std::thread::spawn(move || {
        std::thread::sleep(std::time::Duration::from_millis(300));
        job.ends(Reason::Exited { code: 3 });
    });
    let (code, out, _) = client(&["events", "job"])?;
    drop(ending.join());
    let events = out.lines().map(serde_json::from_str).collect::<std::result::Result<Vec<serde_json::Value>, _>>()?;
    let names: Vec<_> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!((code, names.as_slice()), (Some(0), &["created", "up", "ended"][..]));
    Ok(())
}
