//! What a run ends with. The runs need a program that plays the sandbox's roles, which this one does, without the usual harness.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use nex_cancel::{Cancel, Workspace};
use nex_process::Role;
use nex_sandbox::{Error, Kind, Laying, Limits, Network, Node, Options, Sandbox, Script, World};
use nex_testkit::{Failure, Result, elf};

/// Long enough for a run to end that will.
const MOMENT: Duration = Duration::from_millis(300);

/// In what time nobody loses patience, on a busy machine.
const SOON: Duration = Duration::from_secs(60);

/// `exit(0)`
const ENDS: &[u8] = b"\xb8\x3c\0\0\0\x31\xff\x0f\x05";

/// `pause()`, again and again.
const HANGS: &[u8] = b"\xb8\x22\0\0\0\x0f\x05\xeb\xf7";

type Test = fn() -> Result<()>;

fn main() -> ExitCode {
    match Role::of_this_process() {
        Some(Role::SandboxMonitor) => return nex_sandbox::run_monitor(),
        Some(Role::SandboxInit) => return nex_sandbox::run_init(),
        _ => {}
    }
    // The programs of the scripts are for it.
    if !cfg!(target_arch = "x86_64") {
        return ExitCode::SUCCESS;
    }
    let tests: [(&str, Test); 3] = [
        ("a_run_does_not_end_with_the_thread_that_started_it", a_run_does_not_end_with_the_thread_that_started_it),
        (
            "of_two_runs_the_cancelled_one_ends_and_leaves_nothing",
            of_two_runs_the_cancelled_one_ends_and_leaves_nothing,
        ),
        ("a_workspace_that_is_cleaned_up_ends_its_run", a_workspace_that_is_cleaned_up_ends_its_run),
    ];
    let mut code = ExitCode::SUCCESS;
    for (name, test) in tests {
        match test() {
            Ok(()) => println!("test {name} ... ok"),
            Err(failure) => {
                println!("test {name} ... FAILED: {failure}");
                code = ExitCode::FAILURE;
            }
        }
    }
    code
}

/// Starts a run of one program in an empty tree.
fn start(work_dir: &Path, code: &[u8], cancel: &Cancel, workspace: &Workspace) -> Result<Laying> {
    let world = World {
        scripts: vec![Script { name: "script".into(), content: elf::program(elf::X86_64, code, &[]) }],
        env: Vec::new(),
        directories: Vec::new(),
        mounts: Vec::new(),
        secrets: Vec::new(),
        network: Network::None,
        hostname: "test".into(),
        limits: Limits { time: SOON, memory: 1 << 30, processes: 100, names: 1000 },
    };
    let options = Options { work_dir: work_dir.to_owned(), world, keep_failed: None };
    let mut laying = Sandbox::start(options, &tempfile::tempfile()?, cancel, workspace)?;
    let (path, xattrs, kind) = (Vec::new(), Vec::new(), Kind::Directory);
    laying.place(Node { path, mode: 0o755, uid: 0, gid: 0, seconds: 0, nanoseconds: 0, xattrs, kind })?;
    Ok(laying)
}

fn finish(laying: Laying) -> Result<()> {
    let mut changes = laying.run(&mut |_| ())?;
    while changes.next_change()?.is_some() {}
    Ok(changes.finish()?)
}

fn runs(work_dir: &Path) -> Result<usize> {
    Ok(fs::read_dir(work_dir)?.count())
}

fn a_run_does_not_end_with_the_thread_that_started_it() -> Result<()> {
    let place = tempfile::tempdir()?;
    let work_dir = place.path().join("work");
    let path = work_dir.clone();
    let started = thread::spawn(move || start(&path, ENDS, &Cancel::never(), &Workspace::default()));
    let laying = started.join().map_err(|_| Failure::new("it panicked"))??;
    thread::sleep(MOMENT);
    finish(laying)?;
    assert_eq!(runs(&work_dir)?, 0);
    Ok(())
}

fn of_two_runs_the_cancelled_one_ends_and_leaves_nothing() -> Result<()> {
    let place = tempfile::tempdir()?;
    let work_dir = place.path().join("work");
    let cancel = Cancel::new()?;
    let hanging = start(&work_dir, HANGS, &cancel, &Workspace::default())?;
    let other = start(&work_dir, ENDS, &Cancel::new()?, &Workspace::default())?;
    assert_eq!(runs(&work_dir)?, 2);
    let (said, ended) = channel();
    let waiting = thread::spawn(move || said.send(hanging.run(&mut |_| ()).err()));
    assert_eq!(ended.recv_timeout(MOMENT).err(), Some(RecvTimeoutError::Timeout));
    cancel.cancel();
    let error = ended.recv_timeout(SOON)?;
    assert!(matches!(error, Some(Error::Cancelled(_))), "{error:?}");
    waiting.join().map_err(|_| Failure::new("it panicked"))??;
    assert_eq!(runs(&work_dir)?, 1);
    finish(other)?;
    assert_eq!(runs(&work_dir)?, 0);
    Ok(())
}

fn a_workspace_that_is_cleaned_up_ends_its_run() -> Result<()> {
    let place = tempfile::tempdir()?;
    let work_dir = place.path().join("work");
    let workspace = Workspace::default();
    let hanging = start(&work_dir, HANGS, &Cancel::never(), &workspace)?;
    let waiting = thread::spawn(move || hanging.run(&mut |_| ()).err());
    thread::sleep(MOMENT);
    assert!(!waiting.is_finished());
    workspace.clean_up();
    assert_eq!(runs(&work_dir)?, 0);
    let error = waiting.join().map_err(|_| Failure::new("it panicked"))?;
    assert!(matches!(error, Some(Error::Monitor(_))), "{error:?}");
    // Nothing more begins.
    assert!(start(&work_dir, ENDS, &Cancel::never(), &workspace).is_err());
    assert_eq!(runs(&work_dir)?, 0);
    Ok(())
}
