//! Acts a guest out: the same kernel, drives and command line in QEMU, by emulation, with the console where Firecracker
//! has it.
//!
//! QEMU's machine has its drives on PCI, where Firecracker's release 1.12 has none: the words that keep the kernel from
//! looking there are left out.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::FdFlags;
use serde_json::{Value, json};

use super::drive::Drive;

/// What a kernel must not be told here.
const ONLY_FIRECRACKERS: [&str; 1] = ["pci=off"];

/// What the guest is made of.
pub struct Parts<'a> {
    /// The kernel, an ELF file.
    pub kernel: &'a Path,
    /// The archive for the kernel's first root.
    pub initramfs: Option<&'a Path>,
    /// All that the kernel is told.
    pub command_line: &'a str,
    /// The drives, in order.
    pub drives: &'a [Drive],
    /// The memory.
    pub memory_mib: u64,
    /// The number of processors.
    pub vcpus: u64,
    /// Whether it has a source of random numbers.
    pub has_entropy: bool,
    /// The name of its vsock's socket.
    pub vsock: Option<&'a Path>,
}

/// A guest that runs. When it ends, so does this process.
pub struct Guest {
    monitor: BufReader<UnixStream>,
}

impl Guest {
    /// Starts it. Must be called by the main thread: QEMU ends with the thread that calls this.
    pub fn start(parts: &Parts<'_>) -> io::Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        rustix::io::fcntl_setfd(&theirs, FdFlags::empty())?;
        // Killed, Firecracker takes its guest with it.
        let mut qemu = Command::new("setpriv");
        qemu.args(["--pdeathsig", "KILL", "qemu-system-x86_64"]);
        qemu.args(["-M", "q35", "-accel", "tcg", "-cpu", "max", "-nodefaults", "-display", "none", "-no-reboot"]);
        qemu.args(["-m", &parts.memory_mib.to_string(), "-smp", &parts.vcpus.to_string()]);
        qemu.args(["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"]);
        qemu.args(["-chardev", &format!("socket,id=monitor,fd={}", theirs.as_fd().as_raw_fd())]);
        qemu.args(["-mon", "chardev=monitor,mode=control"]);
        qemu.arg("-kernel").arg(parts.kernel);
        if let Some(initramfs) = parts.initramfs {
            qemu.arg("-initrd").arg(initramfs);
        }
        let words = parts.command_line.split(' ').filter(|word| !ONLY_FIRECRACKERS.contains(word));
        qemu.args(["-append", &words.collect::<Vec<_>>().join(" ")]);
        for drive in parts.drives {
            let access = if drive.is_read_only { "readonly=on" } else { "cache=writeback" };
            let file = drive.file.to_string_lossy().replace(',', ",,");
            qemu.arg("-drive").arg(format!("if=virtio,format=raw,{access},file.locking=off,file={file}"));
        }
        if parts.has_entropy {
            qemu.args(["-device", "virtio-rng-pci"]);
        }
        let device = parts.vsock.map(|socket| vsock(&mut qemu, socket, parts.memory_mib)).transpose()?.flatten();
        let mut child = qemu.spawn()?;
        drop(theirs);
        let mut guest = Self { monitor: BufReader::new(ours) };
        while guest.receive()?.get("QMP").is_none() {}
        guest.order(json!({ "execute": "qmp_capabilities" }))?;
        thread::spawn(move || {
            let ended_well = child.wait().is_ok_and(|status| status.success());
            if let Some((mut device, control)) = device {
                // It waits for the next QEMU, on a socket whose name Firecracker would not leave behind.
                let _ = device.kill().and_then(|()| device.wait());
                let _ = fs::remove_file(control);
            }
            std::process::exit(if ended_well { 0 } else { 1 });
        });
        Ok(guest)
    }

    /// Presses the three keys.
    pub fn press_ctrl_alt_del(&mut self) -> io::Result<()> {
        let key = |name| json!({ "type": "qcode", "data": name });
        let keys = [key("ctrl"), key("alt"), key("delete")];
        self.order(json!({ "execute": "send-key", "arguments": { "keys": keys } }))
    }

    /// Stops its processors.
    pub fn pause(&mut self) -> io::Result<()> {
        self.order(json!({ "execute": "stop" }))
    }

    /// Lets its processors go on.
    pub fn resume(&mut self) -> io::Result<()> {
        self.order(json!({ "execute": "cont" }))
    }

    fn order(&mut self, order: Value) -> io::Result<()> {
        self.monitor.get_mut().write_all(format!("{order}\n").as_bytes())?;
        loop {
            let answer = self.receive()?;
            if answer.get("return").is_some() {
                return Ok(());
            }
            if let Some(error) = answer.get("error") {
                return Err(io::Error::other(error.to_string()));
            }
        }
    }

    fn receive(&mut self) -> io::Result<Value> {
        let mut line = String::new();
        if self.monitor.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(serde_json::from_str(&line)?)
    }
}

/// Gives the guest a vsock, where there is the program that has the same sockets on the host as Firecracker. Returns that
/// program, and the name of the socket on which QEMU meets it.
fn vsock(qemu: &mut Command, socket: &Path, memory_mib: u64) -> io::Result<Option<(Child, PathBuf)>> {
    let Some(program) = super::vsock_program() else { return Ok(None) };
    let control = std::env::temp_dir().join(format!("firecracker-double-{}", std::process::id()));
    fs::remove_file(socket)?;
    let mut device = Command::new("setpriv");
    device.args(["--pdeathsig", "KILL"]).arg(program).args(["--guest-cid", "3", "--socket"]).arg(&control);
    device.arg("--uds-path").arg(socket).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let device = device.spawn()?;
    let deadline = Instant::now() + Duration::from_secs(10);
    while !control.exists() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(5));
    }
    // The device gets at the guest's memory, so both must share it.
    qemu.args(["-object", &format!("memory-backend-memfd,id=memory,size={memory_mib}M,share=on")]);
    qemu.args(["-machine", "memory-backend=memory"]);
    qemu.args(["-chardev", &format!("socket,id=vsock,path={}", control.display())]);
    qemu.args(["-device", "vhost-user-vsock-pci,chardev=vsock"]);
    Ok(Some((device, control)))
}
