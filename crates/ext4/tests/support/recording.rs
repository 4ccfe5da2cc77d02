//! A storage that remembers what was written, so that a stop at any moment can be played.
//!
//! Whatever is written between two syncs may have reached the disk or not, in any order.

use std::cell::RefCell;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use nex_ext4::{ReadAt, Storage};
use nex_testkit::noise::Random;

/// What changed the storage.
#[derive(Clone, Debug)]
pub enum Event {
    Write { offset: u64, bytes: Vec<u8> },
    Punch { offset: u64, length: u64 },
    Resize(u64),
    Sync,
}

/// A file in which every change is carried out and remembered.
pub struct Recording {
    file: File,
    events: RefCell<Vec<Event>>,
}

impl Recording {
    pub fn new(file: File) -> Self {
        Self { file, events: RefCell::default() }
    }

    pub fn into_events(self) -> Vec<Event> {
        self.events.into_inner()
    }

    fn note(&self, event: Event) {
        self.events.borrow_mut().push(event);
    }
}

impl ReadAt for Recording {
    fn size(&self) -> io::Result<u64> {
        self.file.size()
    }

    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        ReadAt::read_at(&self.file, bytes, offset)
    }
}

impl Storage for Recording {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.note(Event::Write { offset, bytes: bytes.to_vec() });
        Storage::write_at(&self.file, bytes, offset)
    }

    fn punch(&self, offset: u64, length: u64) -> io::Result<()> {
        self.note(Event::Punch { offset, length });
        self.file.punch(offset, length)
    }

    fn resize(&self, size: u64) -> io::Result<()> {
        self.note(Event::Resize(size));
        self.file.resize(size)
    }

    fn sync(&self) -> io::Result<()> {
        self.note(Event::Sync);
        Ok(())
    }
}

/// Plays changes to a file, in this order.
pub fn play<'a>(image: &Path, events: impl IntoIterator<Item = &'a Event>) {
    let file = File::options().read(true).write(true).open(image).unwrap();
    for event in events {
        match event {
            Event::Write { offset, bytes } => file.write_all_at(bytes, *offset).unwrap(),
            Event::Punch { offset, length } => file.punch(*offset, *length).unwrap(),
            Event::Resize(size) => file.set_len(*size).unwrap(),
            Event::Sync => {}
        }
    }
}

/// What may have reached the disk at a stop: after each change all changes before; and within each run of changes without
/// a sync, `samples` selections of them in some order, drawn from `seed`.
pub fn stops(events: &[Event], samples: usize, seed: u64) -> Vec<Vec<Event>> {
    let mut stops: Vec<Vec<Event>> = (0..=events.len()).map(|end| events[..end].to_vec()).collect();
    let mut random = Random::new(seed);
    let mut start = 0;
    while start < events.len() {
        let is_sync = |event: &Event| matches!(event, Event::Sync);
        let end = events[start..].iter().position(is_sync).map_or(events.len(), |at| start + at);
        for _ in 0..if end - start > 1 { samples } else { 0 } {
            let mut epoch: Vec<Event> = events[start..end].iter().filter(|_| random.below(2) == 0).cloned().collect();
            for last in (1..epoch.len()).rev() {
                epoch.swap(last, random.below(last + 1));
            }
            stops.push([&events[..start], &epoch].concat());
        }
        start = end + 1;
    }
    stops
}
