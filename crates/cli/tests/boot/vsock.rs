//! The agent's lines by vsock: from the guest to a port of the host, through the sockets that Firecracker has for it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use nex_guest::{GuestKernel, KernelOptions};
use nex_kernel::MAX_KERNEL;
use nex_testkit::nex::boot::Place;
use nex_testkit::{Failure, Result, firecracker, nex};
use nex_vmm::{Access, Bus, Drive, Firecracker, Machine, Reading, Vmm};

const PATIENCE: Duration = Duration::from_secs(60);
const PORT: u32 = 1024;
/// What a kernel of Debian's needs for it.
const MODULES: [&str; 1] = ["vmw_vsock_virtio_transport"];

#[test]
fn the_agents_lines_come_by_vsock() -> Result<()> {
    if firecracker::vsock_program().is_none() {
        eprintln!(
            "LEFT OUT: the agent's lines by vsock: there is no vhost-device-vsock (cargo install vhost-device-vsock)"
        );
        return Ok(());
    }
    let Some(place) = Place::scratch()? else { return Ok(()) };
    let options = KernelOptions {
        kernel: place.parts.kernel.clone(),
        max_kernel: MAX_KERNEL,
        initrd: None,
        modules: Some(place.parts.modules.clone()),
        agent: Some(nex::agent()?.to_owned()),
    };
    let kernel = GuestKernel::prepare(&options, Bus::Virtio, &MODULES, &[])?;
    let machine = Machine {
        architecture: kernel.architecture,
        kernel: kernel.path.clone(),
        max_kernel: kernel.max,
        initramfs: kernel.initramfs(),
        command_line: format!("root=/dev/vda rw nex.vsock={PORT}"),
        drives: vec![Drive::open(place.file(), Access::CopyOnWrite, Bus::Virtio)?],
        memory_mib: 256,
        vcpus: 1,
        channel: None,
    };
    let mut guest = Firecracker::at(firecracker::double()?)?.with_vsock(&[PORT]).start(&machine)?;
    let deadline = Instant::now() + PATIENCE;
    let (mut console, mut buffer) = (Vec::new(), [0; 4096]);
    // The console is read meanwhile: a guest whose console nobody takes stands still.
    let connection = loop {
        let soon = Instant::now() + Duration::from_millis(20);
        if let Reading::Bytes(bytes) = guest.read_console(&mut buffer, soon)? {
            console.extend_from_slice(&buffer[..bytes]);
        }
        let vsock = guest.vsock().ok_or_else(|| Failure::new("no vsock"))?;
        if let Some(connection) = vsock.accept(PORT, Instant::now())? {
            break connection;
        }
        if Instant::now() > deadline {
            return Err(Failure::new(format!("nobody connects: {}", String::from_utf8_lossy(&console))));
        }
    };
    connection.set_read_timeout(Some(PATIENCE))?;
    let lines = BufReader::new(connection).lines().map_while(std::result::Result::ok);
    let ready = lines.take(20).find(|line| line.starts_with("@nex1 ready "));
    assert!(ready.is_some_and(|line| line.contains("role=init")));
    drop(guest);
    assert_eq!(fs::read_dir(place.path("tmp"))?.count(), 0);
    Ok(())
}
