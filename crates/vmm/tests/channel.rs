//! The channel of QEMU's guests: the right bytes both ways, and a guest that reads nothing, writes without end or closes its port costs the
//! host nothing.

mod support;

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nex_kernel::cpio::Archive;
use nex_kernel::{MAX_KERNEL, Modules};
use nex_testkit::guest::Parts;
use nex_testkit::{Failure, Result, guest};
use nex_vmm::{Accelerator, Architecture, Channel, ChannelOpening, Guest, Machine, Qemu, Vmm};
use rustix::event::{PollFd, PollFlags, Timespec};
use support::{PATIENCE, machine, read_until};
use tempfile::TempDir;

/// What the guest reads and writes at once, in bytes.
const BLOCK: usize = 64 << 10;
/// More than what is on its way in the kernels of both, in the sockets and in QEMU, in bytes.
const MOST: usize = 4 << 20;

/// The guest's first process. It says on the console how far it is, and goes on at some places when it is told to.
const INIT: &str = r#"#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install -s /bin
mount -t devtmpfs devtmpfs /dev
exec </dev/console >/dev/console 2>&1
mount -t proc proc /proc
mount -t sysfs sysfs /sys
for module in /modules/*; do [ ! -e "$module" ] || insmod "$module"; done
until name=$(grep -l '^nex.channel$' /sys/class/virtio-ports/*/name 2>/dev/null); do usleep 10000; done
port=/dev/$(basename "${name%/name}")
until [ -c "$port" ]; do usleep 10000; done
exec 3<>"$port"
echo "the channel is open"
dd bs=64k count=$BLOCKS iflag=fullblock <&3 >&3 2>/dev/null
exec 3<&-
echo "the port is closed"
read -r go
exec 3<>"$port"
dd bs=64k count=1 iflag=fullblock <&3 >&3 2>/dev/null
echo "nothing is read"
read -r go
echo "much is written"
dd if=/dev/zero bs=64k count=$BLOCKS >&3 2>/dev/null
while dd bs=64k count=1 <&3 2>/dev/null | grep -q .; do :; done
echo "the host is gone"
reboot -f
"#;

fn channel() -> Channel {
    Channel { port_name: "nex.channel".into(), vsock_port: 1023 }
}

/// A machine whose guest does this with so many blocks: with Debian's kernel, which has the port's driver in a module, or with nex's own.
fn speaking(parts: &Parts, own: bool, blocks: usize) -> Result<Option<(TempDir, Machine)>> {
    let directory = tempfile::tempdir()?;
    let mut archive = Archive::default();
    ["bin", "dev", "modules", "proc", "sys"].iter().for_each(|name| archive.directory(name));
    archive.program("init", INIT.replace("$BLOCKS", &blocks.to_string()).as_bytes());
    archive.program("bin/busybox", &fs::read(&parts.busybox)?);
    let kernel = match (own, guest::own_kernel()) {
        (true, None) => {
            eprintln!("LEFT OUT: the channel with nex's own kernel, which make test-long builds");
            return Ok(None);
        }
        (true, Some(own)) => own.join("vmlinux"),
        (false, _) => {
            let modules =
                Modules::open(&parts.modules, None, MAX_KERNEL)?.in_order(&["virtio_pci", "virtio_console"])?;
            for (number, module) in modules.iter().enumerate() {
                archive.program(&format!("modules/{number:02}"), &module.bytes);
            }
            parts.kernel.clone()
        }
    };
    let initramfs = directory.path().join("initramfs");
    fs::write(&initramfs, archive.finish())?;
    let (initramfs, command_line, channel) = (Some(initramfs), "loglevel=3".into(), Some(channel()));
    Ok(Some((directory, Machine { initramfs, command_line, channel, ..machine(kernel) })))
}

/// Has the bytes go to the guest and come back.
fn echo(channel: &mut UnixStream, bytes: &[u8]) -> Result<Duration> {
    let (mut sent, mut back, started) = (0, Vec::with_capacity(bytes.len()), Instant::now());
    let mut buffer = vec![0; 1 << 20];
    while back.len() < bytes.len() {
        let wanted = if sent < bytes.len() { PollFlags::IN | PollFlags::OUT } else { PollFlags::IN };
        wait(channel, wanted, PATIENCE)?;
        match channel.read(&mut buffer) {
            Ok(0) => return Err(Failure::new("the channel has ended")),
            Ok(count) => back.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error.into()),
        }
        sent += write(channel, &bytes[sent..])?;
    }
    if back == bytes { Ok(started.elapsed()) } else { Err(Failure::new("other bytes come back")) }
}

/// Writes as much as goes without waiting.
fn write(channel: &mut UnixStream, bytes: &[u8]) -> Result<usize> {
    match channel.write(bytes) {
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(0),
        written => Ok(written?),
    }
}

/// Whether the channel becomes ready for one of these.
fn wait(channel: &UnixStream, wanted: PollFlags, patience: Duration) -> Result<bool> {
    let timeout = Timespec::try_from(patience).map_err(std::io::Error::other)?;
    Ok(rustix::event::poll(&mut [PollFd::new(&channel.as_fd(), wanted)], Some(&timeout))
        .map_err(std::io::Error::from)?
        > 0)
}

/// Writes until nothing has been taken for a second, and says how much was.
fn fill(channel: &mut UnixStream) -> Result<usize> {
    let mut taken = 0;
    while taken < 4 * MOST && wait(channel, PollFlags::OUT, Duration::from_secs(1))? {
        taken += write(channel, &[b'x'; BLOCK])?;
    }
    Ok(taken)
}

/// The memory that QEMU has now, with the guest's, in bytes.
fn memory(guest: &Guest) -> Result<usize> {
    let status = fs::read_to_string(format!("/proc/{}/status", guest.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    let kibibytes: usize =
        line.and_then(|line| line.trim().parse().ok()).ok_or_else(|| Failure::new(status.clone()))?;
    Ok(kibibytes << 10)
}

fn open(guest: &mut Guest) -> Result<UnixStream> {
    match guest.open_channel()? {
        ChannelOpening::Open(channel) => Ok(channel),
        ChannelOpening::Asked(_) => Err(Failure::new("QEMU's channel is not open at once")),
    }
}

/// Bytes that repeat nowhere near.
fn bytes(length: usize) -> Vec<u8> {
    let mut state = 1u64;
    let next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(next).take(length.div_ceil(8)).flatten().take(length).collect()
}

/// Talks to a guest over its channel, and has it do all that a hostile one can. Returns how long the echo took.
fn talk(machine: &Machine, blocks: usize) -> Result<Duration> {
    let mut guest = Qemu::find(machine.architecture, Accelerator::Emulation)?.start(machine)?;
    let mut channel = open(&mut guest)?;
    assert_eq!(guest.open_channel().err().map(|error| error.kind()), Some(ErrorKind::NotConnected));
    read_until(&mut guest, "the channel is open")?;
    let before = memory(&guest)?;
    let took = echo(&mut channel, &bytes(blocks * BLOCK))?;
    read_until(&mut guest, "the port is closed")?;

    // Closed, the port takes what the host's own socket holds, and gives it when it is open again.
    let mut waiting = fill(&mut channel)?;
    assert!((BLOCK..MOST).contains(&waiting), "a closed port takes {waiting} bytes");
    guest.write_console(b"\n")?;
    let mut back = vec![0; BLOCK];
    read_exactly(&mut channel, &mut back)?;
    assert!(back.iter().all(|byte| *byte == b'x'), "other bytes come back");
    read_until(&mut guest, "nothing is read")?;

    waiting += fill(&mut channel)?;
    assert!(waiting < MOST, "a guest that reads nothing takes {waiting} bytes");
    guest.write_console(b"\n")?;
    read_until(&mut guest, "much is written")?;
    thread::sleep(Duration::from_secs(1));
    let grown = memory(&guest)?.saturating_sub(before);
    assert!(grown < 16 << 20, "QEMU has {grown} bytes more");

    let mut written = vec![0; blocks * BLOCK];
    read_exactly(&mut channel, &mut written)?;
    assert!(written.iter().all(|byte| *byte == 0), "other bytes come");
    // When the host closes its end, the guest sees it, and QEMU goes on.
    drop(channel);
    read_until(&mut guest, "the host is gone")?;
    assert!(guest.wait(Instant::now() + PATIENCE)?.is_some_and(|(status, _)| status.success()), "{}", guest.said());
    Ok(took)
}

fn read_exactly(channel: &mut UnixStream, buffer: &mut [u8]) -> Result<()> {
    channel.set_nonblocking(false)?;
    channel.set_read_timeout(Some(PATIENCE))?;
    channel.read_exact(buffer)?;
    Ok(channel.set_nonblocking(true)?)
}

#[test]
fn bytes_go_both_ways_and_nothing_grows() -> Result<()> {
    let Some(parts) = Parts::find()? else { return Ok(()) };
    let Some((_directory, machine)) = speaking(&parts, false, 64)? else { return Ok(()) };
    talk(&machine, 64).map(drop)
}

#[test]
#[ignore = "slow: sends 64 MiB to guests that are emulated"]
fn much_goes_both_ways_with_both_kernels() -> Result<()> {
    let Some(parts) = Parts::find()? else { return Ok(()) };
    for own in [false, true] {
        let Some((_directory, machine)) = speaking(&parts, own, 1024)? else { continue };
        let took = talk(&machine, 1024)?;
        eprintln!("own kernel: {own}; 64 MiB there and back in {took:?}: {:.1} MB/s", 67.1 / took.as_secs_f64());
    }
    Ok(())
}

/// Who starts the guest by hand finds the host's end as a socket, which is nobody else's, whatever the umask says.
#[test]
fn a_command_line_for_others_has_the_hosts_end_as_a_socket() -> Result<()> {
    let Some(parts) = Parts::find()? else { return Ok(()) };
    let qemu = Qemu::find(Architecture::X86_64, Accelerator::Emulation)?;
    let without = machine(parts.kernel);
    assert!(!qemu.describe(&without)?.contains("virtserialport"), "{}", qemu.describe(&without)?);
    let line = qemu.describe(&Machine { channel: Some(channel()), ..without })?;
    let directory = tempfile::tempdir()?;
    let mut shell = Command::new("/bin/sh");
    shell
        .current_dir(directory.path())
        .args(["-c", &format!("umask 000; exec {line}")])
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let mut qemu = shell.spawn()?;
    let deadline = Instant::now() + PATIENCE;
    let connected = loop {
        match UnixStream::connect(directory.path().join("channel")) {
            Err(_) if Instant::now() < deadline && qemu.try_wait()?.is_none() => {
                thread::sleep(Duration::from_millis(20))
            }
            connected => break connected,
        }
    };
    let mode = fs::metadata(directory.path().join("channel")).map(|socket| socket.permissions().mode());
    qemu.kill()?;
    qemu.wait()?;
    assert!(connected.is_ok(), "{connected:?}: {line}");
    assert_eq!(mode? & 0o077, 0, "{line}");
    Ok(())
}
