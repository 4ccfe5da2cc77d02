//! A directory of records, and supervisors that are threads of the test.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nex_supervise::api::{self, Answer, Failure, Inspection, Request, SOCKET};
use nex_supervise::spool::{SpoolOptions, SpoolWriter, Stream};
use nex_supervise::{About, Ended, Event, GuestDir, Id, Journal, Mode, NewGuest, Reason, StateDir, UnixMillis};
use nex_testkit::nex::program;
use nex_testkit::{Result, command};
use tempfile::TempDir;

use crate::machine;

/// Records of guests, for one test alone.
pub struct World {
    directory: TempDir,
    state: StateDir,
}

impl World {
    pub fn new() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let state = StateDir::open(&directory.path().join("state/nex/run"))?;
        Ok(Self { directory, state })
    }

    /// A command of nex that sees these records alone.
    pub fn nex(&self, arguments: &[&str]) -> Command {
        let mut nex = Command::new(program());
        nex.env_clear().env("XDG_STATE_HOME", self.directory.path().join("state")).args(arguments);
        nex.current_dir(self.directory.path());
        nex
    }

    /// What a command writes that ends well.
    pub fn text(&self, arguments: &[&str]) -> Result<String> {
        Ok(String::from_utf8(command::run(&mut self.nex(arguments))?)?)
    }

    /// Its JSON, a value for each line.
    pub fn json(&self, arguments: &[&str]) -> Result<Vec<serde_json::Value>> {
        let text = self.text(arguments)?;
        Ok(text.lines().map(serde_json::from_str).collect::<std::result::Result<_, _>>()?)
    }

    /// The exit code of a command, and what it writes to both outputs.
    pub fn result(&self, arguments: &[&str]) -> Result<(Option<i32>, String, String)> {
        let output = command::output(&mut self.nex(arguments))?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ok((output.status.code(), text(&output.stdout), text(&output.stderr)))
    }

    /// The directory of a guest.
    pub fn record(&self, id: &str) -> PathBuf {
        self.directory.path().join("state/nex/run/guests").join(id)
    }

    /// A guest that runs, and its supervisor.
    pub fn guest(&self, name: &str) -> Result<Supervisor> {
        self.guest_of(name, Mode { detached: true, ..Mode::default() })
    }

    /// One that was started so.
    pub fn guest_of(&self, name: &str, mode: Mode) -> Result<Supervisor> {
        let about = About {
            root: "alpine.ext4".into(),
            command: vec!["sh".into(), "-c".into(), "a b".into()],
            ..About::default()
        };
        let name = if name.is_empty() { None } else { Some(name.parse()?) };
        let NewGuest { directory, mut journal } = self.state.create(name.as_ref(), about, mode)?;
        journal.note(Event::Up)?;
        let spool = SpoolWriter::new(directory.directory(), SpoolOptions::default())?;
        let (id, path) = (directory.id().clone(), directory.path().to_owned());
        // The path of a socket is short, and that of the directory need not be.
        let listener = UnixListener::bind(path.join(SOCKET))?;
        let life = Life { journal: Some(journal), spool, asked: Vec::new(), refuses: None };
        let shared = Arc::new(Shared { directory, path, life: Mutex::new(life) });
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let (Ok(connection), serving) = (connection, Arc::clone(&serving)) else { return };
                std::thread::spawn(move || serving.serve(connection));
            }
        });
        Ok(Supervisor { id, shared })
    }

    /// A guest that has ended so, having written this.
    pub fn ended(&self, name: &str, reason: Reason, output: &[(Stream, &str)]) -> Result<Id> {
        let guest = self.guest(name)?;
        output.iter().for_each(|(stream, text)| guest.writes(*stream, text));
        guest.ends(reason);
        Ok(guest.id.clone())
    }
}

/// A supervisor. Its guest ends with it.
pub struct Supervisor {
    pub id: Id,
    shared: Arc<Shared>,
}

struct Shared {
    directory: GuestDir,
    path: PathBuf,
    life: Mutex<Life>,
}

struct Life {
    journal: Option<Journal>,
    spool: SpoolWriter,
    asked: Vec<Request>,
    refuses: Option<Failure>,
}

impl Supervisor {
    /// The guest's program writes this.
    pub fn writes(&self, stream: Stream, text: &str) {
        self.writes_at(stream, text, UnixMillis::now());
    }

    /// The same at another time.
    pub fn writes_at(&self, stream: Stream, text: &str, time: UnixMillis) {
        self.shared.life().spool.write(stream, text.as_bytes(), time);
    }

    /// The guest ends.
    pub fn ends(&self, reason: Reason) {
        self.shared.end(reason);
    }

    /// What clients have asked for so far.
    pub fn asked(&self) -> Vec<Request> {
        self.shared.life().asked.clone()
    }

    /// From now on, nothing is done.
    pub fn refuses(&self, code: &str, message: &str, hint: &str) {
        let (code, message, hint) = (code.to_owned(), message.to_owned(), Some(hint.to_owned()));
        self.shared.life().refuses = Some(Failure { code, message, causes: Vec::new(), hint });
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.ends(Reason::Exited { code: 0 });
    }
}

impl Shared {
    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, reason: Reason) {
        let mut life = self.life();
        if let Some(journal) = life.journal.take() {
            drop(fs::remove_file(self.path.join(SOCKET)));
            journal.end(Ended::because_of(reason)).expect("the last line");
        }
    }

    /// Does what a connection asks for.
    fn serve(&self, mut connection: UnixStream) {
        let mut line = Vec::new();
        let read = connection
            .try_clone()
            .map(|connection| BufReader::with_capacity(1, connection).read_until(b'\n', &mut line));
        read.expect("a connection").expect("a request");
        let request: Request = api::decode(line.trim_ascii_end()).expect("a request of this version");
        let refused = {
            let mut life = self.life();
            life.asked.push(request.clone());
            life.refuses.clone().map(Answer::Error)
        };
        let is_refused = refused.is_some();
        let answer = refused.unwrap_or_else(|| self.answer(&request));
        let sent = connection.write_all(&api::encode(&answer).expect("a line"));
        match request {
            _ if is_refused || sent.is_err() => {}
            Request::Events {} => self.events(connection),
            Request::Channel {} => machine::serve(connection),
            _ => {}
        }
    }

    fn answer(&self, request: &Request) -> Answer {
        match request {
            Request::Inspect {} => {
                let record = self.directory.record().expect("a record");
                let state = self.directory.state(&record).expect("a state");
                Answer::Guest(Box::new(Inspection::of(&record, state)))
            }
            Request::Events {} => Answer::Events {},
            Request::Stop { .. } => {
                let reason = Reason::Stopped { code: 143 };
                self.end(reason);
                Answer::Ended(api::Ended::because_of(reason))
            }
            Request::Kill { .. } => Answer::Killed {},
            Request::Channel {} => Answer::Channel {},
        }
    }

    /// The journal's lines, until the last one.
    fn events(&self, mut connection: UnixStream) {
        let mut sent = 0;
        loop {
            let journal = fs::read(self.path.join("journal")).unwrap_or_default();
            let end = journal.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            let lines = &journal[sent.min(end)..end];
            let is_last = lines.windows(7).any(|word| word == b"\"ended\"");
            if connection.write_all(lines).is_err() || is_last {
                return;
            }
            sent = end;
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
