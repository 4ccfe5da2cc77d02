//! A guest that may write to its image, and what its agent says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use nex_kernel::MAX_KERNEL;
use nex_protocol::{Decoder, Event, Item, Ready};
use nex_testkit::e2fsck::E2fsck;
use nex_testkit::guest::own_kernel;
use nex_testkit::{Failure, Result, command, fsck, nex, places};
use nex_vmm::{Accelerator, Access, Architecture, Bus, Drive, Machine, Qemu, Reading, Vmm};

/// How long a guest may take to report, and to end: systemd needs half a minute where nothing else runs.
const PATIENCE: Duration = Duration::from_secs(240);
const MEMORY_MIB: u32 = 384;

/// The static agent for arm64; `None`, with a line that says so, where there is no compiler for it.
pub fn agent_for_arm64() -> Result<Option<PathBuf>> {
    if let Ok(reason) = fs::read_to_string(places::workspace().join("target/rust-arm64/left-out")) {
        eprintln!("LEFT OUT: arm64's agent: {}", reason.trim());
        return Ok(None);
    }
    let printed = command::run(Command::new(places::workspace().join("scripts/build-agent")).arg("aarch64"))?;
    Ok(Some(PathBuf::from(String::from_utf8_lossy(&printed).trim())))
}

/// `nex rootfs` with room for what a guest writes.
pub fn rootfs(image: &str, agent: &Path, output: &Path) -> Command {
    let mut build = Command::new(nex::program());
    build.args(["rootfs", "--quiet", "--size", "auto", "--image", image, "--agent"]).arg(agent).arg("-o").arg(output);
    build
}

/// Two generations of e2fsck have nothing to say of an image that a guest has left in order. Its mounts are counted,
/// which is all that a repair would change.
pub fn in_order(image: &Path) -> Result<()> {
    E2fsck::all()?.into_iter().try_for_each(|e2fsck| fsck::check_by(&e2fsck.tomorrow(), image))
}

/// What a power cut has left of an image is in order once e2fsck has replayed its journal. Returns whether there was something to
/// replay.
pub fn after_a_cut(image: &Path) -> Result<bool> {
    let copy = fsck::sparse_copy(image)?;
    let result = command::output(Command::new("e2fsck").arg("-fy").arg(&copy).env("LC_ALL", "C"))?;
    let text = String::from_utf8_lossy(&result.stdout).into_owned();
    if !matches!(result.status.code(), Some(0 | 1)) {
        return Err(Failure::new(format!("e2fsck after a power cut: {}\n{text}", result.status)));
    }
    fsck::check(&copy)?;
    Ok(text.contains("recovering journal"))
}

/// A guest that runs.
pub struct Guest {
    guest: nex_vmm::Guest,
    decoder: Decoder,
    console: Vec<u8>,
    deadline: Instant,
}

impl Guest {
    /// Starts a guest on an image; `None`, with a line that says so, where there is no kernel for it.
    pub fn start(architecture: Architecture, image: &Path, words: &str) -> Result<Option<Self>> {
        // The clock's check fails now and then when emulation has to share its processor.
        let (place, more) = match architecture {
            Architecture::X86_64 => ("target/guest", " no_timer_check"),
            Architecture::Aarch64 => ("target/guest-arm64", ""),
        };
        let place = places::workspace().join(place);
        if let Ok(reason) = fs::read_to_string(place.join("left-out")) {
            eprintln!("LEFT OUT: a boot on {architecture}: {}", reason.trim());
            return Ok(None);
        }
        let own = own_kernel().filter(|_| architecture == Architecture::X86_64);
        let machine = Machine {
            architecture,
            kernel: own.map_or_else(|| place.join("vmlinuz"), |own| own.join("vmlinux")),
            max_kernel: MAX_KERNEL,
            initramfs: None,
            command_line: format!("root=/dev/nvme0n1 rw {words}{more}"),
            drives: vec![Drive::open(image, Access::Write, Bus::Nvme)?],
            memory_mib: MEMORY_MIB,
            vcpus: 1,
            channel: None,
        };
        let guest = Qemu::find(architecture, Accelerator::Emulation)?.start(&machine)?;
        let (decoder, deadline) = (Decoder::new(), Instant::now() + PATIENCE);
        Ok(Some(Self { guest, decoder, console: Vec::new(), deadline }))
    }

    /// Waits for the agent's report.
    pub fn ready(&mut self) -> Result<Ready> {
        loop {
            let read = self.read()?;
            let ready = read.iter().flatten().find_map(|item| match item {
                Item::Event(Event::Ready(ready)) => Some(ready.clone()),
                _ => None,
            });
            match ready {
                Some(ready) => return Ok(ready),
                None if read.is_none() => return Err(self.failure("the guest ended before its agent reported")),
                None => {}
            }
        }
    }

    /// Waits for the agent's report, and looks at the image as a power cut at this moment would leave it.
    pub fn ready_or_cut(&mut self, image: &Path) -> Result<Ready> {
        let ready = self.ready()?;
        let signal = |name: &str| command::run(Command::new("kill").args([name, &self.guest.id().to_string()]));
        // What the drive holds is what QEMU has written to its file.
        signal("-STOP")?;
        let left = self.stopped().and_then(|()| fsck::sparse_copy(image));
        signal("-CONT")?;
        after_a_cut(&left?)?;
        Ok(ready)
    }

    /// Waits until the last of QEMU's threads stands still.
    fn stopped(&self) -> Result<()> {
        let stands = |task: &Path| {
            let stat = fs::read_to_string(task.join("stat")).unwrap_or_default();
            stat.rsplit_once(") ").is_none_or(|(_, state)| state.starts_with(['T', 'Z']))
        };
        while Instant::now() < self.deadline {
            let tasks = fs::read_dir(format!("/proc/{}/task", self.guest.id()))?.flatten();
            if tasks.map(|task| task.path()).all(|task| stands(&task)) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Err(self.failure("the guest does not stand still"))
    }

    /// Waits until the console has a line with this text in it.
    pub fn wait_for(&mut self, text: &str) -> Result<()> {
        while !String::from_utf8_lossy(&self.console).contains(text) {
            if self.read()?.is_none() {
                return Err(self.failure(&format!("the guest ended without {text:?}")));
            }
        }
        Ok(())
    }

    /// Asks the guest to end, as its user does with three keys, waits for it, and gives its whole console.
    pub fn end(mut self) -> Result<String> {
        self.guest.press_ctrl_alt_del()?;
        self.deadline = Instant::now() + PATIENCE;
        self.ended()
    }

    /// Waits for the guest's end, and gives its whole console.
    pub fn ended(mut self) -> Result<String> {
        while self.read()?.is_some() {}
        match self.guest.wait(self.deadline)? {
            Some((status, _)) if status.success() => Ok(String::from_utf8_lossy(&self.console).into_owned()),
            other => {
                let said = self.guest.said();
                Err(self.failure(&format!("QEMU did not end well: {other:?}, {said}")))
            }
        }
    }

    /// Ends it as a power cut does.
    pub fn cut_power(mut self) -> Result<()> {
        self.guest.kill();
        self.guest.wait(self.deadline)?.map(drop).ok_or_else(|| Failure::new("a killed guest goes on"))
    }

    /// What the guest writes next; `None` when it has ended.
    fn read(&mut self) -> Result<Option<Vec<Item>>> {
        let mut buffer = [0; 4096];
        match self.guest.read_console(&mut buffer, self.deadline)? {
            Reading::Bytes(bytes) => {
                let bytes = &buffer[..bytes];
                self.console.extend_from_slice(bytes);
                Ok(Some(self.decoder.push(bytes)))
            }
            Reading::Nothing => Err(self.failure("the guest took too long")),
            Reading::Closed => Ok(None),
        }
    }

    fn failure(&self, what: &str) -> Failure {
        let console = String::from_utf8_lossy(&self.console);
        let lines: Vec<&str> = console.lines().collect();
        Failure::new(format!("{what}:\n{}", lines[lines.len().saturating_sub(60)..].join("\n")))
    }
}
