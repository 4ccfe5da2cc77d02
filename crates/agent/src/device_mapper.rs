//! A root on a mapped device, as `dm-mod.create=` describes it. Kernels with `CONFIG_DM_INIT` make it themselves; in those of
//! distributions the device mapper is a module, so that the kernel has passed the word over, and the initramfs makes it.
//!
//! See <https://docs.kernel.org/admin-guide/device-mapper/dm-init.html>. What nex writes there is understood, and nothing
//! else: one device, read only, with one table.

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::time::Duration;

use nix::libc;

use crate::device;

/// The first mapped device.
const DEVICE: &str = "/dev/dm-0";
const CONTROL: &str = "/dev/mapper/control";

/// `DM_VERSION_MAJOR`; what is asked for here is in all versions of it.
const VERSION: [u32; 3] = [4, 0, 0];
/// `DM_READONLY_FLAG`.
const READ_ONLY: u32 = 1;
/// The commands, by their numbers in `linux/dm-ioctl.h`.
const CREATE: u8 = 3;
const RESUME: u8 = 6;
const LOAD_TABLE: u8 = 9;

/// The length of `struct dm_ioctl`.
const HEADER: usize = 312;

/// A device as the command line describes it.
#[derive(Debug, PartialEq, Eq)]
struct Described<'a> {
    name: &'a str,
    start: u64,
    sectors: u64,
    kind: &'a str,
    parameters: &'a str,
}

/// Makes the device, where the kernel has not.
///
/// # Errors
/// When it cannot be made; then there is no root.
pub fn create(description: &str, patience: Option<Duration>) -> Result<(), String> {
    if Path::new(DEVICE).exists() {
        return Ok(());
    }
    let described = parse(description).ok_or_else(|| {
        format!(
            "dm-mod.create={description}: the initramfs makes one device, as NAME,,,ro,START SECTORS KIND PARAMETERS"
        )
    })?;
    for drive in described.parameters.split(' ').filter(|word| word.starts_with("/dev/")) {
        device::wait_for(Path::new(drive), patience)?;
    }
    let control = OpenOptions::new().read(true).write(true).open(CONTROL).map_err(|error| {
        format!("cannot open {CONTROL}: {error}; the kernel needs the device mapper for a root that dm-verity checks")
    })?;
    for (command, what) in [(CREATE, "make"), (LOAD_TABLE, "fill"), (RESUME, "start")] {
        ask(&control, command, &described).map_err(|error| {
            format!("cannot {what} the mapped device {} ({}): {error}", described.name, described.kind)
        })?;
    }
    device::wait_for(Path::new(DEVICE), patience)
}

fn parse(description: &str) -> Option<Described<'_>> {
    let mut fields = description.splitn(5, ',');
    let (name, uuid, minor, flags, table) =
        (fields.next()?, fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    // Behind a comma there is another table, and behind a semicolon another device.
    if name.is_empty()
        || name.len() > 127
        || !(uuid.is_empty() && minor.is_empty())
        || flags != "ro"
        || table.contains([',', ';'])
    {
        return None;
    }
    let mut words = table.splitn(4, ' ');
    let (start, sectors) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let (kind, parameters) = (words.next()?, words.next()?);
    (!kind.is_empty() && kind.len() < 16).then_some(Described { name, start, sectors, kind, parameters })
}

/// Asks the kernel for one step.
fn ask(control: &File, command: u8, described: &Described) -> nix::Result<()> {
    let mut request = request(command, described);
    let number = libc::_IOWR::<[u8; HEADER]>(0xfd, command.into());
    // SAFETY: the request is as long as it says in its own header, and lives until the kernel has answered in it.
    #[allow(unsafe_code, reason = "the device mapper has no other door")]
    let result = unsafe { libc::ioctl(control.as_raw_fd(), number as _, request.as_mut_ptr()) };
    nix::errno::Errno::result(result).map(drop)
}

/// `struct dm_ioctl`, and for a table one target behind it.
fn request(command: u8, described: &Described) -> Vec<u8> {
    let is_table = command == LOAD_TABLE;
    let flags = if command == RESUME { 0 } else { READ_ONLY };
    let mut bytes = vec![0; HEADER];
    if is_table {
        bytes.extend(described.start.to_ne_bytes());
        bytes.extend(described.sectors.to_ne_bytes());
        // The status is the kernel's, and there is no next target.
        bytes.extend([0; 8]);
        bytes.extend(padded::<16>(described.kind));
        bytes.extend(described.parameters.as_bytes());
        // The end of the text, and eight bytes to the next boundary at most.
        bytes.resize((bytes.len() + 1).next_multiple_of(8), 0);
    }
    let length = bytes.len() as u32;
    let fields = [VERSION[0], VERSION[1], VERSION[2], length, HEADER as u32, u32::from(is_table), 0, flags];
    let fields: Vec<u8> = fields.into_iter().flat_map(u32::to_ne_bytes).collect();
    bytes[..fields.len()].copy_from_slice(&fields);
    // Behind the event's number, a gap and the device's number.
    const NAME: usize = 48;
    bytes[NAME..NAME + 128].copy_from_slice(&padded::<128>(described.name));
    bytes
}

fn padded<const N: usize>(text: &str) -> [u8; N] {
    let mut field = [0; N];
    field.iter_mut().zip(text.bytes()).for_each(|(place, byte)| *place = byte);
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The length of `struct dm_target_spec`.
    const TARGET: usize = 40;
    const LINE: &str = "rootfs,,,ro,0 307200 verity 1 /dev/vda /dev/vdb 4096 4096 38400 1 sha256 aa bb";

    #[test]
    fn what_nex_writes_is_understood_and_nothing_else() {
        let described = parse(LINE).unwrap();
        assert_eq!(
            (described.name, described.start, described.sectors, described.kind),
            ("rootfs", 0, 307_200, "verity")
        );
        assert!(described.parameters.starts_with("1 /dev/vda /dev/vdb 4096"));
        for other in [
            "",
            "rootfs",
            "rootfs,,,rw,0 1 verity 1",
            ",,,ro,0 1 verity 1",
            "a,u,,ro,0 1 verity 1",
            "a,,,ro,x 1 verity 1",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
        assert_eq!(parse(&format!("{LINE},0 1 zero 1")), None);
        assert_eq!(parse(&format!("{LINE};b,,,ro,0 1 zero 1")), None);
    }

    #[test]
    fn a_request_has_the_kernel_s_form() {
        let described = parse(LINE).unwrap();
        let (create, table) = (request(CREATE, &described), request(LOAD_TABLE, &described));
        assert_eq!((create.len(), &create[48..55]), (HEADER, &b"rootfs\0"[..]));
        assert!(table.len() > HEADER + TARGET && table.len().is_multiple_of(8) && table.ends_with(b"\0"));
        assert_eq!(table[12..16], (table.len() as u32).to_ne_bytes());
        assert_eq!(&table[HEADER + 24..HEADER + 31], b"verity\0");
        assert!(table[HEADER + TARGET..].starts_with(b"1 /dev/vda "));
    }
}
