//! Another reader, made from the documentation alone, in another language, reads the same.

use std::path::Path;
use std::process::Command;

use nex_supervise::spool::{Piece, SpoolOptions, SpoolReader, SpoolWriter, Stream};
use nex_supervise::{Event, Identity, Restarted, Started, SweepOptions, UnixMillis, sweep};
use serde_json::{Value, json};

use crate::role::{Player, said};
use crate::{Place, create, exited};

/// What the second reader finds; `None`, with a note, where there is no Python.
fn second_reader(directory: &Path) -> Option<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/records/second_reader.py");
    let Ok(output) = Command::new("python3").arg(script).arg(directory).output() else {
        eprintln!("LEFT OUT: python3 is not installed");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// What nex reads there, in the same form.
fn ours(directory: &nex_supervise::GuestDir) -> Value {
    let (mut out, mut err, mut lost) = (String::new(), String::new(), 0);
    let mut reader = SpoolReader::new(directory.directory()).unwrap();
    while let Some(piece) = reader.next_piece().unwrap() {
        match piece {
            Piece::Lost(bytes) => lost += bytes,
            Piece::Output(output) => {
                let all = if output.stream == Stream::Out { &mut out } else { &mut err };
                all.extend(output.bytes.iter().map(|byte| format!("{byte:02x}")));
            }
        }
    }
    let record = directory.record().unwrap();
    json!({
        "record": {
            "id": record.id,
            "name": record.name,
            "restarts": record.restarts,
            "damaged": record.damaged_lines,
            "up": record.up,
            "vmm": record.vmm.map(|vmm| vmm.vmm.pid),
            "reason": record.ended.map(|(_, ended)| ended.reason.name()),
            "ends": u8::from(record.ended.is_some()),
        },
        "output": { "out": out, "err": err, "lost": lost, "position": reader.position() },
    })
}

#[test]
fn a_guest_that_has_ended_reads_the_same() {
    let place = Place::new();
    let state = place.state();
    let mut guest = create(&state, Some("web"));
    let mut spool = SpoolWriter::new(guest.directory.directory(), SpoolOptions { limit: 64 << 10 }).unwrap();
    for number in 0..100_u16 {
        let stream = if number % 2 == 0 { Stream::Out } else { Stream::Err };
        spool.write(stream, &[number as u8; 1500][..usize::from(number * 15)], UnixMillis::now());
    }
    let vmm = Identity { start_ticks: 1, ..Identity::of_self().unwrap() };
    guest.journal.note(Event::Started(Started { name: "qemu".into(), vmm })).unwrap();
    guest.journal.note(Event::Up).unwrap();
    guest.journal.note(Event::Restarted(Restarted { times: 2 })).unwrap();
    guest.journal.end(exited(0)).unwrap();
    let ours = ours(&guest.directory);
    assert!(ours["output"]["lost"].as_u64() > Some(0), "{ours}");
    let Some(theirs) = second_reader(guest.directory.path()) else { return };
    assert_eq!(theirs, ours);

    // The control: it objects to a changed byte as well.
    let newest =
        (0..100).rev().map(|number| guest.directory.path().join(format!("output.{number}"))).find(|path| path.exists());
    let path = newest.unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let damaged = second_reader(guest.directory.path()).unwrap();
    assert_ne!(damaged, theirs);
    assert_eq!(damaged, self::ours(&guest.directory));
}

#[test]
fn a_guest_whose_supervisor_was_killed_reads_the_same() {
    let place = Place::new();
    for pause in [5, 40, 90] {
        let mut writer = Player::start("writer", place.path());
        let id = nex_supervise::Id::parse(&said(&mut writer)).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(pause));
        writer.kill();
        let state = place.state();
        sweep(&state, &SweepOptions::default(), UnixMillis::now()).unwrap();
        let guest = state.guest(&id).unwrap().unwrap();
        let Some(theirs) = second_reader(guest.path()) else { return };
        assert_eq!(theirs, ours(&guest));
        assert_eq!(theirs["record"]["reason"], "supervisor-killed");
    }
}
