//! Firecracker: through its API, over a socket, with KVM.
//!
//! ```text
//! nex ── Unix socket, HTTP: kernel, drives, processors, start ──> firecracker ── /dev/kvm
//!     ── standard input and output: the guest's serial console ──
//! ```
//!
//! Files are handed over as open descriptors, under their names in `/proc/self/fd`: so the copies that guests write to and
//! unpacked kernels have no names that could be left behind, and any path will do, though the API takes nothing but UTF-8. The
//! socket's name goes as soon as we are connected.

mod api;
mod copy;
mod descriptors;
mod dial;
mod directory;
mod jail;
mod kernel;
mod own;
mod room;
mod socket;
mod vm_config;
mod vsock;

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use api::{Api, Trouble};
use descriptors::Descriptors;
pub use dial::{ChannelOpening, Dial};
use jail::Cell;
pub use jail::Jail;
pub use kernel::LoadableKernel;
use nex_cancel::{Leftover, Workspace};
use nex_kernel::Architecture;
use room::Room;
use serde_json::{Value, json};
use vm_config::Names;
pub use vm_config::VmConfig;
pub use vsock::Vsock;

use crate::access::Access;
use crate::advisory::{self, Advisory, Component};
use crate::channel::ChannelDevice;
use crate::disk::Disk;
use crate::error::Error;
use crate::guest::{Control, Ending, Guest};
use crate::interrupt::{Interrupt, OwnedInterrupt};
use crate::machine::Machine;
use crate::process::Process;
use crate::version;
use crate::vmm::Vmm;

/// The programs' names, and the variable that names another Firecracker.
const PROGRAM: &str = "firecracker";
const JAILER: &str = "jailer";
pub const VARIABLE: &str = "NEX_FIRECRACKER";
/// The first release with all that is asked for: a source of random numbers.
const OLDEST: (u32, u32) = (1, 4);
/// How long Firecracker may take until it listens, and for each answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long it may take to end when it is killed.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// How often to look whether it listens. It takes some milliseconds.
const PAUSE: Duration = Duration::from_millis(1);
/// How much of the console waits for us, in bytes. Firecracker drops what does not fit.
const CONSOLE: usize = 1 << 20;

/// Firecracker, for the kind of processor that this machine has.
#[derive(Clone, Debug)]
pub struct Firecracker {
    program: PathBuf,
    version: String,
    jail: Option<Jail>,
    vsock_ports: Option<Vec<u32>>,
    workspace: Workspace,
}

impl Firecracker {
    /// Finds Firecracker where the environment's `NEX_FIRECRACKER` says, or on the `PATH`, and asks for its version.
    ///
    /// # Errors
    /// When there is none, or it does not run or is too old.
    pub fn find() -> Result<Self, Error> {
        match std::env::var_os(VARIABLE).filter(|program| !program.is_empty()) {
            Some(program) => Self::at(program.as_ref()),
            None => {
                let path = std::env::var_os("PATH").unwrap_or_default();
                let mut places = std::env::split_paths(&path).map(|place| place.join(PROGRAM));
                Self::at(&places.find(|file| file.is_file()).ok_or(Error::NoFirecracker)?)
            }
        }
    }

    /// The Firecracker of this file.
    ///
    /// # Errors
    /// When it does not run or is too old.
    pub fn at(program: &Path) -> Result<Self, Error> {
        let version = version_of(program)?;
        let mut numbers = version.split(['.', '-']).map_while(|number| number.parse().ok());
        let number = numbers.next().zip(numbers.next());
        if number.is_none_or(|number| number < OLDEST) {
            let program = program.into();
            return Err(Error::TooOld { program, version, oldest: format!("{}.{}", OLDEST.0, OLDEST.1) });
        }
        let workspace = Workspace::default();
        Ok(Self { program: program.into(), version, jail: None, vsock_ports: None, workspace })
    }

    /// The same in a jail for each guest, which root alone can make.
    ///
    /// # Errors
    /// When the jail's user is root or nobody, or the jailer does not run or is not of Firecracker's release.
    pub fn jailed(mut self, jail: Jail) -> Result<Self, Error> {
        jail.check()?;
        let version = version_of(&jail.jailer)?;
        if version != self.version {
            return Err(Error::OtherJailer { jailer: jail.jailer, version, firecracker: self.version });
        }
        self.jail = Some(jail);
        Ok(self)
    }

    /// The same with vsock: the guest can connect to these ports of the host, and the host to any of the guest.
    #[must_use]
    pub fn with_vsock(mut self, ports: &[u32]) -> Self {
        self.vsock_ports = Some(ports.to_vec());
        self
    }

    /// The same with its guests noted in this workspace: cleaning it up kills them, and removes what stands on the disk for them.
    #[must_use]
    pub fn in_workspace(mut self, workspace: &Workspace) -> Self {
        self.workspace = workspace.clone();
        self
    }

    /// The jailer that came with this Firecracker: beside it, or on the `PATH`.
    pub fn jailer(&self) -> Option<PathBuf> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let places = self.program.parent().map(Path::to_owned).into_iter().chain(std::env::split_paths(&path));
        places.map(|place| place.join(JAILER)).find(|file| file.is_file())
    }

    /// Whether the guest has a vsock: for the host's ports, or for its channel.
    fn has_vsock(&self, machine: &Machine) -> bool {
        self.vsock_ports.is_some() || machine.channel.is_some()
    }

    fn refused(&self, said: impl Into<String>) -> Error {
        Error::Refused { vmm: self.name(), said: said.into() }
    }

    fn check(&self, machine: &Machine) -> Result<(), Error> {
        if Architecture::host() != Some(machine.architecture) {
            let (host, guest) = (std::env::consts::ARCH, machine.architecture);
            return Err(self.refused(format!("it runs guests for {host} here, and this one is for {guest}")));
        }
        vm_config::check(machine, &self.name())
    }

    /// Starts a machine whose files are handed over in this way.
    fn start_in<R: Room + Send + 'static>(
        &self,
        machine: &Machine,
        mut room: R,
        interrupt: Interrupt<'_>,
    ) -> Result<Guest, Error> {
        let run = |cause| Error::Run { program: self.program.clone(), cause };
        // Guests would end all the same; their rooms would stay on the disk until the next one starts.
        let removal = room.removal().map_err(run)?;
        let mut leftovers = vec![self.workspace.note(move || drop(removal())).map_err(|closed| run(closed.into()))?];
        let vsock = self.has_vsock(machine).then(|| room.vsock(self.vsock_ports())).transpose()?;
        let vsock_name = vsock.as_ref().map(|(name, _)| name.as_str());
        let requests = self.requests(machine, &mut room, vsock_name, interrupt)?;
        let mut process = room.start(&self.program, machine).map_err(run)?;
        let killer = process.killer().map_err(run)?;
        let kill = self.workspace.note(move || killer.kill(Instant::now() + LAST_WORDS));
        leftovers.push(kill.map_err(|closed| run(closed.into()))?);
        // Less room is what there is without asking; nothing else happens.
        let _ = rustix::pipe::fcntl_setpipe_size(&process.output, CONSOLE);
        let asked = self.connect(&mut process, &mut room, interrupt).and_then(|mut api| {
            api.end_at(interrupt.try_into_owned()?);
            requests.iter().try_for_each(|(method, path, body)| api.ask(method, path, body))?;
            api.end_at(OwnedInterrupt::default());
            Ok(api)
        });
        match asked {
            Ok(api) => {
                let (vsock, architecture, notes) = (vsock.map(|(_, vsock)| vsock), machine.architecture, room.notes());
                let channel_port = machine.channel.as_ref().map(|channel| channel.vsock_port);
                let running = Running { api, room, vsock, channel_port, architecture, _leftovers: leftovers };
                let mut guest = Guest::new(process, Box::new(running));
                notes.into_iter().for_each(|note| guest.note(note));
                Ok(guest)
            }
            Err(_) if interrupt.has_come() => Err(Error::Interrupted),
            Err(Trouble::Fault(message)) => Err(self.refused(message)),
            Err(Trouble::Talk(cause)) => {
                // It answers nobody when it has ended, and then it has said why.
                let talk = |cause| Error::Talk { vmm: self.name(), cause };
                let ended = process.wait(Instant::now() + Duration::from_secs(1)).map_err(talk)?;
                let said = process.said();
                if let Some(error) = room.refusal(&said) {
                    return Err(error);
                }
                let said = nex_text::in_one_line([room.log(), said].join("\n"));
                Err(if ended.is_none() || said.is_empty() { talk(cause) } else { self.refused(said) })
            }
        }
    }

    fn connect<R: Room>(&self, process: &mut Process, room: &mut R, interrupt: Interrupt<'_>) -> Result<Api, Trouble> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            interrupt.check()?;
            match room.connect() {
                Ok(socket) => {
                    process.note_number(&socket);
                    return Ok(Api::over(socket, PATIENCE)?);
                }
                Err(error) if Instant::now() > deadline || !may_come(&error) => return Err(error.into()),
                Err(error) if process.wait(Instant::now() + PAUSE)?.is_some() => return Err(error.into()),
                Err(_) => {}
            }
        }
    }

    /// All that is asked for, in order.
    fn requests<R: Room>(
        &self,
        machine: &Machine,
        room: &mut R,
        vsock: Option<&str>,
        interrupt: Interrupt<'_>,
    ) -> Result<Vec<(&'static str, String, Value)>, Error> {
        let kernel = kernel::hand_over(machine, room, interrupt)?;
        let initramfs = match &machine.initramfs {
            Some(initramfs) => {
                let initramfs = Disk::open(initramfs, Access::ReadOnly)?;
                Some(room.to_read("initramfs", &initramfs, interrupt)?)
            }
            None => None,
        };
        let mut drives = Vec::new();
        for (number, drive) in machine.drives.iter().enumerate() {
            let id = format!("drive{number}");
            drives.push(match drive.access {
                Access::ReadOnly => room.to_read(&id, &drive.disk, interrupt)?,
                Access::CopyOnWrite => room.copy_to_write(&id, &drive.disk, interrupt)?,
                Access::Write => room.to_write(&id, &drive.disk)?,
            });
        }
        let names = Names { kernel, initramfs, drives, vsock: vsock.map(str::to_owned) };
        Ok(VmConfig::new(machine, names).requests())
    }
}

/// The version that a program of the Firecracker project tells.
fn version_of(program: &Path) -> Result<String, Error> {
    let output = version::ask(program)?;
    let version = output.split_whitespace().find_map(|word| word.strip_prefix('v'));
    Ok(version.map_or_else(|| "(no version)".into(), nex_text::short_name))
}

impl Vmm for Firecracker {
    fn name(&self) -> String {
        let jailed = if self.jail.is_some() { ", jailed" } else { "" };
        format!("Firecracker {}, KVM{jailed}", self.version)
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn advisories(&self) -> Vec<&'static Advisory> {
        let jailer = self.jail.as_ref().map(|_| Component::Jailer);
        let components = [Component::Firecracker].into_iter().chain(jailer);
        components.flat_map(|component| advisory::of(component, &self.version)).collect()
    }

    fn command_line(&self, machine: &Machine) -> String {
        VmConfig::command_line(machine)
    }

    fn describe(&self, machine: &Machine) -> Result<String, Error> {
        self.check(machine)?;
        let vsock = self.has_vsock(machine).then_some(vsock::NAME);
        Ok(VmConfig::of_files(machine, &machine.kernel, machine.initramfs.as_deref(), vsock)?.to_json())
    }

    fn vsock_ports(&self) -> &[u32] {
        self.vsock_ports.as_deref().unwrap_or_default()
    }

    fn channel_device(&self) -> ChannelDevice {
        ChannelDevice::Vsock
    }

    fn start_unless(&self, machine: &Machine, interrupt: Interrupt<'_>) -> Result<Guest, Error> {
        self.check(machine)?;
        let started = match &self.jail {
            None => self.start_in(machine, Descriptors::new()?, interrupt),
            Some(jail) => self.start_in(machine, Cell::new(jail, &self.program)?, interrupt),
        };
        // Whatever that has made of it.
        started.map_err(|error| if interrupt.has_come() { Error::Interrupted } else { error })
    }
}

/// Whether Firecracker may still come to listen. What is not as it should be will not become so.
fn may_come(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, NotFound, WouldBlock};
    matches!(error.kind(), NotFound | ConnectionRefused | WouldBlock)
}

/// What can be done to a guest that runs.
struct Running<R> {
    api: Api,
    // Held as long as the guest runs, for the names that are in it.
    room: R,
    vsock: Option<Vsock>,
    /// The guest's port for its channel.
    channel_port: Option<u32>,
    architecture: Architecture,
    // Held as long as there is something to be done.
    _leftovers: Vec<Leftover>,
}

impl<R: Room> Control for Running<R> {
    fn press_ctrl_alt_del(&mut self) -> io::Result<()> {
        let pressed = self.api.ask("PUT", "/actions", &json!({ "action_type": "SendCtrlAltDel" }));
        pressed.map_err(|trouble| match trouble {
            Trouble::Fault(message) => io::Error::other(message),
            Trouble::Talk(error) => error,
        })
    }

    fn ending(&mut self) -> Ending {
        // For x86, it has nothing with which a guest could switch its power off.
        match self.architecture {
            Architecture::X86_64 => Ending::Reset,
            Architecture::Aarch64 => Ending::Unknown,
        }
    }

    fn log(&mut self) -> String {
        self.room.log()
    }

    fn vsock(&self) -> Option<&Vsock> {
        self.vsock.as_ref()
    }

    fn open_channel(&mut self) -> io::Result<ChannelOpening> {
        let (vsock, port) = self.vsock.as_ref().zip(self.channel_port).ok_or(io::ErrorKind::NotConnected)?;
        vsock.dial(port).map(ChannelOpening::Asked)
    }

    fn clear(&mut self) -> Option<String> {
        self.room.removal().ok().and_then(|remove| remove())
    }
}
