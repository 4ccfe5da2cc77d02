//! An entry in the making. It gets its name when it is whole and on the disk.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;

use nex_file::leftovers::{self, Living};
use rustix::io::Errno;

use crate::header::{self, FileFacts, Header};
use crate::key::{Key, Shelf};
use crate::shelves::Shelves;
use crate::sum;

/// An entry in the making; dropped, it leaves nothing.
#[derive(Debug)]
pub struct NewEntry {
    shelves: Arc<Shelves>,
    living: Living,
    shelf: Shelf,
    key: Key,
    about: String,
    files: Vec<(String, File)>,
}

impl NewEntry {
    pub(crate) fn create(shelves: &Arc<Shelves>, shelf: Shelf, key: &Key, about: &str) -> io::Result<Self> {
        let living = leftovers::create(&shelves.making)?;
        Ok(Self {
            shelves: Arc::clone(shelves),
            living,
            shelf,
            key: key.clone(),
            about: about.into(),
            files: Vec::new(),
        })
    }

    /// Its shelf and its key, as a trace calls it.
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.shelf.name(), self.key.as_str())
    }

    /// Makes a file in it, open for reading and writing.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn file(&mut self, name: &str) -> io::Result<File> {
        let file = self.living.directory.new_file(name)?;
        self.files.push((name.into(), file.try_clone()?));
        Ok(file)
    }

    /// Gives the entry its name. All files must be written to their ends. Where another process was faster, its entry
    /// stays.
    ///
    /// # Errors
    /// When the disk fails or is full; there is no such entry then.
    pub fn publish(self) -> io::Result<()> {
        let mut facts = Vec::new();
        for (name, file) in &self.files {
            // Lengths are all that is checked on each use: they have to stay true when the machine stops.
            file.sync_data()?;
            facts.push(FileFacts { name: name.clone(), length: file.metadata()?.len(), sum: sum::of_file(file)? });
        }
        let header = Header::new(self.shelf.name(), self.key.as_str(), &self.about, facts).to_bytes()?;
        let mut file = self.living.directory.new_file(header::NAME)?;
        file.write_all(&header)?;
        file.sync_data()?;
        match self.shelves.making.rename(&self.living.name, self.shelves.shelf(self.shelf), self.key.as_str()) {
            Ok(()) | Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for NewEntry {
    fn drop(&mut self) {
        // Once it is published, nothing is there any more. What stays for another reason, the next process removes.
        drop(leftovers::remove(&self.shelves.making, &self.shelves.making, &self.living.name));
    }
}
