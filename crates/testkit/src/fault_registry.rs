//! A registry on the loopback address that serves an image of a layout, and fails where a test wants it to, as no real one
//! does.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use serde_json::Value;

use crate::failure::Context;
use crate::{Failure, Result};

/// The head of a request.
#[derive(Clone, Debug)]
pub struct Request {
    /// The target's path, without a query.
    pub path: String,
    /// Names in lower case, and values.
    pub headers: BTreeMap<String, String>,
    /// The layer that it is for, 0 being the lowest.
    pub layer: Option<usize>,
    /// How many requests for the same path came before.
    pub earlier: usize,
    /// Bytes of the answer's body that were sent; known when the answer has ended.
    pub sent: u64,
}

impl Request {
    /// The first byte of the range asked for; 0 without one.
    pub fn first(&self) -> usize {
        let range = self.headers.get("range").and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
        range.and_then(|first| first.parse().ok()).unwrap_or(0)
    }
}

/// A connection on which a request is answered.
pub struct Reply {
    stream: TcpStream,
    sent: u64,
}

impl Reply {
    /// The head of an answer. The connection ends with the answer.
    ///
    /// # Errors
    /// When the other side has gone.
    pub fn head(&mut self, status: &str, headers: &[(&str, &str)]) -> io::Result<()> {
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        write!(self.stream, "HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n")
    }

    /// Bytes of the body.
    ///
    /// # Errors
    /// When the other side has gone.
    pub fn body(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)?;
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

/// A listening registry. Every connection serves one request, on a thread of its own.
pub struct FaultRegistry {
    address: SocketAddr,
    log: Arc<Mutex<Vec<Request>>>,
    is_stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl FaultRegistry {
    /// Serves the only image of a layout, under every name and tag. `answer` gets each request that has content, and the
    /// content.
    ///
    /// # Errors
    /// When the layout cannot be read.
    pub fn start(
        layout: &Path,
        answer: impl Fn(&Request, &[u8], &mut Reply) -> io::Result<()> + Send + Sync + 'static,
    ) -> Result<Self> {
        let image = Arc::new(Image::read(layout)?);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let (log, is_stopped) = (Arc::default(), Arc::new(AtomicBool::new(false)));
        let (answer, seen, stop) = (Arc::new(answer), Arc::clone(&log), Arc::clone(&is_stopped));
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (image, answer, log) = (Arc::clone(&image), Arc::clone(&answer), Arc::clone(&seen));
                // A client that goes away is part of some tests.
                thread::spawn(move || drop(exchange(stream, &image, &*answer, &log)));
            }
        });
        Ok(Self { address, log, is_stopped, thread: Some(thread) })
    }

    /// Host and port, as a reference has them.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All requests that had content so far.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.log).clone()
    }

    /// Bytes sent of each layer that was asked for.
    pub fn sent(&self) -> BTreeMap<usize, u64> {
        let mut sent = BTreeMap::new();
        for request in self.requests() {
            request.layer.into_iter().for_each(|layer| *sent.entry(layer).or_default() += request.sent);
        }
        sent
    }
}

impl Drop for FaultRegistry {
    fn drop(&mut self) {
        self.is_stopped.store(true, Ordering::SeqCst);
        // A last connection wakes the thread up; answers still under way end with their clients.
        drop(TcpStream::connect(self.address));
        self.thread.take().map(JoinHandle::join);
    }
}

/// An image as it is served.
struct Image {
    blobs: BTreeMap<String, Vec<u8>>,
    manifest: Vec<u8>,
    /// The layers' digests.
    layers: Vec<String>,
}

impl Image {
    fn read(layout: &Path) -> Result<Self> {
        let directory = layout.join("blobs/sha256");
        let mut blobs = BTreeMap::new();
        for entry in fs::read_dir(&directory).context(directory.display())? {
            let entry = entry?;
            blobs.insert(format!("sha256:{}", entry.file_name().to_string_lossy()), fs::read(entry.path())?);
        }
        let index: Value = serde_json::from_slice(&fs::read(layout.join("index.json"))?)?;
        let digest = index["manifests"][0]["digest"].as_str().unwrap_or_default();
        let manifest = blobs.get(digest).ok_or_else(|| Failure::new("the layout has no manifest"))?.clone();
        let document: Value = serde_json::from_slice(&manifest)?;
        let layers = document["layers"].as_array().into_iter().flatten();
        let layers = layers.map(|layer| layer["digest"].as_str().unwrap_or_default().to_owned()).collect();
        Ok(Self { blobs, manifest, layers })
    }

    fn content(&self, path: &str) -> Option<&[u8]> {
        let (before, last) = path.rsplit_once('/')?;
        let is_manifest = before.ends_with("/manifests");
        self.blobs.get(last).or(is_manifest.then_some(&self.manifest)).map(Vec::as_slice)
    }
}

fn exchange(
    stream: TcpStream,
    image: &Image,
    answer: &(impl Fn(&Request, &[u8], &mut Reply) -> io::Result<()> + ?Sized),
    log: &Mutex<Vec<Request>>,
) -> io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let mut next = || lines.next().unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()));
    let line = next()?;
    let target = line.split(' ').nth(1).unwrap_or_default();
    let path = target.split('?').next().unwrap_or_default().to_owned();
    let mut headers = BTreeMap::new();
    while let Some((name, value)) = next()?.split_once(':') {
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut reply = Reply { stream, sent: 0 };
    let Some(content) = image.content(&path) else {
        return reply.refuse("404 Not Found", &[]);
    };
    let layer = image.layers.iter().position(|digest| path.ends_with(digest.as_str()));
    let (request, place) = {
        let mut log = lock(log);
        let earlier = log.iter().filter(|request| request.path == path).count();
        log.push(Request { path, headers, layer, earlier, sent: 0 });
        (log[log.len() - 1].clone(), log.len() - 1)
    };
    let answered = answer(&request, content, &mut reply);
    lock(log)[place].sent = reply.sent;
    answered
}

fn lock(log: &Mutex<Vec<Request>>) -> MutexGuard<'_, Vec<Request>> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}
