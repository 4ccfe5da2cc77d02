//! Entries of nex's cache, rewritten behind right checksums: what a bug of ours, or who has got into a cache, could leave there.
//! docs/cache.md tells the form.

use std::fs;
use std::path::Path;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::{Failure, Result};

/// Blocks of zeros count by their places only.
const BLOCK: usize = 4096;

/// Makes lengths and checksums those of the files that the header names, after `change` has had the header.
///
/// # Errors
/// When the entry has no header, or cannot be written.
pub fn reseal(entry: &Path, change: impl FnOnce(&mut Value)) -> Result<()> {
    let header = fs::read_to_string(entry.join("entry"))?;
    let mut header: Value = serde_json::from_str(header.lines().next().unwrap_or_default())?;
    let files = header.get_mut("files").and_then(Value::as_array_mut);
    for file in files.ok_or_else(|| Failure::new("a header without files"))?.iter_mut().filter_map(Value::as_object_mut)
    {
        // What leads out of the entry stays as it is.
        let name = file.get("name").and_then(Value::as_str).filter(|name| !name.contains('/'));
        if let Some(bytes) = name.and_then(|name| fs::read(entry.join(name)).ok()) {
            file.insert("length".into(), bytes.len().into());
            file.insert("sum".into(), sum(&bytes).into());
        }
    }
    change(&mut header);
    let line = header.to_string();
    let digest: String = Sha256::digest(&line).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(fs::write(entry.join("entry"), format!("{line}\n{digest}\n"))?)
}

/// CRC-32C of the blocks that are not zero, each run of them behind the number of its first block where others were left out.
fn sum(bytes: &[u8]) -> u32 {
    let (mut crc, mut next) = (0, 0);
    for (number, block) in (0u64..).zip(bytes.chunks(BLOCK)).filter(|(_, block)| block.iter().any(|byte| *byte != 0)) {
        if number != next {
            crc = crc32c::crc32c_append(crc, &number.to_le_bytes());
        }
        crc = crc32c::crc32c_append(crc, block);
        next = number + 1;
    }
    crc
}
