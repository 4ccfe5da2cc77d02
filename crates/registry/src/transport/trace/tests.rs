use std::fmt::{self, Write};
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};
use ureq::http::StatusCode;

use super::*;

/// Keeps all that is traced.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<String>>);

impl Subscriber for Kept {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        event.record(&mut Text(&mut self.0.lock().unwrap()));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Text<'a>(&'a mut String);

impl Visit for Text<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        writeln!(self.0, "{field}={value:?}").unwrap();
    }
}

fn traced(act: impl FnOnce()) -> String {
    let kept = Kept::default();
    tracing::subscriber::with_default(kept.clone(), act);
    kept.0.lock().unwrap().clone()
}

/// What nobody else may see.
const SECRETS: [&str; 2] = ["hunter2", "s3cr3t"];

fn secrets(text: &str) -> Vec<&'static str> {
    SECRETS.into_iter().filter(|secret| text.contains(secret)).collect()
}

fn address() -> Uri {
    "https://user:hunter2@cdn.example/v2/a/blobs/b?X-Signature=s3cr3t".parse().unwrap()
}

#[test]
fn an_exchange_is_traced_without_what_is_secret_in_its_address() {
    let uri = address();
    let text = traced(|| {
        request(&Method::GET, &uri, Origin::Own, Authorized::Yes);
        let own: Uri = "https://r.example/v2/a/blobs/b".parse().unwrap();
        redirect((&own, Origin::Own), (&uri, Origin::Other));
        request(&Method::GET, &uri, Origin::Other, Authorized::No);
        let answer = Response::builder().status(StatusCode::NOT_FOUND).body(()).unwrap();
        exchange(&Method::GET, (&uri, Origin::Own), &Ok(answer), Duration::from_millis(12));
        let refused = Error::ConnectionRefused { host: "cdn.example".into() };
        exchange::<()>(&Method::HEAD, (&uri, Origin::Own), &Err(refused), Duration::from_secs(1));
    });
    for words in [
        "GET https://***@cdn.example/v2/a/blobs/b: 404 Not Found in 0.012 s",
        "asking the server itself with credentials",
        // The path of another server's address may be what lets anybody in.
        "https://r.example/v2/a/blobs/b leads to https://cdn.example/\u{2026}\n",
        "GET https://cdn.example/\u{2026}: asking another server that it leads to without credentials",
        "HEAD https://***@cdn.example/v2/a/blobs/b: no answer in 1.000 s",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert_eq!(secrets(&text), [""; 0], "{text}");
}

/// What looks for secrets finds them where they are.
#[test]
fn an_address_as_it_stands_would_be_noticed() {
    let text = traced(|| tracing::info!(target: TARGET, "{} {}", Method::GET, address()));
    assert_eq!(secrets(&text), SECRETS, "{text}");
}
