//! Transfers over a bad network, from bad servers: what a download survives, and what it refuses.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use nex_registry::{Digest, Error, Registry, transport};
use nex_testkit::http_server::{Request, Server, answer, raw};

use crate::support::{Repository as _, connect, shown};

/// Content whose every byte depends on its place, so that a wrong resumption shows.
fn content(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at.wrapping_mul(31) ^ (at >> 8)) as u8).collect()
}

/// Downloads the blob that `content` is.
fn download(registry: &Registry, content: &[u8], size: Option<u64>) -> Result<Vec<u8>, Error> {
    let mut reader = registry.blob(&Digest::sha256(content), size)?;
    let mut got = Vec::new();
    match reader.read_to_end(&mut got) {
        Ok(_) => Ok(got),
        Err(error) => Err(error.downcast::<Error>().expect("a typed error inside")),
    }
}

/// The answer to a request with `Range`, cut after `cut` bytes of the body.
fn partial(request: &Request, content: &[u8], cut: usize) -> Vec<u8> {
    let first = request.range().unwrap_or(0);
    let rest = &content[first..];
    let length = rest.len().to_string();
    let body = &rest[..rest.len().min(cut)];
    if first == 0 {
        return raw("200 OK", &[("Content-Length", &length)], body);
    }
    let range = format!("bytes {first}-{}/{}", content.len() - 1, content.len());
    raw("206 Partial Content", &[("Content-Length", &length), ("Content-Range", &range)], body)
}

#[test]
fn a_download_goes_on_where_it_broke() {
    let blob = content(1_000_000);
    let served = blob.clone();
    let server = Server::start(move |_, request| partial(request, &served, 150_000));
    let got = download(&server.repository(|_| ()), &blob, Some(1_000_000)).unwrap();
    assert!(got == blob);
    let ranges: Vec<_> = server.requests().iter().map(Request::range).collect();
    assert_eq!(ranges.len(), 7);
    assert_eq!(ranges[..3], [None, Some(150_000), Some(300_000)]);
}

#[test]
fn a_server_that_ignores_range_is_skipped_forward() {
    let blob = content(300_000);
    let served = blob.clone();
    let server = Server::start(move |count, _| {
        let cut = if count < 2 { 100_000 * (count + 1) } else { served.len() };
        raw("200 OK", &[("Content-Length", "300000")], &served[..cut])
    });
    assert!(download(&server.repository(|_| ()), &blob, Some(300_000)).unwrap() == blob);
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_body_without_length_is_resumed_when_the_manifest_tells_the_size() {
    let blob = content(200_000);
    let served = blob.clone();
    let server = Server::start(move |count, request| match count {
        0 => raw("200 OK", &[("Transfer-Encoding", "chunked")], &[b"186a0\r\n", &served[..100_000], b"\r\n"].concat()),
        1 => raw("200 OK", &[], &served[..150_000]),
        _ => partial(request, &served, usize::MAX),
    });
    assert!(download(&server.repository(|_| ()), &blob, Some(200_000)).unwrap() == blob);
}

#[test]
fn the_first_answer_tells_the_size_when_the_manifest_does_not() {
    let blob = content(200_000);
    let served = blob.clone();
    let server = Server::start(move |_, request| partial(request, &served, 120_000));
    assert!(download(&server.repository(|_| ()), &blob, None).unwrap() == blob);
}

#[test]
fn a_chunked_body_of_unknown_size_ends_with_its_last_chunk() {
    let server = Server::start(|_, _| raw("200 OK", &[("Transfer-Encoding", "chunked")], b"3\r\nabc\r\n0\r\n\r\n"));
    assert_eq!(download(&server.repository(|_| ()), b"abc", None).unwrap(), b"abc");
}

#[test]
fn a_server_that_gives_no_range_is_asked_for_all() {
    let blob = content(200_000);
    for (status, range) in
        [("206 Partial Content", "bytes 0-4/200000"), ("416 Range Not Satisfiable", "bytes */200000")]
    {
        let served = blob.clone();
        let server = Server::start(move |count, request| match request.range() {
            None => partial(request, &served, if count == 0 { 100_000 } else { served.len() }),
            Some(_) => answer(status, &[("Content-Range", range)], &served[..5]),
        });
        assert!(download(&server.repository(|_| ()), &blob, Some(200_000)).unwrap() == blob);
        let ranges: Vec<_> = server.requests().iter().map(Request::range).collect();
        assert_eq!(ranges, [None, Some(100_000), None]);
    }
}

#[test]
fn a_range_that_nobody_asked_for_is_refused() {
    let server = Server::start(|_, _| answer("206 Partial Content", &[("Content-Range", "bytes 1-3/4")], b"bcd"));
    let error = download(&server.repository(|_| ()), b"abcd", Some(4)).unwrap_err();
    assert!(matches!(error, Error::Transport(transport::Error::Range { offset: 0, .. })), "{error}");
}

#[test]
fn a_blob_of_another_length_is_refused() {
    for (got, size) in [(b"abcdef".as_slice(), 5), (b"abcd".as_slice(), 5)] {
        let server = Server::start(move |_, _| answer("200 OK", &[], got));
        let error = download(&server.repository(|_| ()), b"abcde", Some(size)).unwrap_err();
        assert!(matches!(error, Error::BlobSize { expected: 5, .. }), "{error}");
    }
    let server = Server::start(|_, _| raw("200 OK", &[("Transfer-Encoding", "chunked")], b"6\r\nabcdef\r\n0\r\n\r\n"));
    let error = download(&server.repository(|_| ()), b"abcde", Some(5)).unwrap_err();
    assert!(error.to_string().contains("has more bytes, but the manifest says 5"), "{error}");
}

#[test]
fn a_download_without_progress_is_given_up() {
    let blob = content(200_000);
    let served = blob.clone();
    let server = Server::start(move |count, request| partial(request, &served, if count == 0 { 100_000 } else { 1 }));
    let error = download(&server.repository(|_| ()), &blob, Some(200_000)).unwrap_err();
    assert!(matches!(error, Error::Transport(transport::Error::Broken { attempts: 5, .. })), "{error}");
    assert!(error.to_string().contains("of 200000 and could not be resumed in 5 attempts"), "{error}");
    assert_eq!(server.requests().len(), 5);
}

#[test]
fn a_server_that_fails_for_a_while_is_asked_again() {
    let server = Server::start(|count, _| match count {
        0 => answer("500 Internal Server Error", &[], b""),
        1 => answer("503 Service Unavailable", &[("Retry-After", "0")], b""),
        2 => Vec::new(),
        3 => raw("200 OK", &[("Content-Length", "10")], b"cut"),
        _ => answer("200 OK", &[("Content-Type", "text/x")], b"manifest"),
    });
    let (media_type, body) = server.repository(|_| ()).manifest("latest").unwrap();
    assert_eq!((media_type.as_deref(), body.as_slice()), (Some("text/x"), b"manifest".as_slice()));
}

#[test]
fn a_server_that_keeps_failing_is_named_with_its_own_words() {
    let body = br#"{"errors":[{"code":"UNKNOWN","message":"disk \u001b[31mfull"}]}"#;
    let server = Server::start(move |_, _| answer("502 Bad Gateway", &[], body));
    let message = server.repository(|_| ()).manifest("latest").unwrap_err().to_string();
    assert!(message.contains(r"failed with 502 (UNKNOWN: disk \u{1b}[31mfull)"), "{message}");
    assert!(message.contains("gave up after 5 attempts"), "{message}");
}

#[test]
fn short_waits_are_kept_and_long_ones_are_reported() {
    let server = Server::start(|count, _| match count {
        0 => answer("429 Too Many Requests", &[("Retry-After", "1")], b""),
        _ => answer("200 OK", &[], b"ok"),
    });
    let begin = Instant::now();
    server.repository(|_| ()).manifest("latest").unwrap();
    assert!(begin.elapsed() >= Duration::from_secs(1));

    let limits = [("Retry-After", "3600"), ("RateLimit-Limit", "100;w=21600"), ("RateLimit-Remaining", "0;w=21600")];
    let server = Server::start(move |_, _| answer("429 Too Many Requests", &limits, b""));
    let error = server.repository(|_| ()).manifest("latest").unwrap_err();
    assert!(matches!(error, Error::Transport(transport::Error::RateLimited { .. })));
    let message = error.to_string();
    assert!(message.contains("limit 100;w=21600, remaining 0;w=21600, asks to wait 3600 s"), "{message}");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_wait_that_one_request_is_asked_for_holds_back_the_others() {
    let server = Server::start(|count, _| match count {
        0 => answer("429 Too Many Requests", &[("Retry-After", "1")], b""),
        _ => answer("200 OK", &[], b"ok"),
    });
    let registry = server.repository(|options| options.transport.retry.attempts = 1);
    let begin = Instant::now();
    assert!(matches!(
        registry.blob(&Digest::sha256(b""), None),
        Err(Error::Transport(transport::Error::RateLimited { .. }))
    ));
    registry.manifest("latest").unwrap();
    assert!(begin.elapsed() >= Duration::from_secs(1));
}

/// The connection stays open, and nothing comes any more.
#[test]
fn a_download_that_stands_still_goes_on_over_another_connection() {
    let blob = content(200_000);
    let served = blob.clone();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let server = std::thread::spawn(move || {
        let mut open = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap();
            let request = String::from_utf8_lossy(&request[..length]).to_ascii_lowercase();
            let is_resumed = request.contains("range: bytes=100000-");
            let (head, body) = match is_resumed {
                false => ("200 OK\r\nContent-Length: 200000", &served[..100_000]),
                true => ("206 Partial Content\r\nContent-Range: bytes 100000-199999/200000", &served[100_000..]),
            };
            write!(stream, "HTTP/1.1 {head}\r\nConnection: close\r\n\r\n").unwrap();
            stream.write_all(body).unwrap();
            if is_resumed {
                return;
            }
            open.push(stream);
        }
    });
    let registry = connect(&host, |options| options.transport.timeouts.idle = Duration::from_secs(1));
    assert!(download(&registry, &blob, Some(200_000)).unwrap() == blob);
    server.join().unwrap();
}

#[test]
fn a_silent_server_is_not_waited_for_without_end() {
    // Never accepted: the connection stands in the listener's queue, and nobody answers.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let registry = connect(&listener.local_addr().unwrap().to_string(), |options| {
        options.transport.timeouts.idle = Duration::from_millis(100);
        options.transport.retry.attempts = 2;
    });
    let message = shown(&registry.manifest("latest").unwrap_err());
    assert!(message.contains("timeout") && message.contains("2 attempts"), "{message}");
}

#[test]
fn manifests_over_the_limit_are_not_read() {
    let server = Server::start(|_, request| {
        if request.is_for("/v2/a/b/manifests/told") {
            return raw("200 OK", &[("Content-Length", "4194305")], b"{");
        }
        raw("200 OK", &[], &vec![b' '; (4 << 20) + 1])
    });
    for tag in ["told", "untold"] {
        let error = server.repository(|_| ()).manifest(tag).unwrap_err();
        assert!(matches!(error, Error::Transport(transport::Error::TooLarge { limit: 4_194_304, .. })), "{error}");
    }
    let server = Server::start(|_, _| answer("200 OK", &[], &vec![b' '; 4 << 20]));
    assert_eq!(server.repository(|_| ()).manifest("full").unwrap().1.len(), 4 << 20);
}

#[test]
fn manifests_are_asked_for_in_all_four_forms() {
    let server = Server::start(|_, _| answer("200 OK", &[], b"{}"));
    server.repository(|_| ()).manifest("latest").unwrap();
    let request = &server.requests()[0];
    let accepted = request.header("accept").unwrap();
    for media_type in [
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    ] {
        assert!(accepted.contains(media_type), "{accepted}");
    }
    assert!(request.header("user-agent").unwrap().starts_with("nex/"));
    assert_eq!(request.header("authorization"), None);
}

#[test]
fn what_is_missing_is_told_apart() {
    let server = Server::start(|_, request| {
        let code = if request.is_for("/v2/a/b/manifests/name") { "NAME_UNKNOWN" } else { "MANIFEST_UNKNOWN" };
        let body = format!(r#"{{"errors":[{{"code":"{code}","message":"gone"}}]}}"#);
        answer("404 Not Found", &[], body.as_bytes())
    });
    let registry = server.repository(|_| ());
    assert!(matches!(registry.manifest("name"), Err(Error::RepositoryNotFound { .. })));
    assert!(matches!(registry.manifest("v9"), Err(Error::ManifestNotFound { reference, .. }) if reference == "v9"));
    assert!(matches!(registry.tags(), Err(Error::RepositoryNotFound { .. })));
    assert!(matches!(registry.blob(&Digest::sha256(b""), None), Err(Error::BlobNotFound { .. })));
    assert_eq!(server.requests().len(), 4);
}

#[test]
fn tags_are_collected_from_every_page() {
    let server = Server::start(|count, _| match count {
        0 => answer("200 OK", &[("Link", r#"</v2/a/b/tags/list?last=2&n=2>; rel="next""#)], br#"{"tags":["1","2"]}"#),
        1 => answer("200 OK", &[("Link", r#"<https://evil.example/x>; rel="next""#)], br#"{"tags":["3"]}"#),
        _ => answer("200 OK", &[], br#"{"tags":null}"#),
    });
    let registry = server.repository(|_| ());
    assert_eq!(registry.tags().unwrap(), ["1", "2", "3"]);
    assert!(registry.tags().unwrap().is_empty());
}

#[test]
fn nobody_listening_is_said_at_once() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    drop(listener);
    let error = connect(&host, |_| ()).manifest("latest").unwrap_err();
    assert!(
        matches!(&error, Error::Transport(transport::Error::ConnectionRefused { host: named }) if *named == host),
        "{error}"
    );
}

#[test]
fn a_name_that_does_not_resolve_is_said_at_once() {
    // A label of 64 characters is wrong by itself: no DNS server is asked.
    let host = format!("{}.invalid", "a".repeat(64));
    let error = connect(&host, |_| ()).manifest("latest").unwrap_err();
    assert!(
        matches!(&error, Error::Transport(transport::Error::HostNotFound { host: named, .. }) if *named == host),
        "{error}"
    );
}

#[test]
fn a_proxy_that_is_not_there_is_not_taken_for_the_registry() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let registry = connect("r.example", |options| options.transport.proxies.all = Some(proxy));
    let message = registry.manifest("latest").unwrap_err().to_string();
    assert!(message.contains("the proxy for r.example: connection refused"), "{message}");
}
