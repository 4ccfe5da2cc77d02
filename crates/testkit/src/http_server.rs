//! A small HTTP server that answers what a test wants, over TLS too: it fails and cheats on demand, as no real one does.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// A connection, encrypted or not.
trait Stream: Read + Write {
    /// Whether the client has shown a certificate.
    fn has_identity(&self) -> bool;
}

impl Stream for TcpStream {
    fn has_identity(&self) -> bool {
        false
    }
}

impl Stream for StreamOwned<ServerConnection, TcpStream> {
    fn has_identity(&self) -> bool {
        self.conn.peer_certificates().is_some()
    }
}

/// A request as it came in.
#[derive(Debug, Clone)]
pub struct Request {
    /// Method and target, such as `GET /v2/a/tags/list`.
    pub line: String,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body, if it had one.
    pub body: String,
    /// Whether the client has shown a certificate.
    pub has_identity: bool,
}

impl Request {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// True when the target's path begins so.
    pub fn is_for(&self, path: &str) -> bool {
        self.line.split(' ').nth(1).is_some_and(|target| target.starts_with(path))
    }

    /// The first byte of the range asked for.
    pub fn range(&self) -> Option<usize> {
        self.header("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }
}

/// A listening server. Every connection serves one request.
pub struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    is_stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Answers requests with the bytes that `handler` gives; it gets the number of requests before this one.
    pub fn start(handler: impl Fn(usize, &Request) -> Vec<u8> + Send + 'static) -> Server {
        Server::serve(at_once(handler), |stream| Box::new(stream))
    }

    /// Answers requests piece by piece, as slowly as `handler` likes.
    pub fn start_slow(handler: impl Fn(&Request, &mut dyn Write) -> io::Result<()> + Send + 'static) -> Server {
        Server::serve(move |_, request, stream| handler(request, stream), |stream| Box::new(stream))
    }

    /// The same over TLS, with a certificate and its key. Clients are asked for theirs, signed by `authority`.
    pub fn start_tls(
        [authority, certificate, key]: &[PathBuf; 3],
        handler: impl Fn(usize, &Request) -> Vec<u8> + Send + 'static,
    ) -> Server {
        let chain = CertificateDer::pem_file_iter(certificate).unwrap().map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_file(key).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut authorities = RootCertStore::empty();
        authorities.add(CertificateDer::from_pem_file(authority).unwrap()).unwrap();
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), Arc::clone(&provider));
        let clients = clients.allow_unauthenticated().build().unwrap();
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = Arc::new(builder.with_client_cert_verifier(clients).with_single_cert(chain, key).unwrap());
        Server::serve(at_once(handler), move |stream| {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            Box::new(StreamOwned::new(connection, stream))
        })
    }

    fn serve(
        handler: impl Fn(usize, &Request, &mut dyn Write) -> io::Result<()> + Send + 'static,
        wrap: impl Fn(TcpStream) -> Box<dyn Stream> + Send + 'static,
    ) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let is_stopped = Arc::new(AtomicBool::new(false));
        let (seen, stop) = (Arc::clone(&requests), Arc::clone(&is_stopped));
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let stream = stream.unwrap();
                stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
                let mut stream = wrap(stream);
                let Some(mut request) = read_request(&mut stream) else { continue };
                request.has_identity = stream.has_identity();
                let count = seen.lock().unwrap().len();
                seen.lock().unwrap().push(request.clone());
                // A client that stops reading is part of some tests.
                let _ = handler(count, &request, &mut stream).and_then(|()| stream.flush());
            }
        });
        Server { address, requests, is_stopped, thread: Some(thread) }
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// The port, at a name that a certificate can have.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// What was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.is_stopped.store(true, Ordering::SeqCst);
        // A last connection wakes the thread up.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn at_once(
    handler: impl Fn(usize, &Request) -> Vec<u8> + Send + 'static,
) -> impl Fn(usize, &Request, &mut dyn Write) -> io::Result<()> + Send + 'static {
    move |count, request, stream| stream.write_all(&handler(count, request))
}

fn read_request(stream: &mut impl Read) -> Option<Request> {
    let mut lines = BufReader::new(stream);
    let mut next = || {
        let mut line = String::new();
        lines.read_line(&mut line).ok().filter(|bytes| *bytes > 0).map(|_| line.trim_end().to_owned())
    };
    let line = next()?;
    let mut headers = Vec::new();
    while let Some((name, value)) = next()?.split_once(':') {
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = Request { line, headers, body: String::new(), has_identity: false };
    // One that asks whether its body is wanted is answered without it.
    let is_held_back = request.header("expect").is_some();
    if !is_held_back && let Some(length) = request.header("content-length").and_then(|length| length.parse().ok()) {
        let mut body = vec![0; length];
        lines.read_exact(&mut body).ok()?;
        request.body = String::from_utf8(body).ok()?;
    }
    Some(request)
}

/// An answer with a `Content-Length`, after which the connection is closed.
pub fn answer(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let length = body.len().to_string();
    raw(status, &[headers, &[("Content-Length", &length)]].concat(), body)
}

/// An answer with these headers alone.
pub fn raw(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status}\r\nConnection: close\r\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    [text.as_bytes(), body].concat()
}
