//! The agent's lines by vsock, and the host's channel to the agent: through the sockets that Firecracker has for both.

use std::fs;
use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};

use nex_contract::{CHANNEL_PORT_NAME, CHANNEL_VSOCK_PORT};
use nex_guest::{GuestKernel, KernelOptions};
use nex_kernel::MAX_KERNEL;
use nex_testkit::nex::boot::Place;
use nex_testkit::{Failure, Result, firecracker, nex};
use nex_vmm::{Access, Bus, Channel, ChannelOpening, Drive, Firecracker, Machine, Reading, Vmm};

const PATIENCE: Duration = Duration::from_secs(60);
const PORT: u32 = 1024;
/// What a kernel of Debian's needs for it.
const MODULES: [&str; 1] = ["vmw_vsock_virtio_transport"];

#[test]
fn the_agents_lines_come_by_vsock_and_the_host_connects_to_the_agent() -> Result<()> {
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
        agent: Some(nex::agent()?.into()),
        refused_agent: None,
    };
    let kernel = GuestKernel::prepare(&options, Bus::Virtio, &MODULES, &[])?;
    let machine = Machine {
        architecture: kernel.architecture,
        kernel: kernel.path.clone(),
        max_kernel: kernel.max,
        initramfs: kernel.initramfs(),
        command_line: format!("root=/dev/vda rw nex.vsock={PORT} nex.channel=vsock:{CHANNEL_VSOCK_PORT}"),
        drives: vec![Drive::open(place.file(), Access::CopyOnWrite, Bus::Virtio)?],
        memory_mib: 256,
        vcpus: 1,
        channel: Some(Channel { port_name: CHANNEL_PORT_NAME.into(), vsock_port: CHANNEL_VSOCK_PORT }),
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
    // An agent that is ready listens, and its kernel takes the connection.
    let mut opening = guest.open_channel()?;
    while let ChannelOpening::Asked(dial) = opening {
        std::thread::sleep(Duration::from_millis(20));
        opening = dial.look()?;
    }
    drop(guest);
    assert_eq!(fs::read_dir(place.path("tmp"))?.count(), 0);
    Ok(())
}
