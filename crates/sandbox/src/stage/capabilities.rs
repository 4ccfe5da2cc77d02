//! What root may do in the scripts' world.

use rustix::thread::{CapabilitySet, CapabilitySets};

/// What installing packages takes, and what Docker gives: all of it concerns files, ids and sockets of the second user
/// namespace. Nothing that mounts, traces, or sets the machine up.
const KEPT: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID)
    .union(CapabilitySet::KILL)
    .union(CapabilitySet::SETGID)
    .union(CapabilitySet::SETUID)
    .union(CapabilitySet::SETPCAP)
    .union(CapabilitySet::SETFCAP)
    .union(CapabilitySet::NET_BIND_SERVICE)
    .union(CapabilitySet::SYS_CHROOT);

/// Bits of the kernel's capability sets; those that it does not know cannot be removed.
const BITS: u32 = 64;

/// Takes all others away for good: no program of this process or its children gets them back, setuid or not.
pub fn bound() -> rustix::io::Result<()> {
    for bit in (0..BITS).map(|bit| CapabilitySet::from_bits_retain(1 << bit)).filter(|bit| !KEPT.contains(*bit)) {
        match rustix::thread::remove_capability_from_bounding_set(bit) {
            Ok(()) | Err(rustix::io::Errno::INVAL) => {}
            Err(error) => return Err(error),
        }
    }
    rustix::thread::clear_ambient_capability_set()
}

/// Takes all others away from this process.
pub fn drop_others() -> rustix::io::Result<()> {
    let sets = CapabilitySets { effective: KEPT, permitted: KEPT, inheritable: CapabilitySet::empty() };
    rustix::thread::set_capabilities(None, sets)
}
