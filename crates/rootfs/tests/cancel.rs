//! Builds that are cancelled: each by its own token, and nothing of them is left.

use std::fs::{self, File};
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nex_cancel::{Cancel, Workspace};
use nex_ext4::Size;
use nex_image::{ImageDirectories, Platform, Progress, Reference};
use nex_registry::transport::Security;
use nex_rootfs::guest::AgentService;
use nex_rootfs::{Destination, Error, Events, FileSystemOptions, GuestOptions, Limits, Options, Report, build};
use nex_testkit::layer::{self, Entry};
use nex_testkit::{Failure, Result, command, elf, program};

/// In what time nobody loses patience, on a busy machine.
const SOON: Duration = Duration::from_secs(20);

/// Says when a layer is being read.
struct Told(Mutex<Sender<()>>);

impl Progress for Told {
    fn advanced(&self, _: usize, _: u64) {
        // Nobody may be left who wants to know.
        let _ = self.0.lock().map(|sender| sender.send(()));
    }
}

impl Events for Told {}

fn told() -> (Arc<dyn Events>, Receiver<()>) {
    let (sender, reading) = channel();
    (Arc::new(Told(Mutex::new(sender))), reading)
}

fn options(tar: &Path, agent: &Path, output: &Path, cancel: &Cancel, workspace: &Workspace) -> Result<Options> {
    Ok(Options {
        reference: Reference::parse(format!("tar:{}", tar.display()).as_ref())?,
        image: nex_image::Options {
            platform: Platform::new("linux", "amd64", None),
            offline: true,
            registry: nex_registry::Options::default(),
            limits: nex_image::Limits::default(),
            cache: None,
            aside: None,
            installed: ImageDirectories::default(),
        },
        agent: agent.into(),
        agent_service: AgentService::default(),
        size: Size::Auto { free: Some(0) },
        file_system: FileSystemOptions::default(),
        script: None,
        work_dir: None,
        output: Destination::new(output.as_os_str())?,
        digest: false,
        verity: None,
        source_date_epoch: None,
        guest: GuestOptions::default(),
        boot_script: None,
        limits: Limits::default(),
        cache: None,
        cancel: cancel.clone(),
        workspace: workspace.clone(),
    })
}

type Built = std::result::Result<Report, Box<Error>>;

/// A build whose image comes through a FIFO, by and by.
struct Running {
    build: JoinHandle<Built>,
    cancel: Cancel,
    workspace: Workspace,
    /// Lets the rest of the image come.
    go_on: Sender<()>,
}

/// Starts a build, and waits until it has come to the middle of its image.
fn start(place: &Path, name: &str) -> Result<Running> {
    let (fifo, output) = (place.join(format!("{name}.fifo")), place.join(name));
    command::run(Command::new("mkfifo").arg(&fifo))?;
    fs::create_dir(&output)?;
    let (cancel, workspace) = (Cancel::new()?, Workspace::default());
    let options = options(&fifo, &place.join("agent"), &output.join("image"), &cancel, &workspace)?;
    // Nobody who opens it waits for the other side.
    let mut stream = File::options().read(true).write(true).open(&fifo)?;
    let tar = image()?;
    let (go_on, rest_wanted) = channel();
    thread::spawn(move || {
        let (begin, rest) = tar.split_at(tar.len() / 2);
        stream.write_all(begin)?;
        match rest_wanted.recv() {
            Ok(()) => stream.write_all(rest),
            // It never ends.
            Err(_) => {
                thread::park();
                Ok(())
            }
        }
    });
    let (events, reading) = told();
    let build = thread::spawn(move || build(&options, &events).map_err(Box::new));
    reading.recv_timeout(SOON)?;
    Ok(Running { build, cancel, workspace, go_on })
}

fn image() -> Result<Vec<u8>> {
    layer::tar(&[Entry::directory("etc"), Entry::file("large", vec![1; 3_000_000])])
}

fn ended(build: JoinHandle<Built>) -> Result<Built> {
    build.join().map_err(|_| Failure::new("the build panicked"))
}

#[test]
fn of_two_builds_the_cancelled_one_ends_and_leaves_nothing() -> Result<()> {
    let place = tempfile::tempdir()?;
    program::write(place.path().join("agent"), elf::program(elf::X86_64, &[], &[]))?;
    let names = |name: &str| fs::read_dir(place.path().join(name)).map(Iterator::count);
    let (cancelled, other) = (start(place.path(), "cancelled")?, start(place.path(), "other")?);

    let started = Instant::now();
    cancelled.cancel.cancel();
    let result = ended(cancelled.build)?;
    assert!(result.as_ref().is_err_and(|error| matches!(**error, Error::Cancelled(_))), "{result:?}");
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    assert_eq!(names("cancelled")?, 0);

    // Others wait for nothing either when what is left behind is removed.
    cancelled.workspace.clean_up();
    assert!(!other.build.is_finished());
    other.go_on.send(())?;
    ended(other.build)??;
    assert_eq!(names("other")?, 1);
    Ok(())
}

#[test]
fn what_is_cancelled_before_it_begins_leaves_nothing() -> Result<()> {
    let place = tempfile::tempdir()?;
    let (agent, tar, output) = (place.path().join("agent"), place.path().join("tar"), place.path().join("image"));
    program::write(&agent, elf::program(elf::X86_64, &[], &[]))?;
    fs::write(&tar, image()?)?;
    let (cancel, closed) = (Cancel::new()?, Workspace::default());
    cancel.cancel();
    closed.clean_up();
    for (cancel, workspace) in [(&cancel, &Workspace::default()), (&Cancel::never(), &closed)] {
        let options = options(&tar, &agent, &output, cancel, workspace)?;
        assert!(build(&options, &told().0).is_err());
        assert_eq!(fs::read_dir(place.path())?.count(), 2);
    }
    Ok(())
}

/// A build that waits for an image of which nothing comes: no head of an archive, and no answer of a registry.
#[test]
fn a_build_whose_image_does_not_come_ends_when_it_is_cancelled() -> Result<()> {
    let place = tempfile::tempdir()?;
    let (agent, fifo) = (place.path().join("agent"), place.path().join("fifo"));
    program::write(&agent, elf::program(elf::X86_64, &[], &[]))?;
    command::run(Command::new("mkfifo").arg(&fifo))?;
    let _open = File::options().read(true).write(true).open(&fifo)?;
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let references = [format!("tar:{}", fifo.display()), format!("docker://{}/none", silent.local_addr()?)];
    for reference in references {
        let (cancel, workspace) = (Cancel::new()?, Workspace::default());
        let mut options = options(&fifo, &agent, &place.path().join("image"), &cancel, &workspace)?;
        options.reference = Reference::parse(reference.as_ref())?;
        options.image.offline = false;
        options.image.registry.transport.security = Security::PlainHttp;
        let build = thread::spawn(move || build(&options, &told().0).map_err(Box::new));
        thread::sleep(Duration::from_millis(500));
        assert!(!build.is_finished(), "{reference} does not wait");
        let started = Instant::now();
        cancel.cancel();
        let result = ended(build)?;
        assert!(result.as_ref().is_err_and(|error| matches!(**error, Error::Cancelled(_))), "{reference}: {result:?}");
        assert!(started.elapsed() < Duration::from_secs(5), "{reference}: {:?}", started.elapsed());
        assert_eq!(fs::read_dir(place.path())?.count(), 2, "{reference}");
    }
    Ok(())
}
