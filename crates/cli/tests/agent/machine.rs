//! Guests with the agent, started as users start them: a distribution's kernel, whose drivers are in modules, and a root
//! that nex has made.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nex_contract::{CHANNEL_PORT_NAME, CHANNEL_VSOCK_PORT, Carrier, WordName};
use nex_kernel::initramfs::archive;
use nex_kernel::{MAX_KERNEL, Modules};
use nex_protocol::{Decoder, Event, Exit, Item, Output, Source, Stream};
use nex_testkit::guest::Parts;
use nex_testkit::layer::Entry;
use nex_testkit::layout::Image;
use nex_testkit::{Failure, Result, command, nex};
use nex_vmm::{Accelerator, Access, Architecture, Bus, Channel, Drive, Ending, Guest, Machine, Qemu, Reading, Vmm};
use serde_json::Value;
use tempfile::TempDir;

/// How long a guest may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a root of ours and its drives need of Debian's kernel.
const MODULES: [&str; 5] = ["virtio_pci", "virtio_blk", "ext4", "overlay", "virtio_console"];

/// The programs of busybox that the scripts of these tests call.
const APPLETS: [&str; 30] = [
    "sh",
    "cat",
    "chmod",
    "dd",
    "echo",
    "env",
    "false",
    "grep",
    "head",
    "hostname",
    "id",
    "ifconfig",
    "ip",
    "kill",
    "ls",
    "mkdir",
    "mount",
    "ping",
    "poweroff",
    "ps",
    "rm",
    "seq",
    "setsid",
    "sha256sum",
    "sleep",
    "stat",
    "tee",
    "touch",
    "tr",
    "wc",
];

/// The mode of a program.
pub const RUNS: u32 = 0o755;

/// What an event may be asked.
type Test = fn(&Event) -> bool;

/// A guest that has not been started.
pub struct Boot {
    directory: TempDir,
    parts: Parts,
    command_line: String,
    drives: Vec<(PathBuf, Access)>,
    channel: Option<Channel>,
}

/// A guest that has ended.
pub struct Seen {
    /// What its console held, taken apart.
    pub items: Vec<Item>,
    /// The same as text.
    pub console: String,
    /// How it ended.
    pub ending: Ending,
}

impl Boot {
    /// A guest with a busybox and these files as its root, which the agent is the init of. `None`, with a line that says so,
    /// where there is no kernel for one.
    pub fn new(files: Vec<Entry>, config: Value) -> Result<Option<Self>> {
        Self::with(files, config, &[])
    }

    /// The same, built with more of nex's arguments.
    pub fn with(files: Vec<Entry>, config: Value, arguments: &[&str]) -> Result<Option<Self>> {
        let Some(parts) = Parts::find()? else { return Ok(None) };
        let directory = nex::directory()?;
        let mut entries = vec![Entry::file("bin/busybox", fs::read(&parts.busybox)?).mode(RUNS)];
        entries.extend(APPLETS.iter().map(|name| Entry::symlink(format!("bin/{name}"), "busybox")));
        entries.extend(files);
        let layout = directory.path().join("layout");
        Image { config, ..Image::of(&[entries])? }.write(&layout, "image")?;
        let image = format!("oci:{}:image", layout.display());
        Self::build(directory, parts, &image, &[&["--size", "64MiB"], arguments].concat()).map(Some)
    }

    fn build(directory: TempDir, parts: Parts, image: &str, arguments: &[&str]) -> Result<Self> {
        let root = directory.path().join("root.ext4");
        command::run(nex::rootfs(image, &root)?.args(arguments))?;
        let boot = Self { directory, parts, command_line: "root=/dev/vda".into(), drives: Vec::new(), channel: None };
        Ok(boot.drive(&root, Access::Write))
    }

    /// Adds words to the kernel's command line.
    pub fn words(mut self, words: &str) -> Self {
        self.command_line = format!("{} {words}", self.command_line);
        self
    }

    /// Gives it a channel to the host, which the agent serves.
    pub fn channel(mut self) -> Self {
        self.channel = Some(Channel { port_name: CHANNEL_PORT_NAME.into(), vsock_port: CHANNEL_VSOCK_PORT });
        self.words(&format!("{}={}", WordName::Channel.as_str(), Carrier::Virtio))
    }

    /// Adds a drive.
    pub fn drive(mut self, file: &Path, access: Access) -> Self {
        self.drives.push((file.into(), access));
        self
    }

    /// The guest's root.
    pub fn root(&self) -> PathBuf {
        self.directory.path().join("root.ext4")
    }

    /// Where the test may keep files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Starts it.
    pub fn start(&self) -> Result<Guest> {
        let initramfs = self.directory.path().join("initramfs");
        fs::write(&initramfs, self.initramfs()?)?;
        let drives = self.drives.iter().map(|(file, access)| Drive::open(file, *access, Bus::Virtio));
        let machine = Machine {
            architecture: Architecture::X86_64,
            kernel: self.parts.kernel.clone(),
            max_kernel: MAX_KERNEL,
            initramfs: Some(initramfs),
            command_line: self.command_line.clone(),
            drives: drives.collect::<std::result::Result<_, _>>()?,
            memory_mib: 512,
            vcpus: 1,
            channel: self.channel.clone(),
        };
        Ok(Qemu::find(Architecture::X86_64, Accelerator::Emulation)?.start(&machine)?)
    }

    /// Runs it to its end.
    pub fn run(&self) -> Result<Seen> {
        see(self.start()?, |_, _| Ok(()))
    }

    fn initramfs(&self) -> Result<Vec<u8>> {
        let modules = Modules::open(&self.parts.modules, None, MAX_KERNEL)?.in_order(&MODULES)?;
        Ok(archive(&fs::read(nex::agent()?)?, &modules))
    }
}

/// Reads a guest's console to its end. At each event the guest may be acted on.
pub fn see(mut guest: Guest, mut act: impl FnMut(&mut Guest, &Item) -> Result<()>) -> Result<Seen> {
    let deadline = Instant::now() + PATIENCE;
    let (mut decoder, mut items) = (Decoder::new(), Vec::new());
    let (mut console, mut buffer) = (Vec::new(), vec![0; 64 << 10]);
    let fail = |what: &str, console: &[u8]| {
        let tail = console.len().saturating_sub(6000);
        Failure::new(format!("{what}:\n{}", String::from_utf8_lossy(&console[tail..])))
    };
    loop {
        match guest.read_console(&mut buffer, deadline)? {
            Reading::Bytes(count) => {
                console.extend_from_slice(&buffer[..count]);
                for item in decoder.push(&buffer[..count]) {
                    act(&mut guest, &item)?;
                    items.push(item);
                }
            }
            Reading::Nothing => return Err(fail("the guest took too long", &console)),
            Reading::Closed => break,
        }
    }
    items.extend(decoder.finish());
    let Some((status, ending)) = guest.wait(deadline)? else { return Err(fail("it does not end", &console)) };
    if !status.success() {
        return Err(fail(&guest.said(), &console));
    }
    Ok(Seen { items, console: String::from_utf8_lossy(&console).into_owned(), ending })
}

impl Seen {
    /// The agent's events.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        self.items.iter().filter_map(|item| if let Item::Event(event) = item { Some(event) } else { None })
    }

    /// What a program wrote to a stream.
    pub fn written(&self, source: Source, stream: Stream) -> String {
        String::from_utf8_lossy(&self.bytes(source, stream)).into_owned()
    }

    /// The same as bytes.
    pub fn bytes(&self, source: Source, stream: Stream) -> Vec<u8> {
        let mut bytes = Vec::new();
        for event in self.events() {
            if let Event::Output(Output { source: of, stream: to, text, line_ends, .. }) = event
                && (*of, *to) == (source, stream)
            {
                bytes.extend_from_slice(text);
                bytes.extend(line_ends.then_some(b'\n'));
            }
        }
        bytes
    }

    /// How the programs of a source ended.
    pub fn exits(&self, source: Source) -> Vec<Exit> {
        let exits = self.events().filter_map(|event| if let Event::Exit(exit) = event { Some(*exit) } else { None });
        exits.filter(|exit| exit.source == source).collect()
    }

    /// What the agent says that it could not do.
    pub fn failures(&self) -> Vec<String> {
        let texts = self.events().filter_map(|event| if let Event::Fail(text) = event { Some(text) } else { None });
        texts.map(|text| String::from_utf8_lossy(&text.text).into_owned()).collect()
    }

    /// The places of the first events for which each of these holds, which must be in order.
    pub fn in_order(&self, wanted: &[(&str, Test)]) {
        let mut last = None;
        for (name, holds) in wanted {
            let place = self.events().position(holds);
            assert!(place.is_some() && place > last, "{name} at {place:?} behind {last:?}:\n{}", self.console);
            last = place;
        }
    }

    /// All lines of the agent's came through, none damaged, and nothing was dropped.
    pub fn is_whole(&self) -> &Self {
        let faults: Vec<&Item> = self
            .items
            .iter()
            .filter(|item| {
                let dropped = matches!(item, Item::Event(Event::Dropped { .. }));
                dropped || matches!(item, Item::Damaged(_) | Item::Lost(_) | Item::Back(_))
            })
            .collect();
        assert!(faults.is_empty(), "{faults:?}");
        self
    }
}
