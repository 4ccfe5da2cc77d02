//! What stands between a registry and its users: gateways that redirect, caches that encode, proxies that ask who is there.

use std::io::{Read, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;

use nex_image::registry::Error;
use nex_image::{Digest, Limits, NoProgress, Options, ReadAhead, Reference, open};

use crate::fault_server::{Server, answer, credentials, options};

/// `alice:wonder land` in base64, as docker keeps it.
const AUTH: &str = "YWxpY2U6d29uZGVyIGxhbmQ=";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut child = Command::new("gzip").arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("gzip");
    child.stdin.take().unwrap().write_all(bytes).unwrap();
    child.wait_with_output().unwrap().stdout
}

/// A gateway asks for credentials and redirects to a registry, which wants a token from everybody.
#[test]
fn a_registry_behind_a_gateway_gives_its_token_to_nobody_in_particular() {
    let tokens = Server::start(|_, request| {
        assert!(request.is_for("/token"), "{request:?}");
        answer("200 OK", &[], br#"{"token":"guest"}"#)
    });
    let challenge =
        format!(r#"Bearer realm="http://{}/token",service="s",scope="repository:other/b:pull""#, tokens.host());
    let behind = Server::start(move |_, request| match request.header("authorization") {
        Some("Bearer guest") => answer("200 OK", &[], b"{}"),
        _ => answer("401 Unauthorized", &[("WWW-Authenticate", &challenge)], b""),
    });
    let location = format!("http://{}/v2/other/b/manifests/latest", behind.host());
    let gateway = Server::start(move |_, request| match request.header("authorization") {
        None => answer("401 Unauthorized", &[("WWW-Authenticate", "Basic realm=r")], b""),
        Some(_) => answer("307 Temporary Redirect", &[("Location", &location)], b""),
    });
    // There are credentials for all three of them.
    let entries = [&gateway, &behind, &tokens].map(|server| format!(r#""{}":{{"auth":"{AUTH}"}}"#, server.host()));
    let (_directory, places) = credentials(&format!(r#"{{"auths":{{{}}}}}"#, entries.join(",")));
    let registry = gateway.repository(|options| options.credentials = places);
    assert_eq!(registry.manifest("latest").unwrap().1, b"{}");
    assert_eq!(registry.manifest("latest").unwrap().1, b"{}");

    let sent = |server: &Server| -> Vec<_> {
        server.requests().iter().map(|request| request.header("authorization").map(str::to_owned)).collect()
    };
    // The token is for the one that asked, and it is asked for once.
    let guest = Some("Bearer guest".to_owned());
    assert_eq!(sent(&behind), [None, guest.clone(), guest]);
    assert_eq!(sent(&tokens), [None]);
    assert!(tokens.requests()[0].line.contains("scope=repository%3Aother%2Fb%3Apull"), "{:?}", tokens.requests());
    assert!(sent(&gateway).iter().flatten().all(|sent| *sent == format!("Basic {AUTH}")));
}

#[test]
fn a_registry_behind_a_gateway_leads_no_further_inside() {
    for realm in ["http://169.254.169.254/token", "http://metadata.google.internal/token", "file:///etc/passwd"] {
        let challenge = format!(r#"Bearer realm="{realm}""#);
        let behind = Server::start(move |_, _| answer("401 Unauthorized", &[("WWW-Authenticate", &challenge)], b""));
        let location = format!("http://{}/x", behind.host());
        let gateway = Server::start(move |_, _| answer("302 Found", &[("Location", &location)], b""));
        let error = gateway.repository(|_| ()).manifest("latest").unwrap_err();
        assert!(matches!(error, Error::Realm { .. }), "{error}");
    }
    // Control: one that takes no token is asked twice, and no more.
    let tokens = Server::start(|_, _| answer("200 OK", &[], br#"{"token":"t"}"#));
    let challenge = format!(r#"Bearer realm="http://{}/token""#, tokens.host());
    let behind = Server::start(move |_, _| answer("401 Unauthorized", &[("WWW-Authenticate", &challenge)], b""));
    let location = format!("http://{}/x", behind.host());
    let gateway = Server::start(move |_, _| answer("302 Found", &[("Location", &location)], b""));
    let error = gateway.repository(|_| ()).manifest("latest").unwrap_err();
    assert!(matches!(error, Error::Status { status: 401, .. }), "{error}");
    assert_eq!((behind.requests().len(), tokens.requests().len()), (2, 1));
}

#[test]
fn documents_that_come_as_gzip_are_decoded_within_their_bounds() {
    let tokens = Server::start(|_, _| answer("200 OK", &[("Content-Encoding", "gzip")], &gzip(br#"{"token":"t"}"#)));
    let challenge = format!(r#"Negotiate YWJj==, Bearer realm="http://{}/token""#, tokens.host());
    let server = Server::start(move |_, request| {
        assert_eq!(request.header("accept-encoding"), Some("identity"));
        if request.header("authorization") != Some("Bearer t") {
            return answer("401 Unauthorized", &[("WWW-Authenticate", &challenge)], b"");
        }
        let body = if request.is_for("/v2/a/b/tags") {
            gzip(br#"{"tags":["one"]}"#)
        } else if request.is_for("/v2/a/b/manifests/large") {
            gzip(&vec![b' '; (4 << 20) + 1])
        } else if request.is_for("/v2/a/b/manifests/cut") {
            gzip(&[b' '; 1000])[..20].to_vec()
        } else if request.is_for("/v2/a/b/manifests/plain") {
            b"{}".to_vec()
        } else {
            gzip(b"{}")
        };
        answer("200 OK", &[("Content-Encoding", "GZIP")], &body)
    });
    let registry = server.repository(|_| ());
    assert_eq!(registry.manifest("latest").unwrap().1, b"{}");
    assert_eq!(registry.manifest("plain").unwrap().1, b"{}");
    assert_eq!(registry.document(&Digest::sha256(b"{}"), 100).unwrap(), b"{}");
    assert_eq!(registry.tags().unwrap(), ["one"]);
    assert!(matches!(registry.manifest("large").unwrap_err(), Error::TooLarge { .. }));
    assert!(matches!(registry.manifest("cut").unwrap_err(), Error::Encoding { .. }));
    // A layer's bytes are those that its digest is of.
    let (mut content, blob) = (Vec::new(), gzip(b"{}"));
    registry.blob(&Digest::sha256(&blob), Some(blob.len() as u64)).unwrap().read_to_end(&mut content).unwrap();
    assert_eq!(content, blob);
}

#[test]
fn a_location_with_what_addresses_do_not_have_is_followed() {
    let storage = Server::start(|_, _| answer("200 OK", &[], b"{}"));
    let location = format!("http://{}/blob?name=\"ä b\".tar&sig=%2F", storage.host());
    let server = Server::start(move |_, _| answer("307 Temporary Redirect", &[("Location", &location)], b""));
    assert_eq!(server.repository(|_| ()).manifest("latest").unwrap().1, b"{}");
    assert_eq!(storage.requests()[0].line, "GET /blob?name=%22%C3%A4%20b%22.tar&sig=%2F HTTP/1.1");
}

/// A manifest may name a layer several times, as builds with empty steps make it.
#[test]
fn a_blob_that_is_named_several_times_is_fetched_once() {
    let here = tempfile::tempdir().unwrap();
    let script = "echo a >a; echo b >b; tar -cf a.tar a; tar -cf b.tar b";
    assert!(Command::new("sh").args(["-ec", script]).current_dir(here.path()).status().unwrap().success());
    let [a, b] = ["a.tar", "b.tar"].map(|name| std::fs::read(here.path().join(name)).unwrap());
    let layers = [&a, &b, &a, &b, &b];
    let diff_ids: Vec<_> = layers.iter().map(|layer| format!("\"{}\"", Digest::sha256(layer))).collect();
    let config = format!(r#"{{"os":"linux","architecture":"amd64","rootfs":{{"diff_ids":[{}]}}}}"#, diff_ids.join(","));
    let inside = |bytes: &[u8]| format!(r#"{{"digest":"{}","size":{}}}"#, Digest::sha256(bytes), bytes.len());
    let listed: Vec<_> = layers.iter().map(|layer| inside(layer)).collect();
    let manifest =
        format!(r#"{{"schemaVersion":2,"config":{},"layers":[{}]}}"#, inside(config.as_bytes()), listed.join(","));
    let blobs = [config.into_bytes(), a.clone(), b.clone()];
    let served = blobs.clone();
    let server = Server::start(move |_, request| {
        let blob = served.iter().find(|blob| request.is_for(&format!("/v2/a/b/blobs/{}", Digest::sha256(blob))));
        answer("200 OK", &[], blob.map_or(manifest.as_bytes(), |blob| blob))
    });
    let read = |aside: bool| {
        let before = server.requests().len();
        let settings = Options {
            platform: "linux/amd64".parse().unwrap(),
            offline: false,
            keep: None,
            aside: aside.then(|| here.path().to_owned()),
            registry: options(),
            limits: Limits::default(),
        };
        let image = open(&format!("{}/a/b:latest", server.host()).parse::<Reference>().unwrap(), &settings).unwrap();
        let all: Vec<_> = (0..layers.len()).collect();
        let mut ahead = ReadAhead::new(&image, &all, Arc::new(NoProgress));
        for (index, layer) in layers.iter().enumerate() {
            assert_eq!(ahead.take(index).unwrap().finish().unwrap().diff_id, Digest::sha256(layer));
        }
        let asked = server.requests().split_off(before);
        blobs[1..]
            .iter()
            .map(|blob| {
                let path = format!("/v2/a/b/blobs/{}", Digest::sha256(blob));
                asked.iter().filter(|request| request.is_for(&path)).count()
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(read(true), [1, 1]);
    // Control: where nothing can be held, each comes by itself.
    assert_eq!(read(false), [2, 3]);
}
