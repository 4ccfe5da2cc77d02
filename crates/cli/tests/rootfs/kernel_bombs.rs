//! Kernels that unpack to more than the machine has: refused at their limit, in the memory of an honest one.
//!
//! The memory is bounded by the kernel: nex gets an address space that a kernel of the usual limit does not fit into.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nex_testkit::guest::Parts;
use nex_testkit::nex::{self, failed};
use nex_testkit::{Result, command};

const MIB: usize = 1 << 20;
/// The address space of nex, in bytes: half of what the limit lets a kernel have.
const MEMORY: usize = 128 * MIB;
/// How `nex run` ends when it is not the program that fails, as docker does.
const NOT_RUN: i32 = 125;
/// What the bombs unpack to, in MiB.
const UNPACKED: usize = 512;

/// The beginning of a vmlinux.
fn vmlinux() -> Vec<u8> {
    let mut start = vec![0; MIB];
    start[..6].copy_from_slice(b"\x7fELF\x02\x01");
    start[18..20].copy_from_slice(&62u16.to_le_bytes());
    start[9000..9025].copy_from_slice(b"Linux version 6.18.0-nex ");
    start
}

fn gzip(path: &Path) -> Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    fill(&mut encoder)?;
    let packed = encoder.finish()?;
    fs::write(path, &packed)?;
    Ok(packed)
}

fn zstd() -> Result<Vec<u8>> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1)?;
    fill(&mut encoder)?;
    Ok(encoder.finish()?)
}

fn fill(encoder: &mut impl Write) -> Result<()> {
    encoder.write_all(&vmlinux())?;
    let zeros = vec![0; MIB];
    for _ in 1..UNPACKED {
        encoder.write_all(&zeros)?;
    }
    Ok(())
}

/// A bzImage around a payload.
fn bzimage(path: &Path, payload: &[u8]) -> Result<()> {
    let mut head = vec![0; 1024];
    head[0x1f1] = 1;
    head[0x202..0x206].copy_from_slice(b"HdrS");
    head[0x206..0x208].copy_from_slice(&0x020fu16.to_le_bytes());
    head[0x20e..0x210].copy_from_slice(&0x100u16.to_le_bytes());
    head[0x236..0x238].copy_from_slice(&1u16.to_le_bytes());
    head[0x24c..0x250].copy_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_le_bytes());
    head[0x300..0x30d].copy_from_slice(b"6.18.0-nex me");
    let mut file = File::create(path)?;
    file.write_all(&head)?;
    Ok(file.write_all(payload)?)
}

fn bounded(arguments: &[&str], kernel: &Path) -> Result<Output> {
    let mut limited = Command::new("prlimit");
    limited.arg(format!("--as={MEMORY}")).args(["--", "env", "-i", "PATH=/usr/bin:/bin", nex::program()]);
    command::output(limited.args(arguments).arg("--kernel").arg(kernel))
}

#[test]
fn kernels_that_unpack_without_end_are_refused_in_bounded_memory() -> Result<()> {
    let directory = nex::directory()?;
    let place = |name: &str| -> PathBuf { directory.path().join(name) };
    let image = place("image.ext4");
    nex::build("scratch", &image)?;
    let image = image.display().to_string();
    let gzipped = gzip(&place("vmlinux.gz"))?;
    bzimage(&place("bzimage-gzip"), &gzipped)?;
    bzimage(&place("bzimage-zstd"), &zstd()?)?;
    // And one that is as large as it is: a hole.
    File::create(place("sparse"))?.set_len(1 << 40)?;
    for name in ["vmlinux.gz", "bzimage-gzip", "bzimage-zstd", "sparse"] {
        let check = bounded(&["rootfs", "check", &image], &place(name))?;
        let said = String::from_utf8_lossy(&check.stdout).into_owned() + &String::from_utf8_lossy(&check.stderr);
        assert_eq!(check.status.code(), Some(1), "{name}: {said}");
        assert!(said.contains("more than 268435456 bytes") && said.contains("--max-kernel"), "{name}: {said}");
    }
    // QEMU unpacks a bzImage in the guest's own memory; these nex has to look into.
    for name in ["vmlinux.gz", "sparse"] {
        let boot = bounded(&["rootfs", "boot", &image, "--vmm", "qemu"], &place(name))?;
        failed(&boot, &["more than 268435456 bytes", "--max-kernel"])?;
        let run = bounded(&["run", "--rootfs", &image], &place(name))?;
        let said = String::from_utf8_lossy(&run.stderr);
        assert_eq!(run.status.code(), Some(NOT_RUN), "{name}: {said}");
        assert!(said.contains("more than 268435456 bytes") && said.contains("--max-kernel"), "{name}: {said}");
    }
    Ok(())
}

/// The control: a distribution's kernel in the same memory, by the limit as it is and at a lower one.
#[test]
fn a_real_kernel_is_looked_at_in_the_same_memory() -> Result<()> {
    let Some(parts) = Parts::find()? else { return Ok(()) };
    let directory = nex::directory()?;
    let image = directory.path().join("image.ext4");
    nex::build("scratch", &image)?;
    let image = image.display().to_string();
    let check = bounded(&["rootfs", "check", &image, "--format", "json"], &parts.kernel)?;
    let said = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(said.contains("-cloud-amd64") && !said.contains("--max-kernel"), "{said}");
    let check = bounded(&["rootfs", "check", &image, "--max-kernel", "16MiB"], &parts.kernel)?;
    let said = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(check.status.code() == Some(1) && said.contains("more than 16777216 bytes"), "{said}");
    Ok(())
}
