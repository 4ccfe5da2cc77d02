//! A server on the loopback address that answers requests of HTTP as a test wants it, as no honest one does.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use crate::Result;

/// A connection, encrypted or not.
pub trait Connection: Read + Write {
    /// Whether the client has shown a certificate.
    fn has_identity(&self) -> bool;
}

impl Connection for TcpStream {
    fn has_identity(&self) -> bool {
        false
    }
}

/// A request as it came in.
#[derive(Clone, Debug)]
pub struct Request {
    /// Such as `GET`.
    pub method: String,
    /// The path and the query.
    pub target: String,
    /// The target's path, without a query.
    pub path: String,
    /// Names in lower case, and values.
    pub headers: BTreeMap<String, String>,
    /// The body, as long as its header says.
    pub body: Vec<u8>,
    /// Whether the client has shown a certificate.
    pub has_identity: bool,
    /// How many requests came before.
    pub number: usize,
    /// How many requests for the same path came before.
    pub earlier: usize,
    /// Bytes of the answer's body that were sent; known when the answer has ended.
    pub sent: u64,
}

impl Request {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// Whether the target begins so.
    pub fn is_for(&self, start: &str) -> bool {
        self.target.starts_with(start)
    }

    /// The first byte of the range asked for; `None` without one.
    pub fn range(&self) -> Option<usize> {
        self.header("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }

    /// The first byte that is wanted; 0 without a range.
    pub fn first(&self) -> usize {
        self.range().unwrap_or(0)
    }
}

/// A connection on which a request is answered.
pub struct Reply {
    connection: Box<dyn Connection>,
    sent: u64,
}

impl Reply {
    /// The head of an answer. The connection ends with the answer.
    ///
    /// # Errors
    /// When the other side has gone.
    pub fn head(&mut self, status: &str, headers: &[(&str, &str)]) -> io::Result<()> {
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        write!(self.connection, "HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n")
    }

    /// A whole answer as it stands, or a part of one.
    ///
    /// # Errors
    /// When the other side has gone.
    pub fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.connection.write_all(bytes)
    }

    /// Bytes of the body.
    ///
    /// # Errors
    /// When the other side has gone.
    pub fn body(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.connection.write_all(bytes)?;
        self.sent += bytes.len() as u64;
        Ok(())
    }

    /// An answer without content.
    ///
    /// # Errors
    /// When the other side has gone.
    pub fn refuse(&mut self, status: &str, headers: &[(&str, &str)]) -> io::Result<()> {
        self.head(status, &[headers, &[("Content-Length", "0")]].concat())
    }

    /// The head of an honest answer, with the whole content or the range that was asked for; gives what is to be the body.
    ///
    /// # Errors
    /// When the other side has gone.
    pub fn begin<'c>(&mut self, request: &Request, content: &'c [u8]) -> io::Result<&'c [u8]> {
        let (first, size) = (request.first(), content.len());
        let Some(rest) = content.get(first..).filter(|rest| first == 0 || !rest.is_empty()) else {
            self.refuse("416 Range Not Satisfiable", &[("Content-Range", &format!("bytes */{size}"))])?;
            return Ok(&[]);
        };
        let length = rest.len().to_string();
        if first == 0 {
            self.head("200 OK", &[("Content-Length", &length)])?;
        } else {
            let range = format!("bytes {first}-{}/{size}", size - 1);
            self.head("206 Partial Content", &[("Content-Length", &length), ("Content-Range", &range)])?;
        }
        Ok(rest)
    }

    /// An honest answer.
    ///
    /// # Errors
    /// When the other side has gone.
    pub fn serve(&mut self, request: &Request, content: &[u8]) -> io::Result<()> {
        let body = self.begin(request, content)?;
        self.body(body)
    }
}

/// A listening server. Every connection serves one request, on a thread of its own.
pub struct FaultServer {
    address: SocketAddr,
    log: Arc<Mutex<Vec<Request>>>,
    is_stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl FaultServer {
    /// Has requests answered.
    ///
    /// # Errors
    /// When nothing can listen.
    pub fn start(answer: impl Fn(&Request, &mut Reply) -> io::Result<()> + Send + Sync + 'static) -> Result<Self> {
        Self::start_over(|stream| Ok(Box::new(stream)), answer)
    }

    /// The same over what is made of each connection, such as one by TLS.
    ///
    /// # Errors
    /// When nothing can listen.
    pub fn start_over(
        wrap: impl Fn(TcpStream) -> io::Result<Box<dyn Connection>> + Send + Sync + 'static,
        answer: impl Fn(&Request, &mut Reply) -> io::Result<()> + Send + Sync + 'static,
    ) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let (log, is_stopped) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let (serve, stop) = (Arc::new((wrap, answer, Arc::clone(&log))), Arc::clone(&is_stopped));
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let serve = Arc::clone(&serve);
                // A client that goes away is part of some tests.
                thread::spawn(move || {
                    let (wrap, answer, log) = &*serve;
                    wrap(stream).and_then(|connection| exchange(connection, answer, log))
                });
            }
        });
        Ok(Self { address, log, is_stopped, thread: Some(thread) })
    }

    /// Host and port, as a reference has them.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.log).clone()
    }
}

impl Drop for FaultServer {
    fn drop(&mut self) {
        self.is_stopped.store(true, Ordering::SeqCst);
        // A last connection wakes the thread up; answers still under way end with their clients.
        drop(TcpStream::connect(self.address));
        self.thread.take().map(JoinHandle::join);
    }
}

fn exchange(
    mut connection: Box<dyn Connection>,
    answer: &impl Fn(&Request, &mut Reply) -> io::Result<()>,
    log: &Mutex<Vec<Request>>,
) -> io::Result<()> {
    let mut request = read(&mut connection)?;
    request.has_identity = connection.has_identity();
    {
        let mut log = lock(log);
        request.number = log.len();
        request.earlier = log.iter().filter(|other| other.path == request.path).count();
        log.push(request.clone());
    }
    let mut reply = Reply { connection, sent: 0 };
    let answered = answer(&request, &mut reply).and_then(|()| reply.connection.flush());
    lock(log)[request.number].sent = reply.sent;
    answered
}

fn read(connection: &mut impl Read) -> io::Result<Request> {
    let mut reader = BufReader::new(connection);
    let mut next = || {
        let mut line = String::new();
        match reader.read_line(&mut line)? {
            0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
            _ => Ok(line.trim_end().to_owned()),
        }
    };
    let line = next()?;
    let mut headers = BTreeMap::new();
    while let Some((name, value)) = next()?.split_once(':') {
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut words = line.split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split('?').next().unwrap_or_default().to_owned();
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Request { method, target, path, headers, body, has_identity: false, number: 0, earlier: 0, sent: 0 })
}

fn lock(log: &Mutex<Vec<Request>>) -> MutexGuard<'_, Vec<Request>> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}
