//! Takes the kernel out of a bzImage, with the program that undoes its compression.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use crate::failure::Context;
use crate::{Failure, Result};

/// Programs that write to their standard output what they unpack, and the first bytes of what they do.
const PROGRAMS: [(&[u8], &[&str]); 4] = [
    (b"\x1f\x8b", &["gzip", "-dc"]),
    (b"\x28\xb5\x2f\xfd", &["zstd", "-dc"]),
    (b"\xfd7zXZ\0", &["xz", "-dc", "--single-stream"]),
    (b"\x02\x21\x4c\x18", &["lz4", "-dc"]),
];
/// Where a bzImage says how many sectors of setup code there are, where its payload is behind them, and how long.
const SETUP_SECTORS: usize = 0x1f1;
const PAYLOAD_OFFSET: usize = 0x248;
const PAYLOAD_LENGTH: usize = 0x24c;
const SECTOR: usize = 512;
/// What stands behind a payload that gzip has not made: its unpacked size.
const SIZE_BYTES: usize = 4;

/// The ELF file in a bzImage.
///
/// # Errors
/// When there is none, or no program to unpack it.
pub fn vmlinux(bzimage: &Path) -> Result<Vec<u8>> {
    let file = fs::read(bzimage).context(bzimage.display())?;
    let missing = || Failure::new(format!("{} is no bzImage", bzimage.display()));
    let number = |offset: usize| {
        let bytes = file.get(offset..offset + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map(u32::from_le_bytes).and_then(|number| usize::try_from(number).ok()).ok_or_else(missing)
    };
    let sectors = usize::from(*file.get(SETUP_SECTORS).ok_or_else(missing)?) + 1;
    let start = sectors * SECTOR + number(PAYLOAD_OFFSET)?;
    let mut payload = file.get(start..start + number(PAYLOAD_LENGTH)?).ok_or_else(missing)?.to_vec();
    let (magic, program) = PROGRAMS.iter().find(|(magic, _)| payload.starts_with(magic)).ok_or_else(missing)?;
    if *magic != PROGRAMS[0].0 {
        payload.truncate(payload.len() - SIZE_BYTES);
    }
    let mut command = Command::new(program[0]);
    let mut child =
        command.args(&program[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context(program[0])?;
    let mut input = child.stdin.take().ok_or_else(missing)?;
    let writer = thread::spawn(move || input.write_all(&payload));
    let output = child.wait_with_output()?;
    writer.join().map_err(|_| missing())??;
    if output.status.success() { Ok(output.stdout) } else { Err(missing()) }
}
