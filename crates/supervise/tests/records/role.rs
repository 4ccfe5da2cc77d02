//! Processes of their own: a test starts its own program again, in a role, and can kill it.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use nex_supervise::spool::{SpoolOptions, SpoolWriter, Stream};
use nex_supervise::{
    Event, Id, Identity, Leftover, Makes, Restarted, Started, StateDir, SweepOptions, UnixMillis, sweep,
};

use crate::create;

/// The variable that says what the program is to do.
const ROLE: &str = "NEX_TEST_ROLE";

/// The variable with the directory of the test.
const PLACE: &str = "NEX_TEST_PLACE";

/// Every byte of output says where it stands, so that a reader knows what belongs there.
pub fn pattern(position: u64) -> u8 {
    // A prime, so that no two segments look alike.
    (position % 251) as u8
}

/// A process in a role. It is killed when the value goes.
pub struct Player(Child);

impl Player {
    /// Starts one.
    pub fn start(role: &str, place: &Path) -> Self {
        Self::of(command(role, place).spawn().unwrap())
    }

    /// One that runs.
    pub fn of(child: Child) -> Self {
        Self(child)
    }

    /// The next line that it says.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        // Unbuffered, as others are read later.
        let output = self.0.stdout.as_mut().unwrap();
        let length = BufReader::with_capacity(1, output).read_line(&mut line).unwrap();
        assert!(length > 0, "the process has ended");
        line.trim_end().to_owned()
    }

    /// Kills it at once.
    pub fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The command that starts the program in a role.
pub fn command(role: &str, place: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "role::plays_a_role", "--nocapture", "--test-threads=1"]);
    command.env(ROLE, role).env(PLACE, place).stdin(Stdio::null()).stdout(Stdio::piped());
    command
}

/// Says something to the test, behind a mark that nothing else on the line has.
fn say(text: &str) {
    println!("\n{SAID}{text}");
    std::io::stdout().flush().unwrap();
}

const SAID: &str = "said: ";

/// The next thing that a role has said.
pub fn said(player: &mut Player) -> String {
    loop {
        let line = player.line();
        if let Some(text) = line.strip_prefix(SAID) {
            return text.to_owned();
        }
    }
}

#[test]
fn plays_a_role() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let place = std::env::var_os(PLACE).unwrap();
    let place = Path::new(&place);
    match role.as_str() {
        "supervisor" => supervise(place, "sleep", &["600"]),
        // A VMM that ends with its supervisor, as the kernel has real ones do.
        "busy" => supervise_for_ever(place),
        "writer" => write(place),
        "sweeper" => {
            for _ in 0..20 {
                sweep(&StateDir::open(&place.join("run")).unwrap(), &SweepOptions::default(), UnixMillis::now())
                    .unwrap();
            }
        }
        "reuse" => crate::namespaces::reuse_a_pid(),
        "no-inodes" => crate::namespaces::run_out_of_inodes(place),
        "hidden" => crate::namespaces::hide_processes(),
        "full" => crate::namespaces::fill_a_disk(place),
        role => panic!("there is no role {role}"),
    }
}

/// A supervisor with all that one has, which waits to be killed.
fn supervise(place: &Path, vmm: &str, arguments: &[&str]) {
    let state = StateDir::open(&place.join("run")).unwrap();
    let mut guest = create(&state, Some("web"));
    let id = guest.directory.id().clone();
    let outside = Leftover::of(&id, &place.join(format!("drive-{id}.ext4"))).unwrap();
    guest.journal.note(Event::Makes(Makes { path: outside.clone() })).unwrap();
    std::fs::write(outside.path(), "a copy").unwrap();
    std::fs::write(guest.directory.path().join("socket"), "").unwrap();
    let mut vmm = Command::new(vmm).args(arguments).stdout(Stdio::null()).spawn().unwrap();
    let identity = Identity::of(vmm.id()).unwrap();
    guest.journal.note(Event::Started(Started { name: "qemu".into(), vmm: identity })).unwrap();
    guest.journal.note(Event::Up).unwrap();
    say(&format!("{id} {}", vmm.id()));
    vmm.wait().unwrap();
}

/// A supervisor that begins with guests, and ends them, without a pause.
fn supervise_for_ever(place: &Path) {
    let state = StateDir::open(&place.join("run")).unwrap();
    say("begun");
    for number in 0.. {
        let mut guest = create(&state, Some("busy"));
        let id: Id = guest.directory.id().clone();
        let outside = Leftover::of(&id, &place.join(format!("drive-{id}"))).unwrap();
        guest.journal.note(Event::Makes(Makes { path: outside.clone() })).unwrap();
        std::fs::create_dir_all(outside.path().join("deep")).unwrap();
        std::fs::write(guest.directory.path().join("socket"), "").unwrap();
        guest.journal.note(Event::Up).unwrap();
        guest.journal.note(Event::Restarted(Restarted { times: number })).unwrap();
        guest.journal.end(crate::exited(0)).unwrap();
    }
}

/// Writes output without end.
fn write(place: &Path) {
    let state = StateDir::open(&place.join("run")).unwrap();
    let guest = create(&state, None);
    let mut spool = SpoolWriter::new(guest.directory.directory(), SpoolOptions { limit: 256 << 10 }).unwrap();
    say(guest.directory.id().as_str());
    let mut chunk = Vec::new();
    for number in 0_u64.. {
        let length = 1 + number * number % 3000;
        chunk.clear();
        chunk.extend((spool.position()..spool.position() + length).map(pattern));
        let stream = if number % 3 == 0 { Stream::Err } else { Stream::Out };
        spool.write(stream, &chunk, UnixMillis::now());
    }
}
