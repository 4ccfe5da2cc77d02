//! What takes namespaces: a pid that is used again, a disk that is full, and a supervisor that others do not see.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use nex_supervise::spool::{Piece, SpoolOptions, SpoolReader, SpoolWriter, Stream};
use nex_supervise::{Event, Id, Identity, Mode, Reason, Restarted, State, StateDir, SweepOptions, UnixMillis, sweep};

use crate::role::{self, Player, said};
use crate::{Place, create, exited, record};

/// A role in new namespaces; `None`, with a note, where there are none.
fn unshared(role: &str, place: &Path) -> Option<Command> {
    let options = ["--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"];
    let works = Command::new("unshare").args(options).arg("true").stderr(Stdio::null()).status();
    if !works.is_ok_and(|status| status.success()) {
        eprintln!("LEFT OUT: no namespaces here, or no unshare");
        return None;
    }
    let inner = role::command(role, place);
    let mut command = Command::new("unshare");
    command.args(options).arg(inner.get_program()).args(inner.get_args());
    for (name, value) in inner.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    Some(command)
}

fn plays(role: &str) {
    let place = Place::new();
    let Some(mut command) = unshared(role, place.path()) else { return };
    let output = command.stderr(Stdio::piped()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    eprint!("{text}");
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn a_process_that_gets_the_number_of_another_is_not_taken_for_it() {
    plays("reuse");
}

/// In a pid namespace of its own: who has it says which number comes next.
pub fn reuse_a_pid() {
    let sleeping = || Command::new("sleep").arg("600").spawn().unwrap();
    let mut first = sleeping();
    let identity = Identity::of(first.id()).unwrap();
    assert!(identity.is_alive().unwrap());
    first.kill().unwrap();
    first.wait().unwrap();
    // Its start is told in ticks of 10 ms.
    thread::sleep(Duration::from_millis(50));
    for _ in 0..100 {
        if fs::write("/proc/sys/kernel/ns_last_pid", (identity.pid - 1).to_string()).is_err() {
            eprintln!("LEFT OUT: this kernel does not let numbers be chosen");
            return;
        }
        let mut second = sleeping();
        if second.id() == identity.pid {
            let other = Identity::of(second.id()).unwrap();
            assert_eq!((other.pid, other.is_alive().unwrap()), (identity.pid, true));
            assert!(!identity.is_alive().unwrap() && identity.hold().unwrap().is_none());
            assert_eq!(second.try_wait().unwrap(), None);
            second.kill().unwrap();
            second.wait().unwrap();
            return;
        }
        second.kill().unwrap();
        second.wait().unwrap();
    }
    panic!("no number was used again");
}

#[test]
fn a_full_disk_takes_the_last_line_and_makes_output_a_number() {
    plays("full");
}

/// On a file system of 1 MiB, in a mount namespace of its own.
pub fn fill_a_disk(place: &Path) {
    let disk = place.join("disk");
    fs::create_dir(&disk).unwrap();
    let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs"]).arg(&disk).status();
    if !mounted.is_ok_and(|status| status.success()) {
        eprintln!("LEFT OUT: no tmpfs can be mounted here");
        return;
    }
    let state = StateDir::open(&disk.join("run")).unwrap();
    let mut guest = create(&state, Some("web"));
    let id = guest.directory.id().clone();
    let mut spool = SpoolWriter::new(guest.directory.directory(), SpoolOptions { limit: 512 << 10 }).unwrap();
    spool.write(Stream::Out, &[1; 200 << 10], UnixMillis(1));
    // Somebody else takes all that is left.
    let fill = || {
        let mut filler = fs::OpenOptions::new().create(true).append(true).open(disk.join("filler")).unwrap();
        while std::io::Write::write_all(&mut filler, &[0; 4096]).is_ok() {}
    };
    fill();
    for _ in 0..50 {
        spool.write(Stream::Err, &[2; 20 << 10], UnixMillis(2));
        fill();
    }
    assert!(spool.losses().dropped_bytes > 0, "{:?}", spool.losses());
    // The journal has kept room for itself, and another guest cannot even begin.
    guest.journal.note(Event::Restarted(Restarted { times: 1 })).unwrap();
    assert!(state.create(None, crate::about(), Mode::default()).is_err());
    assert_eq!(fs::read_dir(disk.join("run/making")).unwrap().count(), 0);
    let losses = spool.losses();
    guest.journal.end(nex_supervise::Ended { losses, ..exited(0) }).unwrap();
    let (read, now) = record(&state, &id);
    assert_eq!((now, read.ended.unwrap().1.losses), (State::Ended(Reason::Exited { code: 0 }), losses));
    let (mut kept, mut lost, mut reader) = (0, 0, SpoolReader::new(guest.directory.directory()).unwrap());
    while let Some(piece) = reader.next_piece().unwrap() {
        match piece {
            Piece::Output(output) => kept += output.bytes.len() as u64,
            Piece::Lost(bytes) => lost += bytes,
        }
    }
    assert!(kept > 0 && kept + lost <= spool.position());
    assert_eq!(spool.position() - kept, losses.overwritten_bytes + losses.dropped_bytes);
    // Room comes back, and so does the output.
    fs::remove_file(disk.join("filler")).unwrap();
    spool.write(Stream::Out, b"again", UnixMillis(3));
    let mut last = None;
    while let Some(piece) = reader.next_piece().unwrap() {
        last = Some(piece);
    }
    assert!(matches!(last, Some(Piece::Output(output)) if output.bytes == b"again"));
    assert!(sweep(&state, &SweepOptions::default(), UnixMillis::now()).unwrap().problems.is_empty());
}

#[test]
fn a_guest_that_finds_no_room_for_its_name_is_not_there() {
    plays("no-inodes");
}

/// On a file system without room for one more link, in a mount namespace of its own.
pub fn run_out_of_inodes(place: &Path) {
    let disk = place.join("disk");
    fs::create_dir(&disk).unwrap();
    let mounted = |inodes: u32| {
        let options = format!("nr_inodes={inodes},mode=0700");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&disk).status();
        mounted.is_ok_and(|status| status.success())
    };
    // One for the file system, four for the records, two for a guest, one for its name.
    for (inodes, is_enough) in [(5, false), (6, false), (7, false), (8, true)] {
        if !mounted(inodes) {
            eprintln!("LEFT OUT: no tmpfs can be mounted here");
            return;
        }
        let state = StateDir::open(&disk.join("run")).unwrap();
        let created = state.create(Some(&"web".parse().unwrap()), crate::about(), Mode::default());
        assert_eq!(created.is_ok(), is_enough, "{inodes}: {created:?}");
        assert_eq!(state.ids().unwrap().len(), usize::from(is_enough), "{inodes}");
        for (part, count) in [("making", 0), ("names", usize::from(is_enough))] {
            assert_eq!(fs::read_dir(disk.join("run").join(part)).unwrap().count(), count, "{inodes}: {part}");
        }
        drop((created, state));
        assert!(Command::new("umount").arg("--lazy").arg(&disk).status().unwrap().success());
    }
}

#[test]
fn a_number_that_another_users_hidden_process_has_is_nobodys() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("LEFT OUT: only root has processes of two users");
        return;
    }
    let place = Place::new();
    let inner = role::command("hidden", place.path());
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]);
    command.arg(inner.get_program()).args(inner.get_args());
    command.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    eprint!("{text}");
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stdout));
}

/// In namespaces of its own, where `/proc` shows each user the own processes alone.
pub fn hide_processes() {
    for hides in ["hidepid=1", "hidepid=2"] {
        let options = format!("remount,{hides}");
        if !Command::new("mount").args(["-o", &options, "/proc"]).status().is_ok_and(|status| status.success()) {
            eprintln!("LEFT OUT: /proc cannot be mounted anew here");
            return;
        }
        let mut other = Command::new("sleep").arg("600").spawn().unwrap();
        let identity = Identity::of(other.id()).unwrap();
        // The user's rights go with the thread.
        let looked = thread::spawn(move || {
            let (user, group) = (rustix::process::Uid::from_raw(65534), rustix::process::Gid::from_raw(65534));
            // The group 0 sees all.
            rustix::thread::set_thread_groups(&[]).unwrap();
            rustix::thread::set_thread_res_gid(group, group, group).unwrap();
            rustix::thread::set_thread_res_uid(user, user, user).unwrap();
            assert!(fs::read(format!("/proc/{}/stat", identity.pid)).is_err(), "it is not hidden");
            identity.hold().map(|held| held.is_some())
        });
        assert!(!looked.join().unwrap().unwrap(), "{hides}");
        other.kill().unwrap();
        other.wait().unwrap();
    }
}

#[test]
fn a_supervisor_in_another_pid_namespace_is_not_swept() {
    let place = Place::new();
    let Some(mut command) = unshared("supervisor", place.path()) else { return };
    let mut supervisor = Player::of(command.spawn().unwrap());
    let words = said(&mut supervisor);
    let id = Id::parse(words.split_once(' ').unwrap().0).unwrap();
    let state = place.state();
    // Its number means somebody else here, or nobody; its lock tells that it is there.
    assert!(!record(&state, &id).0.supervisor.is_alive().unwrap());
    assert_eq!(record(&state, &id).1, State::Running);
    let swept = sweep(&state, &SweepOptions::default(), UnixMillis::now()).unwrap();
    assert!(swept.lost.is_empty() && swept.problems.is_empty(), "{swept:?}");
    supervisor.kill();
    // The namespace's processes end with unshare, a moment later.
    let end = std::time::Instant::now() + Duration::from_secs(60);
    while sweep(&state, &SweepOptions::default(), UnixMillis::now()).unwrap().lost.is_empty() {
        assert!(std::time::Instant::now() < end, "it is never swept");
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(record(&state, &id).1, State::Ended(Reason::SupervisorKilled));
}
