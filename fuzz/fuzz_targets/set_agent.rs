//! Another agent for damaged guests: either the file is as it was, to the byte, or it has the new agent.
//!
//! An input damages the metadata and the files of a small guest byte by byte, and the checksums are made right again, so that
//! the damage is seen behind them. `edit` has the change itself in larger images; here is all of the command: the file that is
//! opened, the audit by what the guest has, and the agent in its place.
//!
//! With `NEX_FUZZ_E2FSCK` in the environment, e2fsck judges the guests that were sound before.

#![no_main]

use std::fs::File;
use std::sync::OnceLock;
use std::{env, fs};

use libfuzzer_sys::fuzz_target;
use nex_ext4::Editor;
use nex_fuzz::guest_image::{GUESTS, image};
use nex_fuzz::pieces::{Base, CHANGE};
use nex_fuzz::{build, place, walk};
use nex_rootfs::{SetAgentOptions, set_agent};
use nex_testkit::fsck;

/// Where a guest has its agent.
const AGENT: &[u8] = b"/usr/local/bin/agent";

/// The lengths of agents: one that fits where the old one was, and some that do not.
const LENGTHS: [usize; 4] = [0, 1, 20_000, 3 << 20];

fuzz_target!(|data: &[u8]| {
    static BASES: OnceLock<Vec<Base>> = OnceLock::new();
    let bases = BASES.get_or_init(|| (0..GUESTS).map(|guest| Base::new(&image(guest)).with_content()).collect());
    let Some((choice, changes)) = data.split_first() else { return };
    let (guest, length) = (usize::from(*choice) % GUESTS, LENGTHS[usize::from(choice >> 6)]);
    let path = place::directory().join("guest-with-agent.ext4");
    let file = File::create(&path).expect("our own directory");
    bases[guest].damaged(changes).write_to(&file).expect("our own directory");
    let before = fs::read(&path).expect("our own directory");
    let program = build::program(&vec![0xa5; length]);
    let agent = place::directory().join("new-agent");
    fs::write(&agent, &program).expect("our own directory");

    let is_sound = changes.len() < CHANGE;
    match set_agent(&SetAgentOptions { file: path.clone(), agent, source_date_epoch: None }) {
        Ok(report) => {
            report.notes.iter().for_each(|note| place::check_text(note.fact()));
            let changed = File::options().read(true).write(true).open(&path).expect("our own file");
            let editor = Editor::open(&changed).expect("what was accepted before is readable");
            let found = editor.reader().lstat(AGENT).expect("a sound path").expect("an agent");
            let read = editor.reader().content(&found, u64::MAX).expect("a sound file");
            assert!(read == program, "the agent is another");
            if is_sound {
                walk::everything(&path).expect("ext4-view takes the guest");
                if env::var_os("NEX_FUZZ_E2FSCK").is_some() {
                    fsck::check(&path).expect("e2fsck takes the guest");
                }
            }
        }
        Err(error) => {
            place::check_message(&error);
            assert!(!is_sound || length == LENGTHS[3], "a sound guest is refused: {error}");
            assert!(fs::read(&path).expect("our own file") == before, "changed, and refused: {error}");
        }
    }
});
