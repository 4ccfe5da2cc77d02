//! Firecracker's double refuses what Firecracker's description does not allow, and says to every request what a real
//! Firecracker says to it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nex_testkit::tiny_guest::{self, Then};
use nex_testkit::{Failure, Result, firecracker};
use serde_json::{Value, json};
use tempfile::TempDir;

const PATIENCE: Duration = Duration::from_secs(20);

/// A running program, real or acted; dropped, it is killed.
struct Program {
    child: Child,
    connection: BufReader<UnixStream>,
    // Held for its `Drop`, which deletes the files that the requests name.
    directory: TempDir,
}

impl Program {
    fn start(program: &Path) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let socket = directory.path().join("api");
        for name in ["log", "metrics"] {
            fs::write(directory.path().join(name), "")?;
        }
        fs::write(directory.path().join("drive"), [0; 1 << 16])?;
        fs::write(directory.path().join("tiny"), tiny_guest::vmlinux("hello\n", Then::Hang))?;
        fs::write(
            directory.path().join("script"),
            "#!/bin/sh\necho this is no kernel, and longer than a header of one",
        )?;
        let mut command = Command::new(program);
        command.arg("--api-sock").arg(&socket).arg("--log-path").arg(directory.path().join("log"));
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
        let deadline = Instant::now() + PATIENCE;
        let connected = loop {
            match UnixStream::connect(&socket) {
                Err(_) if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
                result => break result?,
            }
        };
        connected.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { child, connection: BufReader::new(connected), directory })
    }

    /// Asks, and gives the status and the body of the answer. `@` in a text of the body is the directory.
    fn ask(&mut self, method: &str, path: &str, body: Option<&Value>) -> Result<(u16, Value)> {
        let directory = self.directory.path().to_string_lossy().into_owned();
        let body = body.map(|body| body.to_string().replace('@', &directory));
        self.ask_text(method, path, body.as_deref())
    }

    fn ask_text(&mut self, method: &str, path: &str, body: Option<&str>) -> Result<(u16, Value)> {
        let mut text = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n");
        if let Some(body) = body {
            text += &format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        } else {
            text += "\r\n";
        }
        self.connection.get_mut().write_all(text.as_bytes())?;
        let (mut status, mut length) = (String::new(), 0);
        self.connection.read_line(&mut status)?;
        loop {
            let mut header = String::new();
            self.connection.read_line(&mut header)?;
            if let Some(value) = header.strip_prefix("Content-Length:") {
                length = value.trim().parse()?;
            }
            if header.trim().is_empty() {
                break;
            }
        }
        let mut answer = vec![0; length];
        self.connection.read_exact(&mut answer)?;
        let status = status.split(' ').nth(1).ok_or_else(|| Failure::new("no status"))?.parse()?;
        Ok((status, if answer.is_empty() { Value::Null } else { serde_json::from_slice(&answer)? }))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A request that a real one and the double answer alike.
fn before_the_start() -> Vec<(&'static str, &'static str, Option<Value>, u16)> {
    let drive = json!({ "drive_id": "root", "path_on_host": "@/drive", "is_root_device": true, "is_read_only": false });
    let drive_with = |name: &str, value: Value| {
        let mut drive = drive.clone();
        drive[name] = value;
        Some(drive)
    };
    let drive_without = |name: &str| {
        let mut drive = drive.clone();
        drive.as_object_mut().map(|fields| fields.remove(name));
        Some(drive)
    };
    vec![
        ("GET", "/", None, 200),
        ("GET", "/version", None, 200),
        ("GET", "/machine-config", None, 200),
        ("GET", "/nothing", None, 400),
        ("GET", "/entropy", None, 400),
        ("GET", "/machine-config", Some(json!({})), 400),
        ("PUT", "/nothing", Some(json!({})), 400),
        ("PUT", "/entropy", None, 400),
        ("PUT", "/entropy", Some(json!("text")), 400),
        ("PUT", "/entropy", Some(json!({ "rate": 1 })), 400),
        ("PUT", "/entropy", Some(json!({ "rate_limiter": { "ops": { "size": 1 } } })), 400),
        ("PUT", "/entropy", Some(json!({ "rate_limiter": { "ops": { "size": 1, "refill_time": 100 } } })), 204),
        ("PATCH", "/entropy", Some(json!({})), 400),
        ("PUT", "/machine-config", Some(json!({ "vcpu_count": 2, "mem_size_mib": 64 })), 204),
        ("PUT", "/machine-config", Some(json!({ "vcpu_count": 2 })), 400),
        ("PUT", "/machine-config", Some(json!({ "vcpu_count": 0, "mem_size_mib": 64 })), 400),
        ("PUT", "/machine-config", Some(json!({ "vcpu_count": 33, "mem_size_mib": 64 })), 400),
        ("PUT", "/machine-config", Some(json!({ "vcpu_count": 300, "mem_size_mib": 64 })), 400),
        ("PUT", "/machine-config", Some(json!({ "vcpu_count": "2", "mem_size_mib": 64 })), 400),
        ("PUT", "/machine-config", Some(json!({ "vcpu_count": 1.5, "mem_size_mib": 64 })), 400),
        ("PUT", "/machine-config", Some(json!({ "vcpu_count": 2, "mem_size_mib": 0 })), 400),
        ("PUT", "/machine-config", Some(json!({ "vcpu_count": 3, "mem_size_mib": 64, "smt": true })), 400),
        ("PUT", "/machine-config", Some(json!({ "vcpu_count": 2, "mem_size_mib": 63, "huge_pages": "2M" })), 400),
        ("PUT", "/machine-config", Some(json!({ "vcpu_count": 2, "mem_size_mib": 64, "huge_pages": "4M" })), 400),
        ("PATCH", "/machine-config", Some(json!({ "vcpu_count": 1 })), 204),
        ("PATCH", "/machine-config", Some(json!({})), 400),
        ("PUT", "/boot-source", Some(json!({})), 400),
        ("PUT", "/boot-source", Some(json!({ "kernel_image_path": 5 })), 400),
        ("PUT", "/boot-source", Some(json!({ "kernel_image_path": "@/missing" })), 400),
        ("PUT", "/boot-source", Some(json!({ "kernel_image_path": "@/tiny", "initrd_path": "@/missing" })), 400),
        ("PUT", "/boot-source", Some(json!({ "kernel_image_path": "@/tiny", "boot_args": "a".repeat(3000) })), 400),
        ("PUT", "/boot-source", Some(json!({ "kernel_image_path": "@/tiny", "cmdline": "" })), 400),
        ("PUT", "/drives", Some(drive.clone()), 400),
        ("PUT", "/drives/", Some(drive.clone()), 400),
        ("PUT", "/drives/other", Some(drive.clone()), 400),
        ("PUT", "/drives/ro-ot", drive_with("drive_id", json!("ro-ot")), 400),
        ("PUT", "/drives/root", drive_without("drive_id"), 400),
        ("PUT", "/drives/root", drive_without("is_root_device"), 400),
        ("PUT", "/drives/root", drive_without("path_on_host"), 400),
        ("PUT", "/drives/root", drive_with("path_on_host", json!("@/missing")), 400),
        ("PUT", "/drives/root", drive_with("path_on_host", json!("@")), 400),
        ("PUT", "/drives/root", drive_with("is_root_device", json!(1)), 400),
        ("PUT", "/drives/root", drive_with("cache_type", json!("Never")), 400),
        ("PUT", "/drives/root", drive_with("io_engine", json!("Fast")), 400),
        ("PUT", "/drives/root", drive_with("snapshot", json!(true)), 400),
        ("PUT", "/drives/root", Some(drive.clone()), 204),
        ("PUT", "/drives/root", Some(drive.clone()), 204),
        ("PUT", "/drives/second", drive_with("drive_id", json!("second")), 400),
        ("PATCH", "/drives/root", Some(json!({ "drive_id": "root", "path_on_host": "@/drive" })), 400),
        ("PUT", "/vsock", Some(json!({ "uds_path": "@/vsock" })), 400),
        ("PUT", "/vsock", Some(json!({ "guest_cid": -1, "uds_path": "@/vsock" })), 400),
        ("PUT", "/vsock", Some(json!({ "guest_cid": 3, "uds_path": "@/missing/vsock" })), 400),
        ("PUT", "/vsock", Some(json!({ "guest_cid": 3, "uds_path": "@/vsock" })), 204),
        ("PUT", "/logger", Some(json!({ "log_path": "@/missing/log" })), 400),
        ("PUT", "/logger", Some(json!({ "level": "Loud" })), 400),
        ("PUT", "/logger", Some(json!({ "level": "info", "show_level": true })), 204),
        ("PUT", "/metrics", Some(json!({})), 400),
        ("PUT", "/metrics", Some(json!({ "metrics_path": "@/metrics" })), 204),
        ("PUT", "/metrics", Some(json!({ "metrics_path": "@/metrics" })), 400),
        ("PUT", "/actions", Some(json!({})), 400),
        ("PUT", "/actions", Some(json!({ "action_type": "Start" })), 400),
        ("PUT", "/actions", Some(json!({ "action_type": "SendCtrlAltDel" })), 400),
        ("PUT", "/actions", Some(json!({ "action_type": "FlushMetrics" })), 400),
        ("PATCH", "/vm", Some(json!({ "state": "Paused" })), 400),
        ("PATCH", "/vm", Some(json!({ "state": "Off" })), 400),
        ("PUT", "/actions", Some(json!({ "action_type": "InstanceStart" })), 400),
    ]
}

fn after_the_start() -> Vec<(&'static str, &'static str, Option<Value>, u16)> {
    let drive = json!({ "drive_id": "late", "path_on_host": "@/drive", "is_root_device": false, "is_read_only": true });
    vec![
        ("GET", "/", None, 200),
        ("GET", "/machine-config", None, 200),
        ("PUT", "/actions", Some(json!({ "action_type": "InstanceStart" })), 400),
        ("PUT", "/boot-source", Some(json!({ "kernel_image_path": "@/tiny" })), 400),
        ("PUT", "/drives/late", Some(drive), 400),
        ("PUT", "/machine-config", Some(json!({ "vcpu_count": 1, "mem_size_mib": 64 })), 400),
        ("PUT", "/entropy", Some(json!({})), 400),
        ("PUT", "/vsock", Some(json!({ "guest_cid": 3, "uds_path": "@/late" })), 400),
        ("PUT", "/logger", Some(json!({ "level": "Off" })), 400),
        ("PATCH", "/drives/root", Some(json!({ "drive_id": "other" })), 400),
        ("PATCH", "/vm", Some(json!({ "state": "Paused" })), 204),
        ("PATCH", "/vm", Some(json!({ "state": "Resumed" })), 204),
        ("PUT", "/actions", Some(json!({ "action_type": "FlushMetrics" })), 204),
        ("PUT", "/actions", Some(json!({ "action_type": "SendCtrlAltDel" })), 204),
    ]
}

/// Makes requests, and gives those that were answered otherwise than expected.
fn surprises(program: &mut Program, requests: &[(&str, &str, Option<Value>, u16)]) -> Result<Vec<String>> {
    let mut surprises = Vec::new();
    for (method, path, body, expected) in requests {
        let (status, answer) = program.ask(method, path, body.as_ref())?;
        let has_fault = answer["fault_message"].as_str().is_some_and(|message| !message.is_empty());
        if status != *expected || has_fault != (status == 400) {
            let body = body.as_ref().map(Value::to_string).unwrap_or_default();
            surprises.push(format!("{method} {path} {body}: {status} {answer}, and not {expected}"));
        }
    }
    Ok(surprises)
}

fn none(surprises: Result<Vec<String>>) -> Result<()> {
    let surprises = surprises?;
    if surprises.is_empty() { Ok(()) } else { Err(Failure::new(surprises.join("\n"))) }
}

fn boot_source(kernel: &str) -> Option<Value> {
    Some(json!({ "kernel_image_path": kernel, "boot_args": "console=ttyS0 pci=off panic=0" }))
}

/// Sets a kernel up that does not end, and starts it.
fn start(program: &mut Program, kernel: &str) -> Result<()> {
    let start = json!({ "action_type": "InstanceStart" });
    none(surprises(
        program,
        &[
            ("PUT", "/boot-source", boot_source("@/script"), 204),
            ("PUT", "/actions", Some(start.clone()), 400),
            ("PUT", "/boot-source", boot_source(kernel), 204),
            ("PUT", "/actions", Some(start), 204),
        ],
    ))
}

#[test]
fn a_real_one_judges_the_requests() -> Result<()> {
    let Some(real) = firecracker::real()? else { return Ok(()) };
    none(surprises(&mut Program::start(&real)?, &before_the_start()))?;
    if firecracker::has_kvm() {
        let mut program = Program::start(&real)?;
        start(&mut program, "@/tiny")?;
        none(surprises(&mut program, &after_the_start()))?;
    }
    Ok(())
}

#[test]
fn the_double_answers_as_the_real_one() -> Result<()> {
    none(surprises(&mut Program::start(firecracker::double()?)?, &before_the_start()))
}

#[test]
fn the_double_keeps_the_order() -> Result<()> {
    let Some(parts) = nex_testkit::guest::Parts::find()? else { return Ok(()) };
    let directory = tempfile::tempdir()?;
    let vmlinux = directory.path().join("vmlinux");
    fs::write(&vmlinux, nex_testkit::guest::vmlinux(&parts.kernel)?)?;
    let mut program = Program::start(firecracker::double()?)?;
    start(&mut program, &vmlinux.to_string_lossy())?;
    none(surprises(&mut program, &after_the_start()))
}

/// Where the description says more than the program demands, the double goes by the description.
#[test]
fn the_double_is_as_strict_as_the_description() -> Result<()> {
    let mut double = Program::start(firecracker::double()?)?;
    let drive = json!({ "drive_id": "root", "path_on_host": "@/drive", "is_root_device": true });
    none(surprises(
        &mut double,
        &[
            ("PUT", "/drives/root", Some(drive), 400),
            ("PUT", "/vsock", Some(json!({ "guest_cid": 2, "uds_path": "@/vsock" })), 400),
            ("PUT", "/boot-source", Some(json!({ "kernel_image_path": "@/tiny", "boot_args": null })), 400),
        ],
    ))?;
    for body in ["", "{", "[]", "nothing"] {
        let (status, _) = double.ask_text("PUT", "/entropy", Some(body))?;
        assert_eq!(status, 400, "{body:?}");
    }
    Ok(())
}

#[test]
fn both_refuse_other_arguments() -> Result<()> {
    let mut programs = vec![firecracker::double()?.to_owned()];
    programs.extend(firecracker::real()?);
    let directory = tempfile::tempdir()?;
    fs::write(directory.path().join("taken"), "")?;
    let path = |name: &str| directory.path().join(name).to_string_lossy().into_owned();
    for program in programs {
        for (arguments, code) in [
            (vec!["--version".to_owned()], 0),
            (vec!["--nothing".to_owned(), "5".to_owned()], 153),
            (vec!["--api-sock".to_owned(), path("taken")], 1),
            (vec!["--api-sock".to_owned(), path("b"), "--log-path".to_owned(), path("missing/log")], 1),
        ] {
            let output = Command::new(&program).args(&arguments).stdin(Stdio::null()).output()?;
            assert_eq!(output.status.code(), Some(code), "{} {arguments:?}", program.display());
        }
        // The real one does not exit then: it panics.
        let named = Command::new(&program).args(["--id", "not_a_name", "--api-sock"]).arg(path("c")).output()?;
        assert!(!named.status.success(), "{}", program.display());
        let printed = Command::new(&program).arg("--version").output()?.stdout;
        assert!(String::from_utf8_lossy(&printed).starts_with("Firecracker v1."));
    }
    Ok(())
}
