//! Requests of every method: what they carry, how often they are made, and where they do not go.

use std::fs;
use std::io::{self, Read};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nex_registry::transport::http::{HeaderValue, Method, header};
use nex_registry::transport::{self, Body, Content, FilePart, Location, Origin, Security, Throughput};
use nex_registry::{Access, Digest, Endpoint, Error, Registry, Request, Scope, Target};
use nex_testkit::distribution::{certificates, has_openssl};
use nex_testkit::http_server::{Server, answer};
use nex_testkit::inner_addresses::METADATA;

use crate::support::{Repository as _, client, connect, credentials, shown};

/// `alice:wonder land` in base64, as docker keeps it.
const AUTH: &str = "YWxpY2U6d29uZGVyIGxhbmQ=";

const MANIFEST: Target<'_> = Target::Endpoint(Endpoint::Manifest("v1"));
const UPLOADS: Target<'_> = Target::Endpoint(Endpoint::Uploads);

/// A body that is read anew each time, and counts how often that is.
struct Counted {
    bytes: &'static [u8],
    opened: AtomicUsize,
}

impl Counted {
    fn new(bytes: &'static [u8]) -> Self {
        Self { bytes, opened: AtomicUsize::new(0) }
    }
}

impl Content for Counted {
    fn length(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        self.opened.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(self.bytes))
    }
}

fn put(target: Target<'_>) -> Request<'_> {
    Request { body: Body::Bytes(b"the body"), ..Request::new(Method::PUT, target) }
}

/// Where a server says that an upload goes on.
fn begin(registry: &Registry) -> Result<Location, Error> {
    Ok(registry.send(&Request::new(Method::POST, UPLOADS))?.location()?)
}

#[test]
fn every_method_carries_what_it_is_given() {
    let server = Server::start(|_, _| answer("202 Accepted", &[("X-Said", "yes")], b""));
    let registry = server.repository(|_| ());
    let streamed = Counted::new(b"streamed");
    for (method, body) in [
        (Method::GET, Body::Empty),
        (Method::HEAD, Body::Empty),
        (Method::DELETE, Body::Empty),
        (Method::POST, Body::Empty),
        (Method::POST, Body::Bytes(b"bytes")),
        (Method::PUT, Body::Bytes(b"bytes")),
        (Method::PATCH, Body::Content(&streamed)),
    ] {
        let headers = [(header::CONTENT_TYPE, HeaderValue::from_static("text/x"))].into_iter().collect();
        let query = &[("digest", "sha256:a b"), ("n", "1")];
        let request = Request { body, headers, query, ..Request::new(method.clone(), MANIFEST) };
        let answer = registry.send(&request).unwrap();
        assert_eq!((answer.status().as_u16(), answer.header("x-said".parse().unwrap())), (202, Some("yes")));
        let seen = server.requests().pop().unwrap();
        assert_eq!(seen.line, format!("{method} /v2/a/b/manifests/v1?digest=sha256%3Aa%20b&n=1 HTTP/1.1"));
        assert_eq!(seen.header("content-type"), Some("text/x"));
        assert_eq!(seen.body.len() as u64, body.length());
        // Servers answer 411 to a POST that leaves it open.
        let told = seen.header("content-length").map(str::to_owned);
        let takes_body = matches!(method, Method::POST | Method::PUT | Method::PATCH);
        assert_eq!(told, takes_body.then(|| body.length().to_string()), "{method}");
        assert_eq!(seen.header("transfer-encoding"), None);
        assert_eq!(seen.header("expect"), None);
    }
    assert_eq!(server.requests().pop().unwrap().body, "streamed");
}

#[test]
fn a_body_is_sent_again_after_a_challenge_and_a_redirect() {
    let tokens = Server::start(|_, _| answer("200 OK", &[], br#"{"token":"t"}"#));
    let challenge = format!(r#"Bearer realm="http://{}/token",service="s""#, tokens.host());
    let server =
        Server::start(move |_, request| match (request.header("authorization"), request.is_for("/v2/there")) {
            (Some("Bearer t"), true) => answer("201 Created", &[], b""),
            (Some("Bearer t"), false) => answer("307 Temporary Redirect", &[("Location", "/v2/there")], b""),
            _ => answer("401 Unauthorized", &[("WWW-Authenticate", &challenge)], b""),
        });
    let (_directory, places) = credentials(&format!(r#"{{"auths":{{"{}":{{"auth":"{AUTH}"}}}}}}"#, server.host()));
    let registry = server.repository(|options| options.credentials = places);
    let body = Counted::new(b"all of it");
    registry.send(&Request { body: Body::Content(&body), ..put(MANIFEST) }).unwrap();
    let seen = server.requests();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|request| request.line.starts_with("PUT ") && request.body == "all of it"), "{seen:?}");
    assert_eq!(body.opened.load(Ordering::SeqCst), 3);
    assert!(tokens.requests()[0].line.contains("scope=repository%3Aa%2Fb%3Apull%2Cpush"), "{:?}", tokens.requests());
}

#[test]
fn each_token_is_for_what_is_to_be_done() {
    let tokens = Server::start(|count, _| answer("200 OK", &[], format!(r#"{{"token":"t{count}"}}"#).as_bytes()));
    let challenge = format!(r#"Bearer realm="http://{}/token",service="s""#, tokens.host());
    let server = Server::start(move |_, request| match request.header("authorization") {
        Some(_) => answer("200 OK", &[], b"{}"),
        None => answer("401 Unauthorized", &[("WWW-Authenticate", &challenge)], b""),
    });
    let registry = server.repository(|_| ());
    let base = [Scope { repository: "base".to_owned(), access: Access::Pull }];
    for _ in 0..2 {
        registry.manifest("v1").unwrap();
        registry.send(&put(MANIFEST)).unwrap();
        let query = &[("mount", "sha256:00"), ("from", "base")];
        registry.send(&Request { query, others: &base, ..Request::new(Method::POST, UPLOADS) }).unwrap();
        registry.send(&Request::new(Method::DELETE, MANIFEST)).unwrap();
    }
    let asked: Vec<_> = tokens.requests().iter().map(|request| request.line.clone()).collect();
    let scopes = |line: &String| line.replace("%3A", ":").replace("%2F", "/").replace("%2C", ",");
    let asked: Vec<_> = asked.iter().map(scopes).collect();
    assert_eq!(asked.len(), 4, "one token for each purpose: {asked:?}");
    for (line, scope) in asked.iter().zip([
        "&scope=repository:a/b:pull HTTP",
        "&scope=repository:a/b:pull,push HTTP",
        "&scope=repository:a/b:pull,push&scope=repository:base:pull HTTP",
        "&scope=repository:a/b:delete HTTP",
    ]) {
        assert!(line.contains(scope), "{line}");
    }
    let sent: Vec<_> = server.requests().iter().filter_map(|r| Some(r.header("authorization")?.to_owned())).collect();
    let once = ["Bearer t0", "Bearer t1", "Bearer t2", "Bearer t3"];
    assert_eq!(sent, [once, once].concat());
}

#[test]
fn a_redirect_that_would_make_another_request_of_it_is_refused() {
    for (status, method) in [
        ("301 Moved Permanently", Method::PUT),
        ("302 Found", Method::POST),
        ("303 See Other", Method::PATCH),
        ("302 Found", Method::DELETE),
    ] {
        let server = Server::start(move |_, _| answer(status, &[("Location", "/v2/elsewhere")], b""));
        let request = Request::new(method.clone(), MANIFEST);
        let error = server.repository(|_| ()).send(&request).map(drop).unwrap_err();
        assert!(matches!(error, Error::Transport(transport::Error::Redirect { .. })), "{error}");
        assert!(error.to_string().contains("another request"), "{error}");
        assert_eq!(server.requests().len(), 1, "{method}");
    }
    // The control: reading goes on there, and so does what keeps its method.
    let server = Server::start(|count, _| match count {
        0 => answer("303 See Other", &[("Location", "/v2/elsewhere")], b""),
        1 => answer("200 OK", &[], b""),
        2 => answer("308 Permanent Redirect", &[("Location", "/v2/elsewhere")], b""),
        _ => answer("202 Accepted", &[], b""),
    });
    let registry = server.repository(|_| ());
    registry.send(&Request::new(Method::HEAD, MANIFEST)).unwrap();
    registry.send(&Request::new(Method::DELETE, MANIFEST)).unwrap();
    assert!(server.requests()[3].line.starts_with("DELETE /v2/elsewhere"));
}

#[test]
fn nothing_is_sent_in_plain_text_to_somewhere_that_was_not_named_insecure() {
    let elsewhere = Server::start(|_, _| answer("201 Created", &[], b""));
    let there = format!("http://{}/upload", elsewhere.host());
    let location = there.clone();
    let server = Server::start(move |_, request| match request.line.starts_with("POST") {
        true => answer("202 Accepted", &[("Location", &location)], b""),
        false => answer("307 Temporary Redirect", &[("Location", &location)], b""),
    });
    let registry = server.repository(|_| ());
    let location = begin(&registry).unwrap();
    assert_eq!(location.origin(), Origin::Other);
    for target in [Target::Location(&location), MANIFEST] {
        let error = registry.send(&put(target)).map(drop).unwrap_err();
        assert!(error.to_string().contains("must not travel unencrypted"), "{error}");
    }
    assert!(elsewhere.requests().is_empty(), "{:?}", elsewhere.requests());
    // The control: what carries nothing may go there, without TLS as the registry itself.
    registry.send(&Request { body: Body::Empty, ..put(Target::Location(&location)) }).unwrap();
    assert_eq!(elsewhere.requests().len(), 1);
}

#[test]
fn an_encrypted_upload_goes_nowhere_without_tls_and_shows_nobody_who_we_are() {
    if !has_openssl() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let files = certificates(directory.path());
    let place = client(directory.path(), &files);
    let plain = Server::start(|_, _| answer("201 Created", &[], b""));
    let storage = Server::start_tls(&files, |_, _| answer("201 Created", &[("Location", "/v2/a/b/next")], b""));
    let (insecure, secure) =
        (format!("http://localhost:{}/u", plain.port()), format!("https://localhost:{}/u?sig=s", storage.port()));
    let server = Server::start_tls(&files, move |_, request| {
        let to_plain = request.line.contains("plain");
        let location = if to_plain { &insecure } else { &secure };
        match (request.header("authorization"), request.line.starts_with("POST")) {
            (None, _) => answer("401 Unauthorized", &[("WWW-Authenticate", "Basic realm=r")], b""),
            (_, true) => answer("202 Accepted", &[("Location", location)], b""),
            (_, false) => answer("308 Permanent Redirect", &[("Location", location)], b""),
        }
    });
    let host = format!("localhost:{}", server.port());
    let (_directory, places) = credentials(&format!(r#"{{"auths":{{"{host}":{{"auth":"{AUTH}"}}}}}}"#));
    let registry = connect(&host, |options| {
        options.transport.security = Security::Tls;
        options.transport.certificates.own = Some(place);
        options.credentials = places;
    });
    for method in [Method::POST, Method::PUT] {
        let plain = &[("to", "plain")];
        let request = Request { method: method.clone(), query: plain, ..put(UPLOADS) };
        let error = registry.send(&request).and_then(|answer| Ok(answer.location()?)).map(drop).unwrap_err();
        assert!(error.to_string().contains("from https to http"), "{method}: {error}");
    }
    let location = begin(&registry).unwrap();
    let done = location.with_query("digest", "sha256:00").unwrap();
    let next = registry.send(&put(Target::Location(&done))).unwrap().location().unwrap();
    assert_eq!(next.origin(), Origin::Other, "what another server names stays another's");
    registry.send(&put(MANIFEST)).unwrap();
    assert!(plain.requests().is_empty());
    let others = storage.requests();
    assert_eq!(others[0].line, "PUT /u?sig=s&digest=sha256%3A00 HTTP/1.1");
    assert_eq!(others.len(), 2);
    for request in &others {
        assert!(request.header("authorization").is_none() && !request.has_identity, "{request:?}");
        assert_eq!(request.body, "the body");
    }
    // The control: the registry itself knows us.
    assert!(server.requests().iter().all(|request| request.has_identity));
}

#[test]
fn an_upload_leads_no_further_inside_the_network() {
    for host in METADATA {
        let target = format!("http://{host}/latest");
        let server = Server::start(move |_, _| answer("202 Accepted", &[("Location", &target)], b""));
        let error = begin(&server.repository(|_| ())).map(drop).unwrap_err();
        assert!(error.to_string().contains("it leads to a cloud's metadata service"), "{host}: {error}");
    }
    let server = Server::start(|_, _| answer("202 Accepted", &[], b""));
    let error = begin(&server.repository(|_| ())).map(drop).unwrap_err();
    assert!(error.to_string().contains("it does not say where"), "{error}");
}

#[test]
fn a_challenge_of_another_server_is_not_answered_for_an_upload() {
    let tokens = Server::start(|_, _| answer("200 OK", &[], br#"{"token":"t"}"#));
    let challenge = format!(r#"Bearer realm="http://{}/token""#, tokens.host());
    let storage = Server::start(move |_, _| answer("401 Unauthorized", &[("WWW-Authenticate", &challenge)], b""));
    let location = format!("http://{}/u", storage.host());
    let server = Server::start(move |_, _| answer("202 Accepted", &[("Location", &location)], b""));
    let registry = server.repository(|_| ());
    let location = begin(&registry).unwrap();
    let error = registry.send(&Request::new(Method::PATCH, Target::Location(&location))).map(drop).unwrap_err();
    assert!(matches!(error, Error::Status { status: 401, .. }), "{error}");
    assert!(tokens.requests().is_empty());
}

#[test]
fn what_must_not_be_done_twice_is_not_tried_again() {
    for (method, status, times) in [
        (Method::POST, "502 Bad Gateway", 1),
        (Method::PATCH, "503 Service Unavailable", 1),
        (Method::PUT, "502 Bad Gateway", 5),
        (Method::DELETE, "503 Service Unavailable", 5),
        // It was not looked at.
        (Method::POST, "429 Too Many Requests", 5),
    ] {
        let server = Server::start(move |_, _| answer(status, &[("Retry-After", "0")], b""));
        let request = Request { body: Body::Empty, ..Request::new(method.clone(), UPLOADS) };
        server.repository(|_| ()).send(&request).map(drop).unwrap_err();
        assert_eq!(server.requests().len(), times, "{method} {status}");
    }
    // A body is sent from its beginning each time.
    let server = Server::start(|count, _| if count < 2 { Vec::new() } else { answer("201 Created", &[], b"") });
    let body = Counted::new(b"all of it");
    let request = Request { body: Body::Content(&body), ..put(MANIFEST) };
    server.repository(|_| ()).send(&request).unwrap();
    assert!(server.requests().iter().all(|request| request.body == "all of it"));
    assert_eq!(body.opened.load(Ordering::SeqCst), 3);
}

#[test]
fn a_part_of_a_file_is_a_body_and_one_that_is_cut_short_is_told() {
    let server = Server::start(|_, _| answer("202 Accepted", &[], b""));
    let registry = server.repository(|_| ());
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("file"), "0123456789").unwrap();
    let file = fs::File::open(place.path().join("file")).unwrap();
    let part = FilePart { file: &file, start: 3, length: 4 };
    registry.send(&Request { body: Body::Content(&part), ..Request::new(Method::PATCH, UPLOADS) }).unwrap();
    assert_eq!(server.requests()[0].body, "3456");
    let part = FilePart { file: &file, start: 3, length: 40 };
    let begin = Instant::now();
    let request = Request { body: Body::Content(&part), ..put(MANIFEST) };
    let error = registry.send(&request).map(drop).unwrap_err();
    assert!(matches!(error, Error::Transport(transport::Error::Body { .. })), "{error}");
    assert!(shown(&error).contains("33 bytes are missing") && begin.elapsed() < Duration::from_secs(20), "{error}");
}

/// Zeros, as many as a server that reads nothing cannot have in its buffers.
struct Zeros;

impl Content for Zeros {
    fn length(&self) -> u64 {
        1 << 30
    }

    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(Box::new(io::repeat(0).take(self.length())))
    }
}

#[test]
fn a_server_that_takes_nothing_is_not_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let held: Vec<_> = listener.incoming().flatten().collect();
        drop(held);
    });
    let registry = connect(&host, |options| {
        let time = Duration::from_millis(500);
        options.transport.timeouts.blob = Some(Throughput { bytes: 64 << 20, time });
        options.transport.retry.attempts = 1;
    });
    let begin = Instant::now();
    let request = Request { body: Body::Content(&Zeros), ..put(MANIFEST) };
    let error = registry.send(&request).map(drop).unwrap_err();
    assert!(matches!(error, Error::Transport(transport::Error::SlowUpload { .. })), "{error}");
    assert!(shown(&error).ends_with("; try again, or ask less of it with --min-throughput"), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}

/// Such a body is not sent before the server wants it: one that asks for a password gets none of it.
#[test]
fn a_large_body_waits_for_the_challenge() {
    let server = Server::start(|_, request| match request.header("authorization") {
        None => answer("401 Unauthorized", &[("WWW-Authenticate", "Basic realm=r")], b""),
        Some(_) => answer("413 Content Too Large", &[], b""),
    });
    let (_directory, places) = credentials(&format!(r#"{{"auths":{{"{}":{{"auth":"{AUTH}"}}}}}}"#, server.host()));
    let registry = server.repository(|options| options.credentials = places);
    let request = Request { body: Body::Content(&Zeros), ..put(MANIFEST) };
    let error = registry.send(&request).map(drop).unwrap_err();
    assert!(matches!(error, Error::Status { status: 413, .. }), "{error}");
    let expected: Vec<_> = server.requests().iter().map(|r| r.header("expect").map(str::to_owned)).collect();
    assert_eq!(expected, [Some("100-continue".to_owned()), Some("100-continue".to_owned())]);
}

#[test]
fn a_head_tells_what_is_there() {
    let here = Digest::sha256(b"here");
    let server = Server::start(move |_, request| match request.line.contains(&here.to_string()) {
        true => b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\n".to_vec(),
        false => b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: 99\r\n\r\n".to_vec(),
    });
    let registry = server.repository(|_| ());
    let head = |digest: &Digest| registry.send(&Request::new(Method::HEAD, Target::Endpoint(Endpoint::Blob(digest))));
    assert_eq!(head(&here).unwrap().header(header::CONTENT_LENGTH), Some("4"));
    let missing = head(&Digest::sha256(b"missing")).map(drop).unwrap_err();
    assert!(matches!(missing, Error::BlobNotFound { .. }), "{missing}");
}
