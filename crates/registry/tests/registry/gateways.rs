//! What stands between a registry and its users: gateways that redirect, caches that encode, proxies that ask who is there.

use std::io::{Read, Write};
use std::process::{Command, Stdio};

use nex_registry::{Digest, Error, transport};
use nex_testkit::http_server::{Server, answer};

use crate::support::{Repository as _, credentials};

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
    assert!(matches!(registry.manifest("large").unwrap_err(), Error::Transport(transport::Error::TooLarge { .. })));
    assert!(matches!(registry.manifest("cut").unwrap_err(), Error::Transport(transport::Error::Encoding { .. })));
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
