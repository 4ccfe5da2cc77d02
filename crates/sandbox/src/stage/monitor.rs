//! The monitor: owns the tree. It lays it out, starts init in it, watches the scripts, and tells what has changed.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex};

use nex_process::Role;
use rustix::fs::{AtFlags, Mode, OFlags, fstat, statat};
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, OpenTreeFlags};
use rustix::thread::{Gid, Uid, UnshareFlags};

use super::guard::{Ended, Guard};
use super::memory_events::MemoryEvents;
use super::memory_files::MemoryFiles;
use super::sampler::{Sampler, Sum, WaitingSampler};
use super::sockets::Lent;
use super::supervisor::MemoryLimit;
use super::watch::Watch;
use super::worker::Worker;
use super::{die_with_parent, doing, limits, line_up, mounts, program, setup_files};
use crate::failure::{Advice, Failure};
use crate::options::MemoryBound;
use crate::protocol::{Answer, Order, Outcome, Report, Setup};
use crate::sys;
use crate::tree::{Changed, Layout, Snapshot, remove, send_changes};
use crate::wire::{Channel, receive_files, send_files};
use crate::work_dir::BOX;

/// The tree's directory in the [`BOX`].
const ROOT: &str = "root";

/// Everything that goes wrong here is said to the caller.
pub fn run() -> io::Result<()> {
    sys::close_inherited()?;
    die_with_parent()?;
    // While root of the machine still has its rights.
    limits::forbid_core_dumps()?;
    limits::raise_files()?;
    let socket = line_up()?;
    let files = receive_files(&socket)?;
    let mut caller = Channel::new(socket)?;
    let namespaces = UnshareFlags::NEWUSER | UnshareFlags::NEWNS;
    if let Err(errno) = sys::unshare(namespaces) {
        return caller.send_now(&Answer::NoUserNamespace(errno.raw_os_error()));
    }
    caller.send_now(&Answer::Unshared)?;
    let answer = match serve(&mut caller, files) {
        Ok(()) => Answer::Removed,
        Err(message) => Answer::Failed(message),
    };
    caller.send_now(&answer)
}

fn serve(caller: &mut Channel, files: Vec<OwnedFd>) -> Result<(), Failure> {
    match caller.receive().map_err(doing("waiting for the caller"))? {
        Order::Start(setup) => {
            let mut monitor = Monitor::new(Arc::from(setup), files)?;
            let result = monitor.serve(caller);
            // Who still lives would go on adding to it.
            let removed = if monitor.is_held { Ok(()) } else { remove(&monitor.place, ROOT) };
            result.and(removed.map_err(doing("removing the tree")))
        }
        Order::Remove { groups } => {
            let place = open_place(BOX)?;
            become_root(groups)?;
            remove(&place, ROOT).map_err(doing("removing the tree"))
        }
        order => Err(format!("the caller said {order:?} out of turn").into()),
    }
}

fn open_place(path: impl rustix::path::Arg) -> Result<OwnedFd, Failure> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map_err(doing("opening the work directory"))
}

/// From the caller's ids to root's of the tree. What only the caller can open must be open by then.
fn become_root(groups: bool) -> Result<(), Failure> {
    (|| {
        if groups {
            rustix::thread::set_thread_groups(&[])?;
        }
        rustix::thread::set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT)?;
        rustix::thread::set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT)?;
        die_with_parent()
    })()
    .map_err(doing("becoming root of the tree"))?;
    rustix::process::umask(Mode::empty());
    Ok(())
}

struct Monitor {
    setup: Arc<Setup>,
    /// The directory that the user namespace may write to.
    place: OwnedFd,
    /// The caller's mounts, not attached to anything yet.
    mounts: Vec<OwnedFd>,
    source: File,
    /// This program, for init.
    program: File,
    /// Where the scripts write, until they run. The caller waits until nobody has it open any more.
    output: Option<OwnedFd>,
    /// Where the caller takes files that are made in here: the other side of the output, and then of a shell's terminal.
    passage: UnixStream,
    /// The scripts' cgroup, if there is one.
    memory_group: Option<GroupFiles>,
    /// Whether processes of the scripts do not end.
    is_held: bool,
}

/// The files of a cgroup.
struct GroupFiles {
    /// Where numbers of processes are written that come into it.
    processes: File,
    /// Tells of processes that were killed.
    events: File,
}

/// A tree on the disk.
struct LaidOut {
    root: OwnedFd,
    /// What the disk does not show of it.
    hidden: Changed,
    /// The kind of the terminal (`TERM`) on which a shell follows the scripts, if one does.
    shell: Option<String>,
}

impl Monitor {
    fn new(setup: Arc<Setup>, files: Vec<OwnedFd>) -> Result<Self, Failure> {
        let mut files = files.into_iter();
        let mut next = || files.next().ok_or_else(|| "the caller has passed too few files".to_owned());
        let (source, passage) = (File::from(next()?), UnixStream::from(next()?));
        let memory_group = match setup.has_memory_group {
            true => Some(GroupFiles { processes: next()?.into(), events: next()?.into() }),
            false => None,
        };
        // The run's lock stays open as long as this process lives.
        std::mem::forget(next()?);
        // Nothing that is mounted below may reach the host.
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        rustix::mount::mount_change("/", private).map_err(doing("making the mounts private"))?;
        let place = open_place(setup.place.join(BOX))?;
        // By the caller's rights, while this process has them.
        let mounts = setup.world.mounts.iter().map(mounts::take).collect::<Result<_, _>>()?;
        let program = program::open().map_err(doing("opening the file of nex, which must be readable"))?;
        become_root(setup.groups)?;
        let output = Some(make_output(&passage).map_err(doing("making the scripts' output"))?);
        Ok(Self { setup, place, mounts, source, program, output, passage, memory_group, is_held: false })
    }

    fn serve(&mut self, caller: &mut Channel) -> Result<(), Failure> {
        let LaidOut { root, hidden, shell } = self.lay_out(caller)?;
        setup_files::add(root.as_fd(), &self.setup, &self.mounts)?;
        let snapshot = Snapshot::take(root.as_fd()).map_err(|failure| failure.within("looking at the tree"))?;
        snapshot.let_time_pass(self.place.as_fd()).map_err(doing("waiting for the clock"))?;
        let Ended { ending, hidden, is_held } = self.run_scripts(&root, shell.as_deref(), hidden, caller)?;
        self.is_held = is_held;
        let ending = ending?;
        let outcome = ending.outcome.clone();
        caller.send_now(&Answer::Ended(ending)).map_err(doing("telling how the scripts ended"))?;
        if is_held {
            return Err(Failure::advised(
                "a process of the scripts was killed and does not end, as a mounted file system does not answer it; the tree \
                 stays until a later run",
                Advice::Hangs,
            ));
        }
        let before = if outcome == Outcome::Done { snapshot } else { Snapshot::of_nothing() };
        if shell.is_none() && (outcome == Outcome::Done || self.setup.keep_failed) {
            send_changes(root.as_fd(), before, &hidden, self.setup.world.limits.names, caller)?;
            self.is_still_there(&root)?;
            caller.send_now(&Answer::NoMoreChanges).map_err(doing("telling the changes"))?;
        }
        Ok(())
    }

    /// Makes sure that the tree has its name: who removes it by hand takes its files first, and they would count as the scripts' removals.
    fn is_still_there(&self, root: &OwnedFd) -> Result<(), Failure> {
        let same = (|| {
            let (own, named) = (fstat(root)?, statat(&self.place, ROOT, AtFlags::SYMLINK_NOFOLLOW)?);
            Ok((own.st_dev, own.st_ino) == (named.st_dev, named.st_ino))
        })();
        match same {
            Ok(true) => Ok(()),
            Ok(false) | Err(Errno::NOENT) => Err("the tree was removed while it was in use".to_owned().into()),
            Err(error) => Err(doing("looking for the tree")(error)),
        }
    }

    fn lay_out(&self, caller: &mut Channel) -> Result<LaidOut, Failure> {
        const FRESH: Mode = Mode::from_raw_mode(0o755);
        rustix::fs::mkdirat(&self.place, ROOT, FRESH).map_err(doing("making the tree's directory"))?;
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let root = rustix::fs::openat(&self.place, ROOT, flags, Mode::empty());
        let root = root.map_err(doing("opening the tree's directory"))?;
        let mut layout = Layout::new(root.as_fd(), &self.source, &self.setup.ids, !self.setup.groups);
        let shell = loop {
            match caller.receive().map_err(doing("waiting for the tree"))? {
                Order::Place(node) => layout.place(&node)?,
                Order::Run { shell } => break shell,
                order => return Err(format!("the caller said {order:?} out of turn").into()),
            }
        };
        let hidden = layout.finish()?;
        Ok(LaidOut { root, hidden, shell })
    }

    fn run_scripts(
        &mut self,
        root: &OwnedFd,
        shell: Option<&str>,
        hidden: Changed,
        caller: &mut Channel,
    ) -> Result<Ended, Failure> {
        let tree = rustix::mount::open_tree(
            root,
            c"",
            OpenTreeFlags::AT_EMPTY_PATH | OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC,
        );
        let tree = tree.map_err(doing("making the tree a mount"))?;
        // Init finds its place by its working directory, which goes along into its mount namespace.
        rustix::process::fchdir(&self.place).map_err(doing("entering the work directory"))?;
        let (ours, theirs) = UnixStream::pair().map_err(doing("making a socket"))?;
        // Before the next step: who has children in another pid namespace may have no more threads.
        let workers = Workers {
            watch: Worker::start("watch", Watch::run)?,
            sampler: Worker::start("memory", Sampler::run)?,
            waiting: Worker::start("waiting", WaitingSampler::run)?,
        };
        let lent = Arc::new(Mutex::new(Lent::new().map_err(doing("making a list of sockets"))?));
        sys::unshare(UnshareFlags::NEWPID).map_err(doing("making a pid namespace"))?;
        let mut child = self.start_init(theirs)?;
        match self.begin(ours, &child, &tree, shell) {
            Ok(started) => Ok(self.guard(started, &mut child, workers, lent, hidden, caller)),
            Err(message) => {
                child.kill().ok();
                child.wait().map_err(doing("waiting for the end of init"))?;
                Err(message)
            }
        }
    }

    fn start_init(&mut self, line: UnixStream) -> Result<Child, Failure> {
        let output = self.output.take().ok_or("the scripts have run already")?;
        let error_output = output.try_clone().map_err(doing("passing the output on"))?;
        let program = program::copy(&mut self.program).map_err(doing("copying the file of nex into memory"))?;
        Role::SandboxInit
            .command_of(format!("/proc/self/fd/{}", program.as_raw_fd()))
            .stdin(Stdio::from(OwnedFd::from(line)))
            .stdout(output)
            .stderr(error_output)
            .env_clear()
            .spawn()
            .map_err(doing("starting init"))
    }

    /// Gives init what it needs.
    fn begin(
        &mut self,
        line: UnixStream,
        child: &Child,
        tree: &OwnedFd,
        shell: Option<&str>,
    ) -> Result<Started, Failure> {
        // Before anything of the image runs. Where the kernel does not let us, all is as without a group.
        let group = self.memory_group.take();
        let group = group.filter(|group| write!(&group.processes, "{}", child.id()).is_ok());
        let memory = if group.is_some() { MemoryBound::Cgroup } else { MemoryBound::Sampled };
        let (calls, told) = UnixStream::pair().map_err(doing("making a socket"))?;
        let mut files = vec![self.passage.as_fd(), told.as_fd(), tree.as_fd()];
        files.extend(self.mounts.iter().map(AsFd::as_fd));
        send_files(&line, &files).map_err(doing("passing mounts on"))?;
        let mut init = Channel::new(line).map_err(doing("speaking to init"))?;
        init.send_now(&(&*self.setup, shell, memory)).map_err(doing("speaking to init"))?;
        match init.receive().map_err(doing("starting the scripts"))? {
            Report::Unshared => {}
            Report::Failed(message) => return Err(message),
            report => return Err(format!("init said {report:?} out of turn").into()),
        }
        let ids = &self.setup.ids;
        for (file, ids) in [("uid_map", &ids.users), ("gid_map", &ids.groups)] {
            std::fs::write(format!("/proc/{}/{file}", child.id()), ids.same())
                .map_err(doing("setting the ids of init"))?;
        }
        init.send_now(&()).map_err(doing("speaking to init"))?;
        let memory_events = group.map(|group| MemoryEvents(Arc::new(group.events)));
        Ok(Started { init, calls, memory_events, shell: shell.is_some() })
    }

    /// Lets the scripts run, and has them watched.
    fn guard(
        &self,
        started: Started,
        child: &mut Child,
        workers: Workers,
        lent: Arc<Mutex<Lent>>,
        hidden: Changed,
        caller: &mut Channel,
    ) -> Ended {
        let Started { init, calls, memory_events, shell } = started;
        let Workers { watch: (watch, work), sampler, waiting } = workers;
        let (limit, files) = (self.setup.world.limits.memory, Arc::new(Mutex::new(MemoryFiles::default())));
        let (teller, news) = mpsc::channel();
        let script = Arc::new(AtomicUsize::new(0));
        let is_sampled = memory_events.is_none();
        // Who does not live any more is found out when it is tended.
        work.send(Watch {
            init,
            pid: child.id(),
            calls,
            setup: Arc::clone(&self.setup),
            shell,
            memory_events: memory_events.clone(),
            memory: is_sampled.then(|| MemoryLimit { bytes: limit, files: Arc::clone(&files) }),
            lent: Arc::clone(&lent),
            hidden,
            script: Arc::clone(&script),
            news: teller.clone(),
        })
        .ok();
        let (init, uplink, mut samplers) = (child.id(), self.setup.uplink, Vec::new());
        if is_sampled {
            let sum = Arc::new(Sum::default());
            let (end, until) = mpsc::channel();
            sampler.1.send(Sampler { init, limit, files, sum: Arc::clone(&sum), news: teller, until }).ok();
            samplers.push((sampler.0, end));
            let (end, until) = mpsc::channel();
            waiting.1.send(WaitingSampler { init, limit, uplink, lent, sum, until }).ok();
            samplers.push((waiting.0, end));
        }
        let (setup, place) = (&*self.setup, self.place.as_fd());
        Guard { init: child, setup, place, memory_events, caller, script, watch, samplers, news }.until_done()
    }
}

/// Threads that look at what scripts have, each with where its work comes from.
struct Workers {
    watch: (Worker, Sender<Watch>),
    sampler: (Worker, Sender<Sampler>),
    waiting: (Worker, Sender<WaitingSampler>),
}

/// Init, when it sets out to run the scripts.
struct Started {
    init: Channel,
    /// Where it passes the file that tells of calls.
    calls: UnixStream,
    /// What the scripts' cgroup tells, if they are in one.
    memory_events: Option<MemoryEvents>,
    /// Whether a shell follows the scripts.
    shell: bool,
}

/// Makes the scripts' output, and passes the other side to the caller.
///
/// Programs open it by its name, `/dev/stderr`, and logs are links to that. So it belongs to root of the tree, and whoever a
/// script becomes may open it. Were it the caller's, it would belong to nobody in there, who lets nobody in.
fn make_output(passage: &UnixStream) -> io::Result<OwnedFd> {
    let (other_side, output) = io::pipe()?;
    rustix::fs::fchmod(&output, Mode::from_raw_mode(0o666))?;
    send_files(passage, &[other_side.as_fd()])?;
    Ok(output.into())
}
