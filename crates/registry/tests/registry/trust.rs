//! What a registry must not get: credentials for others, or a way into the network behind us.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use nex_registry::transport::{self, Security};
use nex_registry::{CredentialPlaces, Digest, Error, Registry, Shown};
use nex_testkit::distribution::{certificates, has_openssl};
use nex_testkit::http_server::{Request, Server, answer, raw};
use nex_testkit::inner_addresses::METADATA;

use crate::support::{Repository as _, client, connect, credentials, options, reference};

/// `alice:wonder land` in base64, as docker keeps it.
const AUTH: &str = "YWxpY2U6d29uZGVyIGxhbmQ=";

/// Settings with credentials for a host; the directory must be kept.
fn logged_in(host: &str) -> (tempfile::TempDir, CredentialPlaces) {
    credentials(&format!(r#"{{"auths": {{"{host}": {{"auth": "{AUTH}"}}}}}}"#))
}

#[test]
fn basic_credentials_are_sent_only_when_asked_for() {
    let server = Server::start(|_, request| match request.header("authorization") {
        None => answer("401 Unauthorized", &[("WWW-Authenticate", r#"Basic realm="r""#)], b""),
        Some(_) => answer("200 OK", &[], b"{}"),
    });
    let (_directory, places) = logged_in(&server.host());
    let registry = server.repository(|options| options.credentials = places);
    registry.manifest("latest").unwrap();
    registry.manifest("latest").unwrap();
    let sent: Vec<_> = server.requests().iter().map(|r| r.header("authorization").map(str::to_owned)).collect();
    let basic = Some(format!("Basic {AUTH}"));
    assert_eq!(sent, [None, basic.clone(), basic]);
}

#[test]
fn tokens_are_fetched_with_the_password_and_renewed_when_they_expire() {
    let tokens = Server::start(|count, _| answer("200 OK", &[], format!(r#"{{"token":"t{count}"}}"#).as_bytes()));
    let challenge = format!(r#"Bearer realm="http://{}/token?x=1",service="the service""#, tokens.host());
    let blob = Arc::new(vec![7_u8; 300_000]);
    let served = Arc::clone(&blob);
    // The token t0 expires after the first request that it opens, in the middle of the blob.
    let opened = AtomicUsize::new(0);
    let server = Server::start(move |_, request| {
        let is_good = match request.header("authorization") {
            Some("Bearer t0") => opened.fetch_add(1, Ordering::SeqCst) == 0,
            Some("Bearer t1") => true,
            _ => false,
        };
        if !is_good {
            return answer("401 Unauthorized", &[("WWW-Authenticate", &challenge)], b"");
        }
        let first = request.range().unwrap_or(0);
        let cut = if first == 0 { 100_000 } else { served.len() };
        let length = (served.len() - first).to_string();
        let range = format!("bytes {first}-299999/300000");
        let headers = [("Content-Length", length.as_str()), ("Content-Range", range.as_str())];
        let status = if first == 0 { "200 OK" } else { "206 Partial Content" };
        raw(status, &headers, &served[first..cut])
    });
    let (_directory, places) = logged_in(&server.host());
    let registry = server.repository(|options| options.credentials = places);
    let mut reader = registry.blob(&Digest::sha256(&blob), Some(300_000)).unwrap();
    assert_eq!(std::io::copy(&mut reader, &mut std::io::sink()).unwrap(), 300_000);

    let asked = tokens.requests();
    assert_eq!(asked.len(), 2);
    assert!(asked[0].line.contains("/token?x=1&service=the%20service&scope=repository%3Aa%2Fb%3Apull"), "{asked:?}");
    assert_eq!(asked[0].header("authorization"), Some(format!("Basic {AUTH}").as_str()));
    // The password is the token server's; the registry saw tokens alone.
    assert!(server.requests().iter().all(|r| r.header("authorization").is_none_or(|sent| sent.starts_with("Bearer"))));
}

#[test]
fn identity_tokens_are_exchanged_by_form() {
    let tokens = Server::start(|_, _| answer("200 OK", &[], br#"{"access_token":"short"}"#));
    let challenge = format!(r#"Bearer realm="http://{}/token",service="s",scope="x y""#, tokens.host());
    let server = Server::start(move |_, request| match request.header("authorization") {
        Some("Bearer short") => answer("200 OK", &[], b"{}"),
        _ => answer("401 Unauthorized", &[("WWW-Authenticate", &challenge)], b""),
    });
    let (_directory, places) =
        credentials(&format!(r#"{{"auths": {{"{}": {{"identitytoken": "long&lived"}}}}}}"#, server.host()));
    server.repository(|options| options.credentials = places).manifest("latest").unwrap();
    let request = &tokens.requests()[0];
    assert!(request.line.starts_with("POST /token "));
    let form = "grant_type=refresh_token&service=s&scope=x%20y&client_id=nex&refresh_token=long%26lived";
    assert_eq!(request.body, form);
}

#[test]
fn a_refusal_names_every_place_that_was_looked_at_and_no_secret() {
    let body = br#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#;
    let server = Server::start(|_, _| answer("401 Unauthorized", &[("WWW-Authenticate", "Basic realm=r")], body));
    let (_directory, places) = logged_in("other.example");
    let error = server.repository(|options| options.credentials = places).manifest("latest").unwrap_err();
    let message = error.to_string();
    assert!(message.contains("no credentials found; looked in test/config.json: no entry"), "{message}");
    assert!(message.contains("401 for a/b (UNAUTHORIZED: authentication required)"), "{message}");
    assert_eq!(server.requests().len(), 1);

    let (_directory, places) = logged_in(&server.host());
    let error = server.repository(|options| options.credentials = places).manifest("latest").unwrap_err();
    let message = format!("{error} {error:?}");
    assert!(message.contains("were not accepted; looked in test/config.json: found in auths"), "{message}");
    assert!(!message.contains("wonder land") && !message.contains(AUTH), "{message}");
}

/// What is wrong, and what helps, goes by what the registry was shown.
#[test]
fn a_refusal_says_what_was_shown_and_what_helps() {
    const BASIC: &str = "Basic realm=r";
    let given = || CredentialPlaces::given("alice", "wonder land");
    let nobody = || logged_in("other.example");
    let refused = |status: &'static str, challenge: Option<&'static str>, places: CredentialPlaces| {
        let server = Server::start(move |_, _| {
            let headers: Vec<_> = challenge.map(|challenge| ("WWW-Authenticate", challenge)).into_iter().collect();
            answer(status, &headers, b"")
        });
        let error = server.repository(|options| options.credentials = places).manifest("latest").unwrap_err();
        let Error::Unauthorized { shown, .. } = &error else { panic!("{error}") };
        let sent = server.requests().iter().any(|request| request.header("authorization").is_some());
        (*shown, sent, nex_fault::advised(&error, nex_fault::Setting::flag))
    };
    let says = |(shown, sent, words): (Shown, bool, String), expected: Shown, is_sent: bool, parts: &[&str]| {
        assert!((shown, sent) == (expected, is_sent) && parts.iter().all(|part| words.contains(part)), "{words}");
        assert!(is_sent || !words.contains("not accept"), "{words}");
    };
    // A registry that never asks was shown nothing, whatever there is.
    let parts = ["refuses without asking for credentials", "whether the registry serves this machine"];
    says(refused("403 Forbidden", None, given()), Shown::Nothing, false, &parts);
    says(refused("403 Forbidden", None, nobody().1), Shown::Nothing, false, &parts);
    let parts = ["does not accept the credentials that were given", "the user and the password of --creds"];
    says(refused("401 Unauthorized", Some(BASIC), given()), Shown::Given, true, &parts);
    let parts = ["no credentials found", "podman login", "--creds"];
    says(refused("401 Unauthorized", Some(BASIC), nobody().1), Shown::NoCredentials, false, &parts);
    let parts = ["another kind of credentials", "--creds"];
    says(refused("401 Unauthorized", Some("Negotiate"), given()), Shown::OtherKind, false, &parts);
}

/// A gateway, a registry or a storage that shows what it was asked, as many do where one looks for errors.
fn echo(status: &'static str, form: fn(&str) -> String) -> impl Fn(usize, &Request) -> Vec<u8> {
    move |_, request| {
        let authorization = request.header("authorization").unwrap_or_default();
        let password = if authorization.starts_with("Basic ") { "wonder land" } else { "" };
        let said = format!("no: {} {authorization} {password} {}", request.line, request.body);
        answer(status, &[("RateLimit-Limit", authorization)], form(&said).as_bytes())
    }
}

#[test]
fn what_a_server_repeats_of_a_request_shows_no_secret() {
    let forms: [fn(&str) -> String; 2] =
        [|said| format!("{said}\n"), |said| format!(r#"{{"errors":[{{"code":"DENIED","message":"{said}"}}]}}"#)];
    let shown = |registry: &nex_registry::Registry| {
        let error = registry.manifest("latest").unwrap_err();
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("no: GET /") || shown.contains("no: POST /"), "{shown}");
        for secret in [AUTH, AUTH.trim_end_matches('='), "wonder", "the.token", "refresh.token", "signature", "hunter2"]
        {
            assert!(!shown.contains(secret), "{secret}: {shown}");
        }
        shown
    };
    for form in forms {
        for status in ["403 Forbidden", "404 Not Found", "418 I'm a teapot", "429 Too Many Requests"] {
            // The password itself.
            let echo = echo(status, form);
            let server = Server::start(move |count, request| match request.header("authorization") {
                None => answer("401 Unauthorized", &[("WWW-Authenticate", "Basic realm=r")], b""),
                Some(_) => echo(count, request),
            });
            let (_directory, places) = logged_in(&server.host());
            shown(&server.repository(|options| options.credentials = places));
        }
        // A token, and the token server that is shown a password.
        for gives in [true, false] {
            let refuse = echo("403 Forbidden", form);
            let tokens = Server::start(move |count, request| match gives {
                true => answer("200 OK", &[], br#"{"token":"the.token"}"#),
                false => refuse(count, request),
            });
            let challenge = format!(r#"Bearer realm="http://{}/token?key=hunter2",service="s""#, tokens.host());
            let refuse = echo("403 Forbidden", form);
            let server = Server::start(move |count, request| match request.header("authorization") {
                None => answer("401 Unauthorized", &[("WWW-Authenticate", &challenge)], b""),
                Some(_) => refuse(count, request),
            });
            let (_directory, places) = logged_in(&server.host());
            shown(&server.repository(|options| options.credentials = places));
            let entry = format!(r#"{{"auths":{{"{}":{{"identitytoken":"refresh.token"}}}}}}"#, server.host());
            let (_directory, places) = credentials(&entry);
            shown(&server.repository(|options| options.credentials = places));
        }
        // The signature of an address that a redirect has led to.
        let storage = Server::start(echo("404 Not Found", form));
        let elsewhere = format!("http://{}/storage?sig=signature&x=hunter2", storage.host());
        let server = Server::start(move |_, _| answer("302 Found", &[("Location", &elsewhere)], b""));
        let said = shown(&server.repository(|_| ()));
        assert!(said.contains("GET /storage?*** HTTP/1.1"), "{said}");
    }
}

#[test]
fn redirects_to_another_host_do_not_get_the_authorization() {
    let storage = Server::start(|_, _| answer("200 OK", &[], b"abc"));
    let elsewhere = format!("http://{}/storage?signature=secret", storage.host());
    let server = Server::start(move |_, request| match request.header("authorization") {
        None => answer("401 Unauthorized", &[("WWW-Authenticate", "Basic realm=r")], b""),
        Some(_) => answer("307 Temporary Redirect", &[("Location", &elsewhere)], b""),
    });
    let (_directory, places) = logged_in(&server.host());
    let registry = server.repository(|options| options.credentials = places);
    let mut content = String::new();
    let mut reader = registry.blob(&Digest::sha256(b"abc"), Some(3)).unwrap();
    std::io::Read::read_to_string(&mut reader, &mut content).unwrap();
    assert_eq!(content, "abc");
    assert_eq!(storage.requests().len(), 1);
    assert_eq!(storage.requests()[0].header("authorization"), None);
}

#[test]
fn a_challenge_from_another_host_is_not_answered() {
    let storage = Server::start(|_, _| answer("401 Unauthorized", &[("WWW-Authenticate", "Basic realm=r")], b""));
    let elsewhere = format!("http://{}/storage?signature=secret", storage.host());
    let server = Server::start(move |_, _| answer("302 Found", &[("Location", &elsewhere)], b""));
    let (_directory, places) = logged_in(&storage.host());
    let error = server.repository(|options| options.credentials = places).manifest("latest").unwrap_err();
    assert!(matches!(error, Error::Status { status: 401, .. }), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
    assert_eq!(storage.requests().len(), 1);
}

#[test]
fn redirects_end_after_five() {
    let server = Server::start(|_, _| answer("302 Found", &[("Location", "/v2/again")], b""));
    let error = server.repository(|_| ()).manifest("latest").unwrap_err();
    assert!(error.to_string().contains("more than 5 in a row"), "{error}");
    assert_eq!(server.requests().len(), 6);
}

#[test]
fn redirects_to_metadata_services_are_refused() {
    for target in ["http://169.254.1.1/latest", "http://[fe80::1]/", "file:///etc/passwd", "http://u:p@h/"] {
        let server = Server::start(move |_, _| answer("302 Found", &[("Location", target)], b""));
        let error = server.repository(|_| ()).manifest("latest").unwrap_err();
        assert!(matches!(error, Error::Transport(transport::Error::Redirect { .. })), "{error}");
    }
    for host in METADATA {
        let target = format!("http://{host}/latest");
        let server = Server::start(move |_, _| answer("302 Found", &[("Location", &target)], b""));
        let error = server.repository(|_| ()).manifest("latest").unwrap_err();
        assert!(matches!(error, Error::Transport(transport::Error::Redirect { .. })), "{host}: {error}");
        assert!(error.to_string().contains("it leads to a cloud's metadata service"), "{host}: {error}");
    }
}

#[test]
fn what_is_wrong_with_a_redirect_is_said() {
    for (target, reason) in [
        (Some("http://u:hunter2@h.example/x?q"), "to http://h.example/\u{2026}: the address holds user information"),
        (Some("ftp://h/"), "it names no http or https address"),
        (None, "it does not say where"),
    ] {
        let headers: Vec<_> = target.map(|target| ("Location", target)).into_iter().collect();
        let server = Server::start(move |_, _| answer("302 Found", &headers, b""));
        let error = server.repository(|_| ()).manifest("latest").unwrap_err();
        assert!(error.to_string().contains(reason) && !format!("{error:?}").contains("hunter2"), "{target:?}: {error}");
    }
}

#[test]
fn token_servers_inside_the_network_are_refused() {
    for (realm, reason) in [
        ("http://169.254.169.254/token", "further inside"),
        ("http://168.63.129.16/token", "further inside"),
        ("https://100.100.100.200/token", "further inside"),
        ("http://192.0.0.192/token", "further inside"),
        ("https://[fd00:ec2::254]/token", "further inside"),
        ("https://[64:ff9b::a9fe:a9fe]/token", "further inside"),
        ("http://2852039166/token", "further inside"),
        ("http://metadata.google.internal./token", "further inside"),
        ("https://[fe80::1]/token", "further inside"),
        ("file:///etc/passwd", "no address"),
        ("/token", "no absolute address"),
        ("ftp://auth.example/", "not https"),
        ("http://user:hunter2@auth.example/", "http://***@auth.example/': it holds user information"),
        ("http://user:hunter2 x@auth.example/?hunter2", "http://***@auth.example/': it is no address"),
        ("", "no address"),
    ] {
        let challenge = format!(r#"Bearer realm="{realm}""#);
        let server = Server::start(move |_, _| answer("401 Unauthorized", &[("WWW-Authenticate", &challenge)], b""));
        let error = server.repository(|_| ()).manifest("latest").unwrap_err();
        assert!(matches!(error, Error::Realm { .. }), "{error}");
        assert!(error.to_string().contains(reason), "{realm}: {error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
}

#[test]
fn a_refusal_by_the_token_server_is_told() {
    let tokens = Server::start(|_, _| answer("401 Unauthorized", &[], br#"{"details":"incorrect password"}"#));
    let challenge = format!(r#"Bearer realm="http://{}/token""#, tokens.host());
    let server = Server::start(move |_, _| answer("401 Unauthorized", &[("WWW-Authenticate", &challenge)], b""));
    let error = server.repository(|_| ()).manifest("latest").unwrap_err();
    assert!(matches!(&error, Error::Unauthorized { said, .. } if said == "incorrect password"), "{error}");
}

#[test]
fn answers_without_a_token_are_refused_without_repeating_them() {
    for body in [r#"{"token":""}"#, r#"{"access_token":5,"x":"secret"}"#, "secret", r#"{"token":"a\nsecret"}"#] {
        let tokens = Server::start(move |_, _| answer("200 OK", &[], body.as_bytes()));
        let challenge = format!(r#"Bearer realm="http://{}/token""#, tokens.host());
        let server = Server::start(move |_, _| answer("401 Unauthorized", &[("WWW-Authenticate", &challenge)], b""));
        let error = server.repository(|_| ()).manifest("latest").unwrap_err();
        assert!(matches!(error, Error::Token { .. }), "{error}");
        assert!(!format!("{error} {error:?}").contains("secret"), "{error}");
    }
}

#[test]
fn an_encrypted_registry_leads_to_nothing_unencrypted() {
    if !has_openssl() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let files = certificates(directory.path());
    let plain = Server::start(|_, _| answer("200 OK", &[], br#"{"token":"t"}"#));
    let location = format!("http://localhost:{}/x", plain.port());
    let challenge = format!(r#"Bearer realm="{location}""#);
    let server = Server::start_tls(&files, move |_, request| {
        if request.is_for("/v2/a/b/manifests/moved") {
            return answer("302 Found", &[("Location", &location)], b"");
        }
        answer("401 Unauthorized", &[("WWW-Authenticate", &challenge)], b"")
    });
    let host = format!("localhost:{}", server.port());
    let (_directory, places) = logged_in(&host);
    let registry = connect(&host, |options| {
        options.transport.security = Security::Tls;
        options.credentials = places;
        options.transport.certificates.files = vec![files[0].clone()];
    });
    let moved = registry.manifest("moved").unwrap_err();
    assert!(moved.to_string().contains("from https to http"), "{moved}");
    let closed = registry.manifest("closed").unwrap_err();
    assert!(matches!(closed, Error::Realm { .. }) && closed.to_string().contains("not https"), "{closed}");
    assert_eq!(server.requests().len(), 2);
    assert!(plain.requests().is_empty());
}

#[test]
fn plain_http_is_never_tried_unasked() {
    let server = Server::start(|_, _| b"HTTP/1.0 400 Bad Request\r\n\r\nthis is plain HTTP".to_vec());
    let error =
        connect(&server.host(), |options| options.transport.security = Security::Tls).manifest("latest").unwrap_err();
    assert!(server.requests().is_empty() || server.requests().iter().all(|r| !r.line.starts_with("GET")));
    assert!(!matches!(error, Error::Status { .. }), "{error}");
}

#[test]
fn requests_go_through_the_proxy_that_is_set() {
    let proxy = Server::start(|_, _| answer("503 Service Unavailable", &[], b""));
    let mut settings = options();
    settings.transport.proxies.http = Some(format!("http://{}", proxy.host()));
    settings.transport.retry.attempts = 1;
    let registry = Registry::connect(&reference("r.example", "a/b"), &settings).unwrap();
    registry.manifest("latest").unwrap_err();
    assert!(proxy.requests()[0].line.contains("r.example"), "{:?}", proxy.requests());
}

#[test]
fn nobody_but_the_registry_is_shown_who_we_are() {
    if !has_openssl() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let files = certificates(directory.path());
    let place = client(directory.path(), &files);
    let token = Arc::new(std::sync::OnceLock::<String>::new());
    let challenge = Arc::clone(&token);
    // What a redirect leads to wants a token of the registry's own server, and sends the caller back to the registry.
    let storage = Server::start_tls(&files, move |count, request| match (count, request.header("authorization")) {
        (0, _) => {
            answer("401 Unauthorized", &[("WWW-Authenticate", &format!("Bearer realm=\"{}\"", challenge.wait()))], b"")
        }
        (1, Some(_)) => answer("307 Temporary Redirect", &[("Location", challenge.wait())], b""),
        _ => answer("200 OK", &[], b"abc"),
    });
    let elsewhere = format!("https://localhost:{}/storage", storage.port());
    let server = Server::start_tls(&files, move |_, request| match request.is_for("/v2/") {
        true => answer("307 Temporary Redirect", &[("Location", &elsewhere)], b""),
        false => answer("200 OK", &[], br#"{"token":"for anybody"}"#),
    });
    token.set(format!("https://localhost:{}/token", server.port())).unwrap();
    let registry = connect(&format!("localhost:{}", server.port()), |options| {
        options.transport.security = Security::Tls;
        options.transport.certificates.own = Some(place);
    });
    let _ = registry.blob(&Digest::sha256(b"abc"), Some(3));
    let (own, others) = (server.requests(), storage.requests());
    assert!(others.iter().all(|request| !request.has_identity) && others.len() >= 2, "{others:?}");
    for request in &own {
        assert_eq!(request.has_identity, request.is_for("/v2/"), "{request:?}");
    }
    assert!(
        own.iter().any(|request| request.has_identity) && own.iter().any(|request| request.is_for("/token")),
        "{own:?}"
    );
}
