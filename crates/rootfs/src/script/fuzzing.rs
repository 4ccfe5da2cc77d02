//! What a fuzz target cannot reach from outside: the records of setup scripts, which only a run of scripts makes.

use std::fs::File;

use nex_ext4::{Journal, Layout, Options, Reserved, Size, Sizes, Timestamp, Writer};
use nex_sandbox::{Limits, Network, World};

use super::apply::Apply;
use super::bounds::Bounds;
use super::feed::Feed;
use super::record::{END, Record};
use super::{Clean, ScriptOptions};
use crate::merge::Merge;
use crate::place::Placed;

/// More bytes than these are no fuzz target's.
const MOST_DATA: u64 = 1 << 20;

/// Merges a record with these changes into an empty tree, and makes a file system of it in an empty file.
///
/// # Errors
/// In words, why the record makes no sense.
pub fn merge_record(changes: &[Vec<u8>], image: File) -> Result<(), String> {
    let text = |error: &dyn std::error::Error| nex_fault::whole(error);
    let mut bytes: Vec<u8> = Vec::new();
    for change in changes.iter().filter(|change| !change.is_empty()) {
        bytes.extend((change.len() as u32).to_le_bytes());
        bytes.extend(change);
    }
    let count = changes.iter().filter(|change| !change.is_empty()).count() as u64;
    bytes.extend(END.to_le_bytes().iter().chain(&count.to_le_bytes()));
    let record = Record::of(&bytes, |length| match length {
        0..=MOST_DATA => {
            let data = rustix::fs::memfd_create("data", rustix::fs::MemfdFlags::CLOEXEC).map(File::from)?;
            data.set_len(length).map(|()| data)
        }
        _ => Err(std::io::ErrorKind::FileTooLarge.into()),
    });
    let record = record.map_err(|error| text(&error))?;

    let time = Timestamp { seconds: 0, nanoseconds: 0 };
    let mut writer = Writer::new(image, &Layout::default()).map_err(|error| text(&error))?;
    let mut merge = Merge::new(time);
    let world = World {
        scripts: Vec::new(),
        env: Vec::new(),
        directories: Vec::new(),
        mounts: Vec::new(),
        secrets: Vec::new(),
        network: Network::None,
        hostname: String::new(),
        limits: Limits { time: std::time::Duration::ZERO, memory: 0, processes: 0, names: 0 },
    };
    let sandbox = nex_sandbox::Options { work_dir: "/nonexistent".into(), world, keep_failed: None };
    let options = ScriptOptions { sandbox, clean: Clean::all(), snapshot: None, latest: Some(0) };
    merge.start_layer();
    let (limits, placed) = (crate::place::Limits::default(), Placed::default());
    let bounds = Bounds { limits, placed, bytes: MOST_DATA, brought: 0 };
    Apply::new(&options, bounds, &mut writer, &mut merge)
        .all(&mut Feed::Record(record))
        .map_err(|error| text(&error))?;
    let sizes = Sizes {
        size: Size::Auto { free: Some(0) },
        journal: Journal::None,
        reserved: Reserved::default(),
        inodes: None,
    };
    let file_system = Options { sizes, uuid: [7; 16], hash_seed: [8; 16], label: [0; 16], time: 0 };
    writer.finish(merge.tree(), &file_system).map(drop).map_err(|error| text(&error))
}
