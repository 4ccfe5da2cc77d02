//! The microVM: what it has been told so far, and in which order that is allowed.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::answer::Answer;
use super::check;
use super::description::When;
use super::drive::Drive;
use super::guest::{Guest, Parts};
use super::http::Request;
use super::log::Log;

/// The version whose description is held against requests.
pub const VERSION: &str = "1.12.1";
/// The longest command line, in bytes, with what Firecracker adds to it.
const LONGEST_COMMAND_LINE: usize = 2048;
/// What an ELF file for x86_64 begins with, as far as that is one text.
const ELF: &[u8] = b"\x7fELF\x02\x01";

/// A microVM.
pub struct Microvm {
    id: String,
    vcpus: u64,
    memory_mib: u64,
    boot: Option<Boot>,
    drives: Vec<Drive>,
    has_entropy: bool,
    /// Its socket's name and, until the guest has it, the socket.
    vsock: Option<(PathBuf, UnixListener)>,
    metrics: Option<File>,
    state: State,
}

/// What the kernel is, and what it is told.
struct Boot {
    kernel: PathBuf,
    initramfs: Option<PathBuf>,
    command_line: String,
}

enum State {
    NotStarted,
    Running(Guest),
    Paused(Guest),
}

/// Who cannot do what was asked for says why.
type Outcome = Result<Answer, String>;

impl Microvm {
    /// A microVM that nobody has told anything.
    pub fn new(id: String) -> Self {
        Self {
            id,
            vcpus: 1,
            memory_mib: 128,
            boot: None,
            drives: Vec::new(),
            has_entropy: false,
            vsock: None,
            metrics: None,
            state: State::NotStarted,
        }
    }

    /// Does what a request asks for, or refuses it.
    pub fn handle(&mut self, request: &Request, log: &mut Log) -> Answer {
        self.try_to_handle(request, log).unwrap_or_else(|fault| Answer::fault(&fault))
    }

    fn try_to_handle(&mut self, request: &Request, log: &mut Log) -> Outcome {
        let (operation, identifier) = check::operation(&request.method, &request.path)?;
        let body = match (&request.body, operation.body) {
            (None, None) => Map::new(),
            (Some(_), None) => return Err(format!("a {} has no body", request.method)),
            (None, Some(_)) => return Err(format!("this {} needs a body", request.method)),
            (Some(body), Some(object)) => check::body(body, object)?,
        };
        if identifier.is_some_and(|identifier| body.get("drive_id") != Some(&json!(identifier))) {
            return Err("the drive_id of the body is another one than that of the path".to_owned());
        }
        let action = body.get("action_type").and_then(Value::as_str).unwrap_or_default();
        let when = match operation.when {
            When::ByContent if action == "InstanceStart" => When::BeforeStart,
            When::ByContent => When::AfterStart,
            when => when,
        };
        match (when, &self.state) {
            (When::BeforeStart, State::Running(_) | State::Paused(_)) => {
                return Err("that is not supported any more after the start".to_owned());
            }
            (When::AfterStart, State::NotStarted) => return Err("that is not supported before the start".to_owned()),
            _ => {}
        }
        match (operation.method, operation.path) {
            ("GET", "/") => Ok(Answer::with(self.describe())),
            ("GET", "/version") => Ok(Answer::with(json!({ "firecracker_version": VERSION }))),
            ("GET", "/machine-config") => {
                Ok(Answer::with(json!({ "vcpu_count": self.vcpus, "mem_size_mib": self.memory_mib, "smt": false,
                        "track_dirty_pages": false, "huge_pages": "None" })))
            }
            (_, "/machine-config") => self.configure(&body),
            (_, "/boot-source") => self.set_boot_source(&body),
            ("PUT", "/drives/{id}") => self.add_drive(&body),
            (_, "/logger") => redirect_log(&body, log),
            (_, "/metrics") => self.set_metrics(&body),
            (_, "/entropy") => {
                self.has_entropy = true;
                Ok(Answer::done())
            }
            (_, "/vsock") => self.set_vsock(&body),
            (_, "/actions") => self.act(action),
            (_, "/vm") => self.pause_or_resume(&body),
            _ => Ok(Answer::done()),
        }
    }

    fn describe(&self) -> Value {
        let state = match self.state {
            State::NotStarted => "Not started",
            State::Running(_) => "Running",
            State::Paused(_) => "Paused",
        };
        json!({ "id": self.id, "state": state, "vmm_version": VERSION, "app_name": "Firecracker" })
    }

    fn configure(&mut self, body: &Map<String, Value>) -> Outcome {
        if body.is_empty() {
            return Err("nothing is to be changed".to_owned());
        }
        let vcpus = body.get("vcpu_count").and_then(Value::as_u64).unwrap_or(self.vcpus);
        let memory_mib = body.get("mem_size_mib").and_then(Value::as_u64).unwrap_or(self.memory_mib);
        let page_mib = if text(body, "huge_pages") == Some("2M") { 2 } else { 1 };
        if memory_mib == 0 || !memory_mib.is_multiple_of(page_mib) {
            return Err("the memory's size is 0, or not a multiple of a page's".to_owned());
        }
        if body.get("smt") == Some(&json!(true)) && vcpus > 1 && !vcpus.is_multiple_of(2) {
            return Err("with SMT, the number of processors is 1 or even".to_owned());
        }
        (self.vcpus, self.memory_mib) = (vcpus, memory_mib);
        Ok(Answer::done())
    }

    fn set_boot_source(&mut self, body: &Map<String, Value>) -> Outcome {
        let kernel = path(body, "kernel_image_path").ok_or("no kernel")?;
        File::open(&kernel).map_err(|error| format!("the kernel cannot be opened: {error}"))?;
        let initramfs = path(body, "initrd_path");
        if let Some(initramfs) = &initramfs {
            File::open(initramfs).map_err(|error| format!("the initrd cannot be opened: {error}"))?;
        }
        let command_line =
            text(body, "boot_args").unwrap_or("reboot=k panic=1 pci=off nomodule 8250.nr_uarts=0").to_owned();
        if command_line.len() >= LONGEST_COMMAND_LINE {
            return Err("the command line is too long".to_owned());
        }
        self.boot = Some(Boot { kernel, initramfs, command_line });
        Ok(Answer::done())
    }

    fn add_drive(&mut self, body: &Map<String, Value>) -> Outcome {
        let flag = |name| body.get(name) == Some(&json!(true));
        let drive = Drive {
            id: text(body, "drive_id").unwrap_or_default().to_owned(),
            file: path(body, "path_on_host").ok_or("no file")?,
            is_read_only: flag("is_read_only"),
            is_root: flag("is_root_device"),
        };
        if drive.is_root && self.drives.iter().any(|other| other.is_root && other.id != drive.id) {
            return Err("there is a root device already".to_owned());
        }
        let opened = File::options().read(true).write(!drive.is_read_only).open(&drive.file);
        opened.map_err(|error| format!("the drive's file cannot be opened: {error} {}", drive.file.display()))?;
        match self.drives.iter_mut().find(|other| other.id == drive.id) {
            Some(other) => *other = drive,
            None => self.drives.push(drive),
        }
        Ok(Answer::done())
    }

    fn set_metrics(&mut self, body: &Map<String, Value>) -> Outcome {
        if self.metrics.is_some() {
            return Err("the metrics have been set up already".to_owned());
        }
        let file = path(body, "metrics_path").ok_or("no file")?;
        let opened = File::options().read(true).append(true).open(file);
        self.metrics = Some(opened.map_err(|error| format!("the metrics cannot be written: {error}"))?);
        Ok(Answer::done())
    }

    fn set_vsock(&mut self, body: &Map<String, Value>) -> Outcome {
        let socket = path(body, "uds_path").ok_or("no socket")?;
        if self.vsock.take().is_some() {
            // As Firecracker does: it makes the device anew, under whatever name.
            let _ = fs::remove_file(&socket);
        }
        let listener = UnixListener::bind(&socket).map_err(|error| format!("the vsock's socket: {error}"))?;
        self.vsock = Some((socket, listener));
        Ok(Answer::done())
    }

    fn act(&mut self, action: &str) -> Outcome {
        match (action, &mut self.state) {
            ("InstanceStart", _) => self.start(),
            ("SendCtrlAltDel", State::Running(guest) | State::Paused(guest)) => {
                guest.press_ctrl_alt_del().map_err(|error| error.to_string()).map(|()| Answer::done())
            }
            _ => {
                let written =
                    self.metrics.as_mut().map_or(Ok(()), |file| writeln!(file, "{}", json!({ "acted": true })));
                written.map_err(|error| error.to_string()).map(|()| Answer::done())
            }
        }
    }

    fn start(&mut self) -> Outcome {
        let boot = self.boot.as_ref().ok_or("a microVM without a kernel cannot be started")?;
        let mut magic = [0; ELF.len()];
        let read = File::open(&boot.kernel).and_then(|mut file| file.read_exact(&mut magic));
        if read.is_err() || magic != ELF {
            return Err("the kernel is no ELF file of 64 bits".to_owned());
        }
        // The root device is the first, whenever it was added, and the kernel is told so behind all other words.
        self.drives.sort_by_key(|drive| !drive.is_root);
        let root = match self.drives.first() {
            Some(drive) if drive.is_root && drive.is_read_only => " root=/dev/vda ro",
            Some(drive) if drive.is_root => " root=/dev/vda rw",
            _ => "",
        };
        let guest = Guest::start(&Parts {
            kernel: &boot.kernel,
            initramfs: boot.initramfs.as_deref(),
            command_line: &format!("{}{root}", boot.command_line),
            drives: &self.drives,
            memory_mib: self.memory_mib,
            vcpus: self.vcpus,
            has_entropy: self.has_entropy,
            vsock: self.vsock.as_ref().map(|(socket, _)| socket.as_path()),
        });
        self.state = State::Running(guest.map_err(|error: io::Error| format!("QEMU does not act it out: {error}"))?);
        Ok(Answer::done())
    }

    fn pause_or_resume(&mut self, body: &Map<String, Value>) -> Outcome {
        let pause = text(body, "state") == Some("Paused");
        let state = std::mem::replace(&mut self.state, State::NotStarted);
        let (State::Running(mut guest) | State::Paused(mut guest)) = state else {
            return Err("not started".to_owned());
        };
        let result = if pause { guest.pause() } else { guest.resume() };
        self.state = if pause { State::Paused(guest) } else { State::Running(guest) };
        result.map_err(|error| error.to_string()).map(|()| Answer::done())
    }
}

fn redirect_log(body: &Map<String, Value>, log: &mut Log) -> Outcome {
    if let Some(file) = text(body, "log_path") {
        log.redirect(Path::new(file)).map_err(|error| format!("the log cannot be written: {error}"))?;
    }
    if let Some(level) = text(body, "level") {
        log.set_level(level);
    }
    Ok(Answer::done())
}

fn text<'a>(body: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    body.get(name).and_then(Value::as_str)
}

fn path(body: &Map<String, Value>, name: &str) -> Option<PathBuf> {
    text(body, name).map(PathBuf::from)
}
