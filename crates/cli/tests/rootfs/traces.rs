//! What `-v` and `-vv` say about a pull, and what they never say.

use nex_testkit::fault_registry::FaultRegistry;
use nex_testkit::fault_server::FaultServer;
use nex_testkit::layer::Entry;
use nex_testkit::layout::Image;
use nex_testkit::nex::{self, rootfs};
use nex_testkit::terminal::Terminal;
use nex_testkit::{Result, command, noise};

/// What lets somebody in: a password, the same as a header has it, a token, and a signature in an address.
const SECRETS: [&str; 4] = ["hunter2", "YWxpOmh1bnRlcjI=", "t0k3n-of-ali", "s1gn4ture"];

fn secrets(text: &str) -> Vec<&'static str> {
    SECRETS.into_iter().filter(|secret| text.contains(secret)).collect()
}

/// What a pull with these flags says on standard error, from a registry that asks for a token and leads to signed addresses.
fn said(flags: &[&str], log: Option<&str>) -> Result<String> {
    let directory = nex::directory()?;
    let (layout, output) = (directory.path().join("layout"), directory.path().join("image.ext4"));
    Image::of(&[vec![Entry::file("file", "content")]])?.write(&layout, "image")?;
    let tokens = FaultServer::start(|_, reply| {
        let body = r#"{"token":"t0k3n-of-ali"}"#;
        reply.head("200 OK", &[("Content-Length", &body.len().to_string()), ("Content-Type", "application/json")])?;
        reply.body(body.as_bytes())
    })?;
    let realm = format!("http://{}/token?s1gn4ture", tokens.address());
    let registry = FaultRegistry::start(&layout, move |request, content, reply| {
        if request.header("authorization") != Some("Bearer t0k3n-of-ali") {
            let challenge = format!(r#"Bearer realm="{realm}",service="s""#);
            return reply.refuse("401 Unauthorized", &[("WWW-Authenticate", &challenge)]);
        }
        if request.layer.is_some() && !request.target.contains('?') {
            let signed = format!("{}?X-Signature=s1gn4ture", request.path);
            return reply.refuse("307 Temporary Redirect", &[("Location", &signed)]);
        }
        reply.serve(request, content)
    })?;
    let mut pull = rootfs(&format!("{}/team/image:one", registry.address()), &output)?;
    pull.args(["--plain-http", "--creds", "ali:hunter2", "--cache-dir"])
        .arg(directory.path().join("cache"))
        .args(flags);
    if let Some(log) = log {
        pull.env("NEX_LOG", log);
    }
    let result = command::output(&mut pull)?;
    let said = String::from_utf8_lossy(&result.stderr).into_owned();
    assert!(result.status.success(), "{said}");
    // The way with a token and a signature was really gone.
    let was_signed = registry.requests().iter().any(|request| request.target.contains("s1gn4ture"));
    let was_shown = tokens.requests().iter().any(|request| request.header("authorization").is_some());
    assert!(was_signed && was_shown, "{said}");
    Ok(said)
}

#[test]
fn a_trace_has_the_exchanges_and_no_secret() -> Result<()> {
    let said = said(&["-vv"], None)?;
    for words in [
        "registry: GET http://",
        "/v2/team/image/manifests/one: 401 Unauthorized in ",
        "/v2/team/image/manifests/one: 200 OK in ",
        "/token: 200 OK in ",
        "with credentials or a token",
        " leads to http://",
        "cache: layers/sha256-",
        "not in the cache",
        "put into the cache",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(secrets(&said), [""; 0], "{said}");
    Ok(())
}

#[test]
fn what_is_traced_is_what_was_asked_for() -> Result<()> {
    assert!(!said(&[], None)?.contains("registry: "));
    let once = said(&["-v"], None)?;
    assert!(once.contains("200 OK in ") && once.contains("cache: ") && !once.contains("with credentials"), "{once}");
    let only = said(&[], Some("registry=debug"))?;
    assert!(only.contains("with credentials") && !only.contains("cache: "), "{only}");
    assert_eq!(secrets(&(once + &only)), [""; 0]);
    // What is typed counts more.
    let typed = said(&["-v"], Some("off"))?;
    assert!(typed.contains("200 OK in "), "{typed}");
    Ok(())
}

/// On a terminal the bars stand below the traces, and neither cuts the other.
#[test]
fn bars_and_traces_do_not_share_a_line() -> Result<()> {
    /// Bytes of each layer, which do not compress, and how many of them come before somebody has looked.
    const LAYER: usize = 8 << 20;
    const HALF: usize = 5 << 20;
    let directory = nex::directory()?;
    let (layout, output) = (directory.path().join("layout"), directory.path().join("image.ext4"));
    let layer = |name: &str, seed| vec![Entry::file(name, noise::bytes(LAYER, seed))];
    Image::of(&[layer("one", 1), layer("two", 2)])?.write(&layout, "image")?;
    let (look, looked) = std::sync::mpsc::channel::<()>();
    let looked = std::sync::Mutex::new(looked);
    let registry = FaultRegistry::start(&layout, move |request, content, reply| {
        if request.layer.is_none() {
            return reply.serve(request, content);
        }
        let (first, rest) = reply.begin(request, content)?.split_at(HALF);
        reply.body(first)?;
        // The sender goes when somebody has looked, and nobody waits any more.
        _ = looked.lock().map(|looked| looked.recv());
        reply.body(rest)
    })?;
    let mut pull = std::process::Command::new(nex::program());
    pull.args(["rootfs", "--plain-http", "-vv", "--image", &format!("{}/team/image:one", registry.address())]);
    pull.arg("--agent")
        .arg(nex::agent()?)
        .arg("--cache-dir")
        .arg(directory.path().join("cache"))
        .arg("-o")
        .arg(&output);
    let mut terminal = Terminal::new(200, 200)?;
    let mut nex = terminal.start(&pull)?;
    let is_bar = |line: &String| line.starts_with("layer ") && line.contains("iB of ");
    let is_trace = |line: &String| line.starts_with('[') && line.contains(" s] ");
    // A layer that has come in part, and traces of before it. All bars stand together, below all that was said.
    let lines = terminal.shows(|lines| lines.last().is_some_and(is_bar))?;
    let bars = lines.iter().filter(|line| is_bar(line)).count();
    assert!(lines.len() > bars && lines[..lines.len() - bars].iter().all(is_trace), "{lines:#?}");
    drop(look);
    // In the end no bar is left, and all that was said stands there whole, in front of the report.
    let lines = terminal.shows(|lines| lines.iter().any(|line| line.starts_with("time ")))?;
    assert_eq!(nex.wait()?.code(), Some(0), "{lines:#?}");
    let traces = lines.iter().take_while(|line| is_trace(line)).count();
    assert!(traces > 5 && !lines[traces..].iter().any(is_trace), "{lines:#?}");
    assert!(!lines.iter().any(|line| line.contains("iB of ")), "{lines:#?}");
    // The screen shows it where a trace is written over a bar.
    let mut torn = std::process::Command::new("sh");
    torn.args(["-c", "printf 'layer 1   [###] 10.0 KiB of 20.0 KiB\\r[0.1 s] registry: GET\\n'"]);
    let mut terminal = Terminal::new(24, 80)?;
    terminal.start(&torn)?.wait()?;
    terminal.shows(|lines| lines.iter().any(|line| is_trace(line) && line.contains("iB of ")))?;
    Ok(())
}

#[test]
fn what_is_no_choice_of_traces_is_refused() -> Result<()> {
    let mut nex = std::process::Command::new(nex::program());
    let result = command::output(nex.arg("version").env("NEX_LOG", "registry=loud"))?;
    let said = String::from_utf8_lossy(&result.stderr).into_owned();
    assert!(result.status.code() == Some(2) && said.contains("NEX_LOG") && said.contains("registry=debug"), "{said}");
    Ok(())
}
