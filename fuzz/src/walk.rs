//! Reads every name of an image with `ext4-view`, which knows nothing of our writer.

use std::path::Path;

use ext4_view::{Ext4, Ext4Error, FileType};

/// Of a sparse file nobody reads a tebibyte: this much at its start, and as much at its end.
const SAMPLE: u64 = 1 << 20;
/// The end of larger files is left out: `ext4-view` goes there block by block.
const SEEKABLE: u64 = 1 << 30;

/// Walks the whole tree, and reads what is in it.
///
/// # Errors
/// What the reader objects to.
pub fn everything(image: &Path) -> Result<(), Ext4Error> {
    let file_system = Ext4::load_from_path(image)?;
    let mut directories = vec![b"/".to_vec()];
    while let Some(directory) = directories.pop() {
        tolerate(list(&file_system, &directory, &mut directories))?;
    }
    Ok(())
}

fn list(file_system: &Ext4, directory: &[u8], directories: &mut Vec<Vec<u8>>) -> Result<(), Ext4Error> {
    for entry in file_system.read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let name: &[u8] = name.as_ref();
        if matches!(name, b"." | b"..") {
            continue;
        }
        let path = [directory, b"/", name].concat();
        match entry.file_type()? {
            FileType::Directory => directories.push(path),
            FileType::Symlink => tolerate(file_system.read_link(&path[..]).map(drop))?,
            FileType::Regular => tolerate(read(file_system, &path))?,
            _ => tolerate(entry.metadata().map(drop))?,
        }
    }
    Ok(())
}

/// What `ext4-view` 1.0 objects to though the kernel does not: seconds whose lower 32 bits are negative, targets of links
/// that are no paths, and paths over 4,096 bytes, which only a walk through many directories makes.
fn tolerate(result: Result<(), Ext4Error>) -> Result<(), Ext4Error> {
    match result {
        Err(Ext4Error::PathTooLong) => Ok(()),
        Err(error) if ["timestamp", "symlink path"].iter().any(|word| error.to_string().contains(word)) => Ok(()),
        result => result,
    }
}

fn read(file_system: &Ext4, path: &[u8]) -> Result<(), Ext4Error> {
    let mut file = file_system.open(path)?;
    let length = file.metadata().len();
    let mut buffer = vec![0; 64 << 10];
    let last = if length <= SEEKABLE { length.saturating_sub(SAMPLE) } else { 0 };
    for start in [0, last] {
        file.seek_to(start)?;
        while file.position() < start + SAMPLE && file.read_bytes(&mut buffer)? > 0 {}
    }
    Ok(())
}
