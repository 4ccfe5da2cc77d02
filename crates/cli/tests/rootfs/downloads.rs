//! Layers of a registry on their way: several at once, over connections that break, from servers that fail and lie.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use nex_testkit::fault_registry::{FaultRegistry, Request};
use nex_testkit::fault_server::Reply;
use nex_testkit::layer::Entry;
use nex_testkit::layout::{Compression, Image};
use nex_testkit::nex::{self, failed, rootfs};
use nex_testkit::registry::{Protection, Registry};
use nex_testkit::{Failure, Result, command, fsck, noise, skopeo};
use tempfile::TempDir;

/// Layers of the image.
const LAYERS: usize = 7;
/// Bytes of a layer's file: more than what waits in sockets and buffers.
const LENGTH: usize = 1 << 20;
/// How long a server waits for what must happen. Only a failing test takes so long.
const PATIENCE: Duration = Duration::from_secs(60);
/// Connections for layers that nex opens at once.
const CONNECTIONS: usize = 4;

/// An image of several layers, each of which changes what the one below brought, as a layout and as nex builds it.
struct Sample {
    directory: TempDir,
    expected: Vec<u8>,
}

impl Sample {
    fn new() -> Result<Self> {
        let layer = |number: usize| {
            let name = format!("file-{number}");
            vec![Entry::file("common", &name), Entry::file(name, noise::bytes(LENGTH, number as u64 + 1))]
        };
        let sample = Self { directory: nex::directory()?, expected: Vec::new() };
        let image = Image::of(&Vec::from_iter((0..LAYERS).map(layer)))?.compressed(Compression::None);
        image.write(&sample.layout(), "image")?;
        let built = sample.directory.path().join("expected.ext4");
        nex::build(&format!("oci:{}:image", sample.layout().display()), &built)?;
        Ok(Self { expected: fs::read(&built)?, ..sample })
    }

    fn layout(&self) -> PathBuf {
        self.directory.path().join("layout")
    }

    fn output(&self) -> PathBuf {
        self.directory.path().join("out.ext4")
    }

    fn cache(&self) -> PathBuf {
        self.directory.path().join("cache")
    }

    fn serve(
        &self,
        answer: impl Fn(&Request, &[u8], &mut Reply) -> io::Result<()> + Send + Sync + 'static,
    ) -> Result<FaultRegistry> {
        FaultRegistry::start(&self.layout(), answer)
    }

    fn pull(&self, registry: &FaultRegistry) -> Result<Command> {
        let mut pull = rootfs(&format!("{}/team/image:one", registry.address()), &self.output())?;
        pull.args(["--size", "auto", "--plain-http"]);
        Ok(pull)
    }

    /// The build without a cache succeeds, with the bytes that a layout gives.
    fn is_pulled(&self, registry: &FaultRegistry) -> Result<()> {
        command::run(self.pull(registry)?.arg("--no-cache"))?;
        assert!(fs::read(self.output())? == self.expected, "the bytes depend on the way");
        Ok(())
    }

    /// The same with an empty cache, and then with that cache and no registry.
    fn is_pulled_and_kept(&self, registry: &FaultRegistry) -> Result<()> {
        for flags in [&[][..], &["--offline"]] {
            command::run(self.pull(registry)?.arg("--cache-dir").arg(self.cache()).args(flags))?;
            assert!(fs::read(self.output())? == self.expected, "the bytes depend on the way ({flags:?})");
            // Only the blobs are to be believed.
            fs::remove_dir_all(self.cache().join("v1/layers"))?;
        }
        fs::remove_dir_all(self.cache())?;
        Ok(())
    }

    /// The build fails with exit code 1 and all of `words`, and leaves nothing.
    fn is_refused(&self, registry: &FaultRegistry, words: &[&str]) -> Result<()> {
        nex::fails(self.pull(registry)?.arg("--no-cache"), self.directory.path(), words)
    }
}

/// What has happened, for those who wait for it.
#[derive(Default)]
struct Events {
    happened: Mutex<BTreeMap<String, usize>>,
    changed: Condvar,
}

impl Events {
    fn note(&self, event: impl Into<String>) {
        *self.happened.lock().unwrap_or_else(PoisonError::into_inner).entry(event.into()).or_default() += 1;
        self.changed.notify_all();
    }

    /// Waits for all of them.
    fn wait(&self, events: &[&str]) -> io::Result<()> {
        let happened = self.happened.lock().unwrap_or_else(PoisonError::into_inner);
        let is_missing =
            |happened: &mut BTreeMap<String, usize>| events.iter().any(|event| !happened.contains_key(*event));
        let waited = self.changed.wait_timeout_while(happened, PATIENCE, is_missing);
        let timed_out = waited.unwrap_or_else(PoisonError::into_inner).1.timed_out();
        if timed_out { Err(io::Error::other(format!("not all of {events:?} happened"))) } else { Ok(()) }
    }
}

/// The second half of the lowest layer is sent when layers above it have wholly arrived, the upper ones first.
#[test]
fn layers_arrive_at_once_and_the_order_of_arrival_changes_nothing() -> Result<()> {
    let sample = Sample::new()?;
    fsck::judge(&sample.directory.path().join("expected.ext4"))?;
    let open = Arc::new((AtomicUsize::new(0), AtomicUsize::new(0)));
    for cached in [false, true] {
        let (events, counts) = (Arc::new(Events::default()), Arc::clone(&open));
        let registry = sample.serve(move |request, content, reply| {
            let Some(layer) = request.layer else { return reply.serve(request, content) };
            let now = counts.0.fetch_add(1, Ordering::SeqCst) + 1;
            counts.1.fetch_max(now, Ordering::SeqCst);
            let (first, second) = reply.begin(request, content)?.split_at(LENGTH / 2);
            reply.body(first)?;
            events.note(format!("asked for {layer}"));
            match layer {
                // All others, although there are more of them than connections.
                0 => events.wait(&["sent 1", "sent 2", "sent 3", "sent 4", "sent 5", "sent 6"])?,
                1 => events.wait(&["sent 2"])?,
                2 => events.wait(&["sent 3"])?,
                3 => events.wait(&["asked for 0", "asked for 1", "asked for 2"])?,
                _ => {}
            }
            // Before the client can open the next connection.
            counts.0.fetch_sub(1, Ordering::SeqCst);
            reply.body(second)?;
            events.note(format!("sent {layer}"));
            Ok(())
        })?;
        match cached {
            false => sample.is_pulled(&registry)?,
            true => sample.is_pulled_and_kept(&registry)?,
        }
        let layers: Vec<usize> = registry.requests().iter().filter_map(|request| request.layer).collect();
        assert_eq!(layers.len(), LAYERS, "each layer is asked for once: {layers:?}");
    }
    assert_eq!(open.1.load(Ordering::SeqCst), CONNECTIONS, "connections at once");
    Ok(())
}

/// Layers ahead of their turn are not in memory: while the lowest one is held back, a large one arrives wholly.
#[test]
fn layers_that_wait_take_no_memory() -> Result<()> {
    const LARGE: usize = 64 << 20;
    const MEMORY_KIB: u64 = 32 << 10;
    let directory = nex::directory()?;
    let (layout, output) = (directory.path().join("layout"), directory.path().join("out.ext4"));
    let layers =
        [vec![Entry::file("small", noise::bytes(LENGTH, 1))], vec![Entry::file("large", noise::bytes(LARGE, 2))]];
    Image::of(&layers)?.compressed(Compression::None).write(&layout, "image")?;
    let events = Arc::new(Events::default());
    let server = Arc::clone(&events);
    let registry = FaultRegistry::start(&layout, move |request, content, reply| {
        let (first, second) = reply.begin(request, content)?.split_at(content.len() / 2);
        reply.body(first)?;
        if request.layer == Some(0) {
            server.wait(&["measured"])?;
        }
        reply.body(second)?;
        request.layer.into_iter().for_each(|layer| server.note(format!("sent {layer}")));
        Ok(())
    })?;
    let mut pull = rootfs(&format!("{}/team/image:one", registry.address()), &output)?;
    pull.args(["--size", "auto", "--plain-http", "--no-cache"]).stdout(Stdio::null()).stderr(Stdio::piped());
    let build = pull.spawn()?;
    events.wait(&["sent 1"])?;
    let status = fs::read_to_string(format!("/proc/{}/status", build.id()))?;
    events.note("measured");
    let result = build.wait_with_output()?;
    assert!(result.status.success(), "{}", String::from_utf8_lossy(&result.stderr));
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")?.strip_suffix("kB"));
    let kib: u64 = line.and_then(|kib| kib.trim().parse().ok()).ok_or_else(|| Failure::new(status.clone()))?;
    assert!(kib < MEMORY_KIB, "{kib} KiB");
    fsck::check(&output)
}

#[test]
fn connections_that_break_go_on_at_the_right_byte() -> Result<()> {
    let sample = Sample::new()?;
    for cached in [false, true] {
        let registry = sample.serve(|request, content, reply| {
            let body = reply.begin(request, content)?;
            let cut = if request.layer.is_some() { body.len().min(2 * LENGTH / 3) } else { body.len() };
            reply.body(&body[..cut])
        })?;
        match cached {
            false => sample.is_pulled(&registry)?,
            true => sample.is_pulled_and_kept(&registry)?,
        }
        for (layer, sent) in registry.sent() {
            assert!(sent < 2 * LENGTH as u64, "{sent} bytes of layer {layer} were sent");
        }
        let resumed = registry.requests().iter().filter(|request| request.first() > 0).count();
        assert!(resumed == LAYERS, "{resumed} ranges were asked for");
    }
    Ok(())
}

/// The real server's ranges, behind something that cuts every connection.
#[test]
fn a_real_registry_gives_the_rest_of_what_was_cut() -> Result<()> {
    const CUT: u64 = 2 * LENGTH as u64 / 3;
    let sample = Sample::new()?;
    let registry = Registry::start(Protection::Open)?;
    skopeo::push(&format!("oci:{}:image", sample.layout().display()), &registry, "team/image:one")?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let (cutter, server) = (listener.local_addr()?, registry.address());
    let passed = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&passed);
    // It ends with the process.
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let counter = Arc::clone(&counter);
            thread::spawn(move || -> io::Result<()> {
                let (upstream, mut requests) = (TcpStream::connect(server)?, client.try_clone()?);
                let mut forward = upstream.try_clone()?;
                thread::spawn(move || io::copy(&mut requests, &mut forward));
                counter.fetch_add(io::copy(&mut (&upstream).take(CUT), &mut &client)?, Ordering::SeqCst);
                upstream.shutdown(Shutdown::Both)?;
                client.shutdown(Shutdown::Both)
            });
        }
    });
    let mut pull = rootfs(&format!("{cutter}/team/image:one"), &sample.output())?;
    command::run(pull.args(["--size", "auto", "--plain-http", "--no-cache"]))?;
    assert!(fs::read(sample.output())? == sample.expected);
    let (passed, all) = (passed.load(Ordering::SeqCst), (LAYERS * LENGTH) as u64);
    assert!(passed < 2 * all, "{passed} bytes for layers of {all}");
    Ok(())
}

/// What a server does with a request for a range of a layer.
type RangeAnswer = fn(&Request, &[u8], &mut Reply) -> io::Result<()>;

#[test]
fn servers_that_do_not_give_ranges_are_asked_for_all() -> Result<()> {
    let sample = Sample::new()?;
    let answers: [RangeAnswer; 3] = [
        |_, content, reply| {
            reply.head("200 OK", &[("Content-Length", &content.len().to_string())])?;
            reply.body(content)
        },
        |_, _, reply| reply.refuse("416 Range Not Satisfiable", &[]),
        // A range, and another one than the one that was asked for.
        |_, content, reply| {
            let range = format!("bytes 5-9/{}", content.len());
            reply.head("206 Partial Content", &[("Content-Length", "5"), ("Content-Range", &range)])?;
            reply.body(&content[5..10])
        },
    ];
    for answer in answers {
        let registry = sample.serve(move |request, content, reply| {
            if request.first() > 0 {
                return answer(request, content, reply);
            }
            let body = reply.begin(request, content)?;
            let is_cut = request.layer.is_some() && request.earlier == 0;
            reply.body(&body[..if is_cut { LENGTH / 2 } else { body.len() }])
        })?;
        sample.is_pulled(&registry)?;
    }
    Ok(())
}

#[test]
fn a_range_with_other_bytes_than_it_says_is_found_out() -> Result<()> {
    let sample = Sample::new()?;
    let registry = sample.serve(|request, content, reply| {
        if request.first() > 0 {
            return reply.serve(request, &Vec::from_iter(content.iter().rev().copied()));
        }
        let body = reply.begin(request, content)?;
        reply.body(&body[..if request.layer == Some(2) { LENGTH / 2 } else { body.len() }])
    })?;
    sample.is_refused(&registry, &["layer 3", "is not what its digest says"])
}

#[test]
fn a_resumption_is_redirected_anew_and_takes_no_credentials_along() -> Result<()> {
    let sample = Sample::new()?;
    let storage = sample.serve(|request, content, reply| {
        let body = reply.begin(request, content)?;
        reply.body(&body[..body.len().min(LENGTH / 2)])
    })?;
    let elsewhere = storage.address();
    let registry = sample.serve(move |request, content, reply| {
        if !request.headers.contains_key("authorization") {
            return reply.refuse("401 Unauthorized", &[("WWW-Authenticate", "Basic realm=r")]);
        }
        let Some(layer) = request.layer else { return reply.serve(request, content) };
        // Every link is good for one request.
        let (_, digest) = request.path.rsplit_once('/').unwrap_or_default();
        let link = format!("http://{elsewhere}/storage/{layer}-{}/{digest}?signature=secret", request.earlier);
        reply.refuse("307 Temporary Redirect", &[("Location", &link)])
    })?;
    let auth = sample.directory.path().join("auth.json");
    fs::write(&auth, format!(r#"{{"auths": {{"{}": {{"auth": "YWxpOm9wZW4="}}}}}}"#, registry.address()))?;
    command::run(sample.pull(&registry)?.env("REGISTRY_AUTH_FILE", &auth).arg("--no-cache"))?;
    assert!(fs::read(sample.output())? == sample.expected);
    let requests = storage.requests();
    assert!(requests.iter().all(|request| !request.headers.contains_key("authorization")));
    assert!(requests.iter().all(|request| request.earlier == 0), "an old link was used again");
    assert!(requests.iter().any(|request| request.first() > 0));
    Ok(())
}

#[test]
fn failures_that_pass_are_waited_for() -> Result<()> {
    let sample = Sample::new()?;
    let registry = sample.serve(|request, content, reply| match (request.layer, request.earlier) {
        (None, 0) => reply.refuse("503 Service Unavailable", &[("Retry-After", "0")]),
        (Some(0), 0) => reply.refuse("429 Too Many Requests", &[("Retry-After", "1")]),
        (Some(1), 0) => reply.refuse("500 Internal Server Error", &[]),
        (Some(2), 0) => Ok(()),
        _ => reply.serve(request, content),
    })?;
    sample.is_pulled(&registry)
}

/// The lowest layer that fails is the one that is told, whatever else fails before, and nothing is waited for afterwards.
#[test]
fn the_lowest_layer_that_fails_is_the_error() -> Result<()> {
    let sample = Sample::new()?;
    let events = Arc::new(Events::default());
    let server = Arc::clone(&events);
    let registry = sample.serve(move |request, content, reply| match request.layer {
        Some(0) => {
            let (first, second) = reply.begin(request, content)?.split_at(LENGTH / 2);
            reply.body(first)?;
            server.wait(&["asked for 1", "asked for 2", "asked for 3"])?;
            reply.body(second)
        }
        Some(3) => {
            // It begins, and then nothing comes any more.
            let body = reply.begin(request, content)?;
            reply.body(&body[..LENGTH / 2])?;
            server.note("asked for 3");
            server.wait(&["ended"])
        }
        Some(layer) => {
            server.note(format!("asked for {layer}"));
            reply.refuse(if layer == 2 { "400 Bad Request" } else { "404 Not Found" }, &[])
        }
        None => reply.serve(request, content),
    })?;
    let result = command::output(sample.pull(&registry)?.arg("--no-cache"))?;
    failed(&result, &["layer 2", "is missing"])?;
    events.note("ended");
    assert!(!sample.output().exists());
    Ok(())
}
