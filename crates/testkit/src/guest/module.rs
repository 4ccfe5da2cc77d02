//! The kernel's modules: which files there are, and in which order they go in.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::failure::Context;

const SUFFIX: &str = ".ko";
/// What the section `.modinfo` puts before the names that a module needs, with commas between them.
const DEPENDS: &[u8] = b"\0depends=";

/// The modules of one kernel, by their names.
pub struct Modules {
    files: BTreeMap<String, PathBuf>,
}

impl Modules {
    /// Finds all modules beneath a directory.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn find(directory: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        let mut directories = vec![directory.to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(&directory).context(directory.display())? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    directories.push(entry.path());
                } else if let Some(name) = entry.file_name().to_string_lossy().strip_suffix(SUFFIX) {
                    files.insert(canonical(name), entry.path());
                }
            }
        }
        Ok(Self { files })
    }

    /// These modules and all that they need, each behind what it needs. A name without a file is built into the kernel.
    ///
    /// # Errors
    /// When a module cannot be read.
    pub fn in_order(&self, names: &[&str]) -> Result<Vec<Vec<u8>>> {
        let mut order = Vec::new();
        let mut seen = Vec::new();
        names.iter().try_for_each(|name| self.add(&canonical(name), &mut seen, &mut order))?;
        Ok(order)
    }

    fn add(&self, name: &str, seen: &mut Vec<String>, order: &mut Vec<Vec<u8>>) -> Result<()> {
        let Some(path) = self.files.get(name).filter(|_| !seen.iter().any(|other| other == name)) else {
            return Ok(());
        };
        seen.push(name.to_owned());
        let module = fs::read(path).context(path.display())?;
        needs(&module).iter().try_for_each(|need| self.add(need, seen, order))?;
        order.push(module);
        Ok(())
    }
}

/// A module's name: file names have either `-` or `_`.
fn canonical(name: &str) -> String {
    name.replace('-', "_")
}

fn needs(module: &[u8]) -> Vec<String> {
    let Some(start) = module.windows(DEPENDS.len()).position(|window| window == DEPENDS) else { return Vec::new() };
    let list = module[start + DEPENDS.len()..].split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(list).split(',').filter(|name| !name.is_empty()).map(canonical).collect()
}
