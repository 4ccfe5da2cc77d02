//! Among whom a lock (flock(2)) tells that somebody lives.
//!
//! The lock of a directory counts in one kernel, and on one file system as it is mounted there. NFS passes no lock of a directory to its
//! server, nor does sshfs, 9p or virtiofs. Who shares a directory from elsewhere sees no lock, and must not take that for an end.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::str::FromStr;
use std::sync::OnceLock;

use rustix::rand::{GetRandomFlags, getrandom};
use sha2::{Digest as _, Sha256};

/// The machine's id (machine-id(5)).
const MACHINE_ID: &str = "/etc/machine-id";

/// What the kernel chooses at each boot, by chance (random(4)).
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// The hexadecimal digits of a machine's id.
const MACHINE_ID_LENGTH: usize = 32;

/// How many bytes of a digest tell machines and boots apart.
const DIGEST: usize = 8;

/// What stands in the place of a machine that has no id.
const UNKNOWN: &str = "unknown";

/// The processes that see each other's locks in a directory. As text it is `MACHINE-BOOT-DEVICE`, of letters and digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockDomain {
    /// A digest of the machine's id and of its host's name, as machines that were cloned have one id. The id itself stays on the machine,
    /// as machine-id(5) asks. `None` where there is no id, as in many containers.
    machine: Option<Digest>,
    /// A digest of the boot's id.
    boot: Digest,
    /// The file system's number in the kernel.
    device: u64,
}

/// Where somebody works who has noted its domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Maker {
    /// Where its lock is seen from here: without a lock, it has ended.
    Here,
    /// On this machine, before it was started again: it has ended.
    Gone,
    /// On another machine, or where only another mount leads: its lock is not seen.
    Elsewhere,
}

/// The text is no domain's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a lock domain is MACHINE-BOOT-DEVICE, of hexadecimal digits")]
pub struct NoLockDomain;

impl LockDomain {
    /// That of this process in a directory.
    ///
    /// # Errors
    /// When the system does not say where the directory is.
    pub fn of(directory: &File) -> io::Result<Self> {
        let machine = fs::read(MACHINE_ID).ok().and_then(|id| machine(&id, &host_name()));
        Ok(Self { machine, boot: boot(), device: directory.metadata()?.dev() })
    }

    /// Where somebody works who has noted this domain.
    pub fn maker(&self, noted: &Self) -> Maker {
        if self.boot == noted.boot {
            if self.device == noted.device { Maker::Here } else { Maker::Elsewhere }
        } else if self.machine.is_some() && self.machine == noted.machine {
            Maker::Gone
        } else {
            Maker::Elsewhere
        }
    }
}

impl fmt::Display for LockDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.machine {
            Some(machine) => machine.fmt(f)?,
            None => f.write_str(UNKNOWN)?,
        }
        write!(f, "-{}-{:x}", self.boot, self.device)
    }
}

impl FromStr for LockDomain {
    type Err = NoLockDomain;

    fn from_str(text: &str) -> Result<Self, NoLockDomain> {
        let mut parts = text.split('-');
        let mut part = || parts.next().ok_or(NoLockDomain);
        let machine = match part()? {
            UNKNOWN => None,
            digest => Some(digest.parse()?),
        };
        let (boot, device) = (part()?.parse()?, u64::from_str_radix(part()?, 16).map_err(|_| NoLockDomain)?);
        if parts.next().is_none() { Ok(Self { machine, boot, device }) } else { Err(NoLockDomain) }
    }
}

/// What tells a boot from others. Where something hides it from this process, it is one of the process alone: what others have
/// made counts as made elsewhere then, and is left to them.
fn boot() -> Digest {
    static OWN: OnceLock<Digest> = OnceLock::new();
    match fs::read(BOOT_ID) {
        Ok(id) => Digest::of(&[id.trim_ascii()]),
        Err(_) => *OWN.get_or_init(|| {
            let mut chance = [0; DIGEST];
            // Without random numbers, the number of the process has to do.
            let _ = getrandom(&mut chance[..], GetRandomFlags::empty());
            Digest::of(&[&chance, &std::process::id().to_le_bytes()])
        }),
    }
}

/// What tells a machine from others. An id that is not there yet is `uninitialized`, or empty.
fn machine(id: &[u8], host_name: &[u8]) -> Option<Digest> {
    let id = id.trim_ascii();
    let is_id = id.len() == MACHINE_ID_LENGTH && id.iter().all(u8::is_ascii_hexdigit);
    is_id.then(|| Digest::of(&[b"nex", id, host_name]))
}

fn host_name() -> Vec<u8> {
    rustix::system::uname().nodename().to_bytes().to_vec()
}

/// The beginning of a SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Digest(u64);

impl Digest {
    fn of(parts: &[&[u8]]) -> Self {
        let whole = Sha256::digest(parts.join(&0));
        let mut beginning = [0; DIGEST];
        beginning.iter_mut().zip(whole).for_each(|(byte, of_whole)| *byte = of_whole);
        Self(u64::from_be_bytes(beginning))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:01$x}", self.0, 2 * DIGEST)
    }
}

impl FromStr for Digest {
    type Err = NoLockDomain;

    fn from_str(text: &str) -> Result<Self, NoLockDomain> {
        let number = u64::from_str_radix(text, 16).map_err(|_| NoLockDomain)?;
        if text.len() == 2 * DIGEST { Ok(Self(number)) } else { Err(NoLockDomain) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &[u8] = b"0123456789abcdef0123456789abcdef\n";

    fn domain(machine_id: &[u8], boot: &str, device: u64) -> LockDomain {
        LockDomain { machine: machine(machine_id, b"host"), boot: Digest::of(&[boot.as_bytes()]), device }
    }

    #[test]
    fn a_lock_tells_of_who_has_the_kernel_and_the_mount() {
        let here = domain(ID, "boot", 7);
        let other: &[u8] = b"fedcba9876543210fedcba9876543210\n";
        for (noted, maker) in [
            (here.clone(), Maker::Here),
            // Another container of this kernel.
            (domain(other, "boot", 7), Maker::Here),
            (domain(b"", "boot", 7), Maker::Here),
            // The same directory by another mount.
            (domain(ID, "boot", 8), Maker::Elsewhere),
            (domain(ID, "earlier boot", 7), Maker::Gone),
            (domain(ID, "earlier boot", 8), Maker::Gone),
            (domain(other, "other boot", 7), Maker::Elsewhere),
            (domain(b"", "other boot", 7), Maker::Elsewhere),
        ] {
            assert_eq!(here.maker(&noted), maker, "{noted}");
        }
        // Nobody without an id is the same machine as another one.
        assert_eq!(domain(b"", "boot", 7).maker(&domain(b"", "other boot", 7)), Maker::Elsewhere);
    }

    #[test]
    fn a_clone_has_another_host_name_and_what_is_no_id_counts_for_nothing() {
        assert!(machine(ID, b"a").is_some() && machine(ID, b"a") != machine(ID, b"b"));
        for id in [&b""[..], b"uninitialized\n", b"0123", b"g123456789abcdef0123456789abcdef"] {
            assert_eq!(machine(id, b"a"), None);
        }
    }

    #[test]
    fn a_domain_is_read_as_it_was_written() {
        let place = tempfile::tempdir().unwrap();
        let own = LockDomain::of(&File::open(place.path()).unwrap()).unwrap();
        assert_eq!(own.maker(&LockDomain::of(&File::open(place.path()).unwrap()).unwrap()), Maker::Here);
        for domain in [own, domain(ID, "boot", u64::MAX), domain(b"", "boot", 0)] {
            assert_eq!(domain.to_string().parse(), Ok(domain));
        }
        let digest = "0123456789abcdef";
        for text in ["", "-", "unknown", &format!("unknown-{digest}"), &format!("{digest}-{digest}-x"), "unknown-12-7"]
        {
            assert_eq!(text.parse::<LockDomain>(), Err(NoLockDomain), "{text}");
        }
        assert_eq!(format!("unknown-{digest}-7-1").parse::<LockDomain>(), Err(NoLockDomain));
    }
}
