//! QEMU: every machine on every host, with KVM or by emulation.
//!
//! The machine is `q35`, and `virt` for ARM. Not `microvm`: emulated, its kernel hangs now and then while it calibrates
//! its clock.
//!
//! Its guests have no vsock: the kernel's `/dev/vhost-vsock` is root's, with addresses that all guests of a host share, and
//! without it another program would have to run beside each guest.

mod channel;
mod monitor;

use std::ffi::OsString;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use channel::Ends;
use monitor::{Monitor, Parts, drive_name};
use nex_kernel::Architecture;

use crate::access::Access;
use crate::channel::ChannelDevice;
use crate::error::Error;
use crate::guest::Guest;
use crate::interrupt::Interrupt;
use crate::machine::{Accelerator, Bus, Drive, Machine};
use crate::name::whole_name;
use crate::process::Process;
use crate::version;
use crate::vmm::Vmm;

/// QEMU's seccomp filter, without all that this command line needs none of: old system calls, other users' rights, other
/// programs, and a say in how the host schedules.
const SECCOMP: [&str; 2] = ["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"];
/// What a QEMU says that was built without it.
const NO_SECCOMP: &str = "-sandbox support is not enabled";

/// How long QEMU may take until it greets, and for each answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// QEMU for one kind of processor.
#[derive(Clone, Debug)]
pub struct Qemu {
    program: PathBuf,
    version: String,
    architecture: Architecture,
    accelerator: Accelerator,
}

impl Qemu {
    /// Finds QEMU on the `PATH`, and asks for its version.
    ///
    /// # Errors
    /// When there is none for this architecture, or it does not run.
    pub fn find(architecture: Architecture, accelerator: Accelerator) -> Result<Self, Error> {
        let name = format!("qemu-system-{architecture}");
        let path = std::env::var_os("PATH").unwrap_or_default();
        let Some(program) = std::env::split_paths(&path).map(|place| place.join(&name)).find(|file| file.is_file())
        else {
            let package = match architecture {
                Architecture::X86_64 => "qemu-system-x86",
                Architecture::Aarch64 => "qemu-system-arm",
            };
            return Err(Error::Missing { program: name, package });
        };
        let output = version::ask(&program)?;
        let version = output.split_whitespace().skip_while(|word| *word != "version").nth(1).unwrap_or("(no version)");
        Ok(Self { version: nex_text::short_name(version), program, architecture, accelerator })
    }

    fn command(&self, machine: &Machine, monitor: &UnixStream, channel: Option<&Ends>, seccomp: Seccomp) -> Command {
        let mut qemu = Command::new(&self.program);
        if seccomp == Seccomp::Filtered {
            qemu.args(SECCOMP);
        }
        let files: Vec<String> = machine.drives.iter().map(|drive| drive.disk.inherited_name()).collect();
        qemu.args(self.arguments(machine, Keys::Guest, &files));
        qemu.args(["-chardev", &format!("socket,id=monitor,fd={}", monitor.as_fd().as_raw_fd())]);
        qemu.args(["-mon", "chardev=monitor,mode=control"]);
        if let Some(ends) = channel {
            qemu.args(ends.backend());
        }
        qemu.args(machine.channel.iter().flat_map(channel::device));
        qemu
    }

    /// The machine, with its drives' files under these names.
    fn arguments(&self, machine: &Machine, keys: Keys, files: &[String]) -> Vec<OsString> {
        let processor = match (self.architecture, self.accelerator) {
            (_, Accelerator::Kvm) => "host",
            (Architecture::X86_64, Accelerator::Emulation) => "max",
            // The architecture's own pointer authentication takes most of the time when it is emulated.
            (Architecture::Aarch64, Accelerator::Emulation) => "max,pauth-impdef=on",
        };
        let (kind, accelerator) = match (self.architecture, self.accelerator) {
            (Architecture::X86_64, Accelerator::Kvm) => ("q35", "kvm"),
            (Architecture::X86_64, Accelerator::Emulation) => ("q35", "tcg"),
            (Architecture::Aarch64, Accelerator::Kvm) => ("virt,gic-version=host", "kvm"),
            (Architecture::Aarch64, Accelerator::Emulation) => ("virt", "tcg"),
        };
        let signals = match keys {
            Keys::Guest => "off",
            Keys::Qemu => "on",
        };
        let memory = format!("{}M", machine.memory_mib);
        let (vcpus, console) = (machine.vcpus.to_string(), format!("stdio,id=console,signal={signals}"));
        let mut words = vec!["-M", kind, "-accel", accelerator, "-cpu", processor];
        words.extend(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"]);
        words.extend(["-m", &memory, "-smp", &vcpus, "-chardev", &console, "-serial", "chardev:console"]);
        let mut arguments: Vec<OsString> = words.into_iter().map(OsString::from).collect();
        arguments.extend(["-kernel".into(), machine.kernel.clone().into()]);
        if let Some(initramfs) = &machine.initramfs {
            arguments.extend(["-initrd".into(), initramfs.into()]);
        }
        arguments.extend(["-append".into(), self.command_line(machine).into()]);
        for (number, (drive, file)) in machine.drives.iter().zip(files).enumerate() {
            arguments.extend(["-drive".into(), drive_argument(drive, number, file).into()]);
            if drive.bus == Bus::Nvme {
                let name = drive_name(number);
                arguments.extend(["-device".into(), format!("nvme,drive={name},serial={name}").into()]);
            }
        }
        arguments
    }
}

/// Runs the words behind it with a umask that leaves what they make to the user.
const PRIVATELY: [&str; 3] = ["/bin/sh", "-c", r#"umask 077 && exec "$0" "$@""#];

/// Whose keys like Ctrl-C are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keys {
    /// The guest's: nex ends QEMU.
    Guest,
    /// QEMU's, which nobody else would end.
    Qemu,
}

impl Vmm for Qemu {
    fn name(&self) -> String {
        format!("QEMU {}, {}", self.version, self.accelerator)
    }

    fn version(&self) -> &str {
        &self.version
    }

    fn command_line(&self, machine: &Machine) -> String {
        let console = match (self.architecture, self.accelerator) {
            // On a busy host the kernel finds that an emulated timer does not tick, and panics, when it checks.
            (Architecture::X86_64, Accelerator::Emulation) => "ttyS0 no_timer_check",
            (Architecture::X86_64, Accelerator::Kvm) => "ttyS0",
            (Architecture::Aarch64, _) => "ttyAMA0",
        };
        // A panic resets the machine at once, and QEMU ends instead.
        format!("console={console} panic=-1 {}", machine.command_line)
    }

    fn describe(&self, machine: &Machine) -> Result<String, Error> {
        let mut machine = machine.clone();
        machine.kernel = whole_name(&machine.kernel)?.into();
        machine.initramfs = machine.initramfs.as_deref().map(whole_name).transpose()?.map(PathBuf::from);
        // QEMU takes a single comma for the end of a name.
        let file = |drive: &Drive| Ok(whole_name(drive.disk.path())?.replace(',', ",,"));
        let files = machine.drives.iter().map(file).collect::<Result<Vec<_>, Error>>()?;
        let arguments = self.arguments(&machine, Keys::Qemu, &files);
        let port =
            machine.channel.iter().flat_map(|port| channel::named_backend().into_iter().chain(channel::device(port)));
        let words = SECCOMP.iter().map(OsString::from).chain(arguments).chain(port.map(OsString::from));
        let words: Vec<_> = std::iter::once(self.program.clone().into_os_string()).chain(words).collect();
        // A shell would take what is shown in the place of such a character for the word itself.
        if let Some(word) = words.iter().find(|word| !word.to_string_lossy().chars().all(is_shown)) {
            return Err(Error::Word { word: word.clone() });
        }
        // QEMU makes the channel's socket with what the umask leaves, and has no option for its mode.
        let private = machine.channel.iter().flat_map(|_| PRIVATELY).map(OsString::from);
        let words = private.chain(words).map(|word| nex_text::shell_word(word.as_ref()));
        Ok(words.collect::<Vec<_>>().join(" ") + "\n")
    }

    fn channel_device(&self) -> ChannelDevice {
        ChannelDevice::VirtioSerial
    }

    fn start_unless(&self, machine: &Machine, interrupt: Interrupt<'_>) -> Result<Guest, Error> {
        if machine.drives.iter().any(|drive| drive.access == Access::CopyOnWrite) {
            check_temporary_place()?;
        }
        match self.start_with(machine, Seccomp::Filtered, interrupt) {
            Err(Error::Refused { said, .. }) if said.contains(NO_SECCOMP) => {
                let mut guest = self.start_with(machine, Seccomp::Missing, interrupt)?;
                guest.note(format!(
                    "{} was built without seccomp, so that a guest that takes it over may call all of the kernel; \
                     distributions build it with",
                    self.program.display()
                ));
                Ok(guest)
            }
            started => started,
        }
    }
}

/// Whether QEMU is confined to the system calls that it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seccomp {
    Filtered,
    /// It was built without.
    Missing,
}

impl Qemu {
    fn start_with(&self, machine: &Machine, seccomp: Seccomp, interrupt: Interrupt<'_>) -> Result<Guest, Error> {
        let talk = |cause| Error::Talk { vmm: self.name(), cause };
        let (ours, theirs) = UnixStream::pair().map_err(talk)?;
        let channel = machine.channel.as_ref().map(|_| Ends::new()).transpose().map_err(talk)?;
        let command = self.command(machine, &theirs, channel.as_ref(), seccomp);
        let disks = machine.drives.iter().map(|drive| drive.disk.file().as_fd());
        let sockets = channel.iter().map(Ends::inherited).chain([theirs.as_fd()]);
        let process = Process::start(command, &disks.chain(sockets).collect::<Vec<_>>());
        let mut process = process.map_err(|cause| Error::Run { program: self.program.clone(), cause })?;
        drop(theirs);
        // q35 has one; virt has none, and no kernel that would take notice of one on PCI without a module.
        let has_keyboard = self.architecture == Architecture::X86_64;
        let places = machine.drives.iter().map(place_of_writes).collect();
        let parts = Parts { has_keyboard, places, channel: channel.map(|ends| ends.ours) };
        match Monitor::greet(ours, parts, PATIENCE, interrupt) {
            Ok(monitor) => Ok(Guest::new(process, Box::new(monitor))),
            Err(_) if interrupt.has_come() => Err(Error::Interrupted),
            Err(cause) => {
                // It greets nobody when it has ended, and then it has said why.
                let ended = process.wait(Instant::now() + Duration::from_secs(1)).map_err(talk)?;
                let said = self.own_words(&with_paths(&process.said(), &machine.drives));
                Err(if ended.is_none() || said.is_empty() { talk(cause) } else { self.refused(said) })
            }
        }
    }

    fn refused(&self, said: String) -> Error {
        Error::Refused { vmm: self.name(), said }
    }

    /// What QEMU said, without its own name before each line.
    fn own_words(&self, said: &str) -> String {
        let name = self.program.file_name().unwrap_or_default().to_string_lossy();
        let path = self.program.to_string_lossy();
        let line = |line: &str| {
            let after = |start: &str| line.strip_prefix(start).and_then(|line| line.strip_prefix(": "));
            after(&path).or_else(|| after(&name)).unwrap_or(line).to_owned()
        };
        nex_text::in_one_line(said.lines().map(line).collect::<Vec<_>>().join("\n"))
    }
}

/// Makes sure of the place where QEMU keeps what guests write to drives that do not change: its own words for one that cannot
/// be written to do not name it.
fn check_temporary_place() -> Result<(), Error> {
    let place = temporary_place();
    nex_file::private::unnamed_file(&place).map(drop).map_err(|cause| Error::Temporary { place, cause })
}

/// Where QEMU makes files without a name.
fn temporary_place() -> PathBuf {
    let named = std::env::var_os("TMPDIR").filter(|place| !place.is_empty());
    named.map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from)
}

/// Where what a guest writes to a drive goes.
fn place_of_writes(drive: &Drive) -> PathBuf {
    match drive.access {
        Access::ReadOnly | Access::Write => drive.disk.path().to_owned(),
        Access::CopyOnWrite => temporary_place(),
    }
}

fn drive_argument(drive: &Drive, number: usize, file: &str) -> String {
    let interface = match drive.bus {
        Bus::Virtio => "virtio",
        Bus::Nvme => "none",
    };
    let options = match drive.access {
        Access::ReadOnly => "readonly=on,file.locking=off",
        // What the guest writes goes to a file without a name in TMPDIR or /var/tmp, which ends with the process.
        Access::CopyOnWrite => "snapshot=on,file.locking=off",
        Access::Write => "cache=writeback,discard=unmap",
    };
    format!("id={},if={interface},format=raw,{options},file={file}", drive_name(number))
}

/// Whether a character comes to a terminal as it is. A line may end in the middle of a word in quotes.
fn is_shown(character: char) -> bool {
    character == '\n' || nex_text::is_printable(character)
}

/// What QEMU said of files by their descriptors, with the names that the user knows.
fn with_paths(said: &str, drives: &[Drive]) -> String {
    drives.iter().fold(said.to_owned(), |said, drive| {
        let name = drive.disk.inherited_name();
        let mut parts = said.split(&name);
        let mut words = parts.next().unwrap_or_default().to_owned();
        for rest in parts {
            match rest.starts_with(|next: char| next.is_ascii_digit()) {
                true => words.push_str(&name),
                false => words.push_str(&drive.disk.path().to_string_lossy()),
            }
            words.push_str(rest);
        }
        words
    })
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use crate::disk::Disk;

    use super::*;

    #[test]
    fn qemus_words_have_the_names_that_the_user_knows() {
        let file = File::open("/dev/null").expect("it is there");
        let drive = Drive { disk: Disk::of("my root.ext4", file), access: Access::Write, bus: Bus::Virtio };
        let name = drive.disk.inherited_name();
        let said = format!("Could not open '{name}': no; [{name}0] {name}");
        assert_eq!(with_paths(&said, &[drive]), format!("Could not open 'my root.ext4': no; [{name}0] my root.ext4"));
    }

    #[test]
    fn a_command_line_that_cannot_be_shown_is_refused() -> Result<(), Error> {
        let qemu = Qemu {
            program: "/bin/qemu".into(),
            version: "1".into(),
            architecture: Architecture::X86_64,
            accelerator: Accelerator::Emulation,
        };
        let machine = |kernel: &str, words: &str| Machine {
            architecture: Architecture::X86_64,
            kernel: kernel.into(),
            max_kernel: nex_kernel::MAX_KERNEL,
            initramfs: None,
            command_line: words.into(),
            drives: Vec::new(),
            memory_mib: 256,
            channel: None,
            vcpus: 1,
        };
        assert!(qemu.describe(&machine("/a b\n'c", "some words"))?.contains("-kernel '/a b\n'\\''c'"));
        for (kernel, words) in [("/a\u{1b}[31m", "some words"), ("/a\u{202e}", "some words"), ("/a", "x\u{7f}")] {
            assert!(matches!(qemu.describe(&machine(kernel, words)), Err(Error::Word { .. })), "{kernel} {words}");
        }
        Ok(())
    }
}
