//! Servers that take their time: whatever they send meanwhile, documents and tokens end with their total time, and blobs with
//! their least throughput.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use nex_registry::transport::{self, Security, Throughput};
use nex_registry::{Digest, Error, Options};
use nex_testkit::http_server::{Request, Server, answer};

use crate::support::{Repository as _, connect, shown};

/// The time for documents, and for the least throughput.
const SHORT: Duration = Duration::from_millis(500);
/// What ends only by mistake: the test itself would take longer.
const LONG: Duration = Duration::from_secs(20);
/// Between two pieces: shorter than any time after which a connection counts as dead.
const PAUSE: Duration = Duration::from_millis(20);

/// What a server repeats until nobody listens, behind what it begins with.
fn drip(start: &'static str, again: &'static str) -> Server {
    Server::start_slow(move |_, stream| drip_into(stream, start.as_bytes(), again.as_bytes()))
}

fn drip_into(stream: &mut dyn Write, start: &[u8], again: &[u8]) -> io::Result<()> {
    stream.write_all(start)?;
    let begin = Instant::now();
    while begin.elapsed() < 2 * LONG {
        stream.write_all(again)?;
        stream.flush()?;
        thread::sleep(PAUSE);
    }
    Ok(())
}

/// Short of time, as these tests are; one attempt after another.
fn in_short_time(options: &mut Options) {
    options.transport.timeouts.document = Some(SHORT);
    options.transport.timeouts.blob = Some(Throughput { bytes: 1024, time: SHORT });
}

/// The failure of something that must end soon.
fn soon<T>(what: &str, work: impl FnOnce() -> Result<T, Error>) -> Error {
    let start = Instant::now();
    let Err(error) = work() else { panic!("{what}: it succeeds") };
    assert!(start.elapsed() < LONG / 2, "{what}: ends after {:?}: {error}", start.elapsed());
    error
}

fn read_blob(server: &Server, size: u64) -> Result<Vec<u8>, Error> {
    let mut content = Vec::new();
    let mut reader = server.repository(in_short_time).blob(&Digest::sha256(b""), Some(size))?;
    match reader.read_to_end(&mut content) {
        Ok(_) => Ok(content),
        Err(error) => Err(error.downcast::<Error>().expect("a typed error inside")),
    }
}

const HEAD: &str = "HTTP/1.1 200 OK\r\n";

#[test]
fn a_document_ends_with_its_time_whatever_drips() {
    for (what, start, again) in [
        ("a body", "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", "a"),
        ("a body without a length", "HTTP/1.1 200 OK\r\n\r\n", "a"),
        ("a chunk's extension", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", "a"),
        ("chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\na\r\n"),
        ("the status", "", "H"),
        ("a header", "HTTP/1.1 200 OK\r\nX: ", "a"),
        ("early hints", "", "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"),
        ("continue", "", "HTTP/1.1 100 Continue\r\n\r\n"),
        ("an error's words", "HTTP/1.1 500 Oh\r\nContent-Length: 60000\r\n\r\n", "a"),
        ("a denial's words", "HTTP/1.1 404 No\r\nContent-Length: 60000\r\n\r\n", "a"),
    ] {
        let server = drip(start, again);
        let registry = server.repository(in_short_time);
        let error = soon(what, || registry.manifest("latest"));
        // Words of an error that do not come are left out, and the error stays.
        let is_told = matches!(
            error,
            Error::Transport(transport::Error::Slow { .. })
                | Error::ManifestNotFound { .. }
                | Error::Transport(transport::Error::Server { .. })
        );
        // The library may refuse what is no HTTP before.
        let is_refused = matches!(error, Error::Transport(transport::Error::Connection { .. }) | Error::GaveUp { .. })
            && start.is_empty();
        assert!(is_told || is_refused, "{what}: {error}");
    }
}

#[test]
fn the_message_names_the_place_the_time_the_bytes_and_the_flag() {
    let server = drip("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", "a");
    let registry = server.repository(|options| options.transport.timeouts.document = Some(Duration::from_secs(1)));
    let message = shown(&soon("a body", || registry.manifest("latest")));
    let start = format!("http://{}/v2/a/b/manifests/latest: no complete answer within 1 s, though ", server.host());
    assert!(message.starts_with(&start) && message.ends_with(" with --registry-timeout"), "{message}");
    let bytes = message[start.len()..].split(' ').next().and_then(|number| number.parse::<u64>().ok());
    assert!(bytes.is_some_and(|bytes| (48..1000).contains(&bytes)), "{message}");
}

#[test]
fn a_token_server_has_no_more_time_than_the_document() {
    let tokens = drip("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", " ");
    let challenge = format!(r#"Bearer realm="http://{}/token""#, tokens.host());
    let server = Server::start(move |_, _| answer("401 Unauthorized", &[("WWW-Authenticate", &challenge)], b""));
    let registry = server.repository(in_short_time);
    let error = soon("a token", || registry.manifest("latest"));
    assert!(
        matches!(&error, Error::Transport(transport::Error::Slow { url, .. }) if url.contains("/token")),
        "{error}"
    );
}

#[test]
fn redirects_share_one_time() {
    let server = Server::start_slow(|_, stream| {
        thread::sleep(SHORT / 3);
        stream.write_all(&answer("302 Found", &[("Location", "/v2/again")], b""))
    });
    let registry = server.repository(in_short_time);
    let error = soon("redirects", || registry.manifest("latest"));
    assert!(matches!(error, Error::Transport(transport::Error::Slow { .. })), "{error}");
}

#[test]
fn pages_of_tags_share_one_time() {
    let server = Server::start_slow(|request, stream| {
        thread::sleep(SHORT / 3);
        let next = format!("<{}x>; rel=\"next\"", request.line.split(' ').nth(1).unwrap_or_default());
        stream.write_all(&answer("200 OK", &[("Link", &next)], br#"{"tags":["a"]}"#))
    });
    let registry = server.repository(in_short_time);
    let error = soon("tags", || registry.tags());
    assert!(matches!(error, Error::Transport(transport::Error::Slow { .. })), "{error}");
}

/// Takes connections and drips into them before a word was said.
fn drip_raw(start: &'static [u8], again: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a socket");
    let host = listener.local_addr().expect("an address").to_string();
    thread::spawn(move || {
        let drip = |mut stream: TcpStream| drop(drip_into(&mut stream, start, again));
        listener.incoming().flatten().for_each(|stream| drop(thread::spawn(move || drip(stream))));
    });
    host
}

#[test]
fn a_handshake_that_drips_ends_with_the_time() {
    // The head of a record of TLS with a ServerHello of 16 KiB.
    let host = drip_raw(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc", b"\x03");
    let registry = connect(&host, |options| {
        in_short_time(options);
        options.transport.security = Security::Tls;
    });
    let error = soon("a handshake", || registry.manifest("latest"));
    assert!(matches!(error, Error::Transport(transport::Error::Slow { .. })), "{error}");
}

#[test]
fn a_proxy_that_drips_ends_with_the_time() {
    let proxy = drip_raw(b"HTTP/1.1 200 OK\r\nX: ", b"a");
    for (variable, security) in [("https", Security::Tls), ("http", Security::PlainHttp)] {
        let registry = connect("r.example", |options| {
            in_short_time(options);
            options.transport.security = security;
            options.transport.proxies.all = Some(format!("http://{proxy}"));
        });
        let error = soon(variable, || registry.manifest("latest"));
        assert!(matches!(error, Error::Transport(transport::Error::Slow { .. })), "{variable}: {error}");
    }
}

#[test]
fn a_blob_that_drips_ends_whatever_drips() {
    for (what, start, again) in [
        ("bytes", "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", "a"),
        ("a chunk's extension", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", "aaaaaaaaaaaaaaaaaaaaaaaa"),
    ] {
        let server = drip(start, again);
        let message = match soon(what, || read_blob(&server, 1_000_000)) {
            error @ Error::Transport(transport::Error::SlowDownload { .. }) => shown(&error),
            error => panic!("{what}: {error}"),
        };
        assert!(message.contains(&format!("http://{}/v2/a/b/blobs/sha256:", server.host())), "{message}");
        assert!(
            message.contains("less than the 1024 that it has to") && message.ends_with(" with --min-throughput"),
            "{message}"
        );
    }
    let server = drip(HEAD, "X: a\r\n");
    let error = soon("headers", || read_blob(&server, 1_000_000));
    assert!(matches!(error, Error::Transport(transport::Error::Slow { .. })), "{error}");
}

#[test]
fn a_blob_that_is_slow_but_fast_enough_arrives() {
    let server = Server::start_slow(|_: &Request, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 65536\r\n\r\n")?;
        (0..64).try_for_each(|_| {
            thread::sleep(PAUSE);
            stream.write_all(&[7; 1024])
        })
    });
    let start = Instant::now();
    let content = read_blob(&server, 65_536).expect("it is fast enough");
    assert!(content == [7; 65_536] && start.elapsed() > 2 * SHORT);
}

#[test]
fn a_build_may_take_longer_than_a_server_may() {
    let server = Server::start(|_, _| answer("200 OK", &[], &[7; 4 << 20]));
    let mut reader = server.repository(in_short_time).blob(&Digest::sha256(b""), Some(4 << 20)).expect("it begins");
    let mut content = vec![0; 4 << 20];
    let (start, rest) = content.split_at_mut(1000);
    reader.read_exact(start).expect("a start");
    thread::sleep(2 * SHORT);
    reader.read_exact(rest).expect("the rest");
    assert!(content.iter().all(|byte| *byte == 7));
}
