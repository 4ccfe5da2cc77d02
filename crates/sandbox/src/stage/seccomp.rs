//! Which system calls the scripts may make.
//!
//! The list is what programs need that install and build others. What is not in it does not exist for the scripts
//! (ENOSYS), so that C libraries fall back on older calls: namespaces, mounts, keys, tracing, io_uring, BPF, modules,
//! clocks. They are closed by other means too.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Length, SeccompCmpOp as Is, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

use super::syscalls::{ALLOWED, OF_THIS_MACHINE};
use crate::failure::Failure;

/// The flags of clone(2) that make namespaces.
const NAMESPACES: u64 = (libc::CLONE_NEWUSER
    | libc::CLONE_NEWNS
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWCGROUP) as u64;

/// Sockets of other families lead to the machine: packets, virtual machines, the kernel's ciphers.
const FAMILIES: [i32; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// Netlink leads to many parts of the kernel: audit, devices, keys of IPsec. Programs ask the routes for addresses.
const NETLINK_PROTOCOL: u64 = libc::NETLINK_ROUTE as u64;

/// Requests of ioctl(2) that put words into a terminal as if they had been typed; and those that take room on a disk by another
/// name than fallocate(2), from the times when XFS alone had it (`XFS_IOC_ALLOCSP`, `FS_IOC_RESVSP`, `FS_IOC_ZERO_RANGE`).
const REFUSED_REQUESTS: [u64; 7] =
    [libc::TIOCSTI, libc::TIOCLINUX, 0x4030_580a, 0x4030_5824, 0x4030_5828, 0x4030_582a, 0x4030_5839];

/// Plain Linux, 32 bits of it, without random addresses; and the question which it is.
const PERSONALITIES: [u64; 5] = [0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// The filter as the kernel takes it.
pub fn program() -> Result<BpfProgram, Failure> {
    filter().map_err(|error| format!("making the filter of system calls: {error}").into())
}

fn filter() -> Result<BpfProgram, seccompiler::BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        ALLOWED.iter().chain(OF_THIS_MACHINE).map(|call| (*call, Vec::new())).collect();
    let argument = |number, is, value| SeccompCondition::new(number, Length::Dword, is, value);
    let rule = |conditions| SeccompRule::new(conditions);
    rules.insert(libc::SYS_clone, vec![rule(vec![argument(0, Is::MaskedEq(NAMESPACES), 0)?])?]);
    let others = REFUSED_REQUESTS.iter().map(|request| argument(1, Is::Ne, *request)).collect::<Result<_, _>>()?;
    rules.insert(libc::SYS_ioctl, vec![rule(others)?]);
    let one_of = |values: &mut dyn Iterator<Item = u64>| -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
        values.map(|value| rule(vec![argument(0, Is::Eq, value)?])).collect()
    };
    rules.insert(libc::SYS_socket, one_of(&mut FAMILIES.iter().map(|family| *family as u64))?);
    rules.insert(libc::SYS_socketpair, one_of(&mut [libc::AF_UNIX as u64].into_iter())?);
    rules.insert(libc::SYS_personality, one_of(&mut PERSONALITIES.into_iter())?);
    let (others, these) = (SeccompAction::Errno(libc::ENOSYS as u32), SeccompAction::Allow);
    SeccompFilter::new(rules, others, these, MACHINE)?.try_into()
}

/// A filter of its own for what netlink does not speak here, as its answer is another one. It is that of a kernel without
/// these parts: useradd(8) goes on without audit at this error, and at no other.
pub fn netlink() -> Result<BpfProgram, Failure> {
    (|| {
        let argument = |number, is, value| SeccompCondition::new(number, Length::Dword, is, value);
        let other = vec![argument(0, Is::Eq, libc::AF_NETLINK as u64)?, argument(2, Is::Ne, NETLINK_PROTOCOL)?];
        let rules = BTreeMap::from([(libc::SYS_socket, vec![SeccompRule::new(other)?])]);
        let these = SeccompAction::Errno(libc::EPROTONOSUPPORT as u32);
        SeccompFilter::new(rules, SeccompAction::Allow, these, MACHINE)?.try_into()
    })()
    .map_err(|error: seccompiler::BackendError| format!("making the filter of netlink: {error}").into())
}

/// Modes of fallocate(2) that take nothing.
const GIVING: u64 = (libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_COLLAPSE_RANGE | libc::FALLOC_FL_INSERT_RANGE) as u64;

/// Calls that take room on a disk. Small ones too: without a byte to write, many of them are as fast as a large one.
fn allocations() -> Result<SeccompRule, seccompiler::BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(1, Length::Dword, Is::MaskedEq(GIVING), 0)?])
}

/// A filter for where nobody is told of them: it is as on a file system that cannot do it, and programs write.
pub fn without_allocations() -> Result<BpfProgram, Failure> {
    (|| {
        let rules = BTreeMap::from([(libc::SYS_fallocate, vec![allocations()?])]);
        let these = SeccompAction::Errno(libc::EOPNOTSUPP as u32);
        SeccompFilter::new(rules, SeccompAction::Allow, these, MACHINE)?.try_into()
    })()
    .map_err(|error: seccompiler::BackendError| format!("making the filter of fallocate: {error}").into())
}

/// A filter that takes these calls away too.
pub fn without(calls: &[i64]) -> Result<BpfProgram, Failure> {
    let rules = calls.iter().map(|call| (*call, Vec::new())).collect();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(libc::ENOSYS as u32), MACHINE);
    filter.and_then(TryInto::try_into).map_err(|error| format!("making the filter of system calls: {error}").into())
}

/// What tells a kind of mapping, among the flags of mmap(2); and those that are shared and have no file.
const MAPPING: u64 = (libc::MAP_TYPE | libc::MAP_ANONYMOUS) as u64;
const SHARED_MAPPINGS: [u64; 2] =
    [(libc::MAP_SHARED | libc::MAP_ANONYMOUS) as u64, (libc::MAP_SHARED_VALIDATE | libc::MAP_ANONYMOUS) as u64];

/// The descriptors under which shells have the script that they run: dash and busybox take the first from 10 on, bash the
/// last below 256.
const SCRIPT_FILES: [u64; 3] = [10, 11, 255];

/// The most that a shell reads at once. Programs that copy read more.
pub const SHELL_BUFFER: u64 = 8192;

/// What the monitor is told of beside reads of shells and new devices.
#[derive(Clone, Copy, Debug)]
pub struct Notified {
    /// What needs another id, where there is one only.
    pub ids: bool,
    /// Sockets that lead to the host's network, where that is not the scripts' own.
    pub sockets: bool,
}

/// The calls that the monitor is told of before they are made. A second filter, as its answer is another one; of two, the
/// stricter holds.
pub fn notify(notified: Notified) -> Result<BpfProgram, Failure> {
    notified_calls(notified)
        .map_err(|error| format!("making the filter of system calls that the monitor answers: {error}").into())
}

fn notified_calls(notified: Notified) -> Result<BpfProgram, seccompiler::BackendError> {
    let argument = |number, is, value| SeccompCondition::new(number, Length::Dword, is, value);
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    let reads = SCRIPT_FILES
        .iter()
        .map(|file| SeccompRule::new(vec![argument(0, Is::Eq, *file)?, argument(2, Is::Le, SHELL_BUFFER)?]));
    rules.insert(libc::SYS_read, reads.collect::<Result<_, _>>()?);
    rules.insert(libc::SYS_memfd_create, Vec::new());
    rules.insert(libc::SYS_fallocate, vec![allocations()?]);
    let shared = SHARED_MAPPINGS.iter().map(|kind| SeccompRule::new(vec![argument(3, Is::MaskedEq(MAPPING), *kind)?]));
    rules.insert(libc::SYS_mmap, shared.collect::<Result<_, _>>()?);
    for (call, mode) in mknod() {
        let devices = [libc::S_IFCHR, libc::S_IFBLK].map(u64::from);
        let devices = devices
            .iter()
            .map(|kind| SeccompRule::new(vec![argument(mode, Is::MaskedEq(libc::S_IFMT.into()), *kind)?]));
        rules.insert(call, devices.collect::<Result<_, _>>()?);
    }
    if notified.sockets {
        let family = |family: i32| argument(0, Is::Eq, family as u64);
        // How C libraries ask which addresses there are. Other protocols of netlink are not about the network.
        let routes = argument(2, Is::Eq, libc::NETLINK_ROUTE as u64)?;
        let sockets =
            [vec![family(libc::AF_INET)?], vec![family(libc::AF_INET6)?], vec![family(libc::AF_NETLINK)?, routes]];
        rules.insert(libc::SYS_socket, sockets.into_iter().map(SeccompRule::new).collect::<Result<_, _>>()?);
        rules.insert(libc::SYS_listen, Vec::new());
    }
    for (call, ids) in ids().filter(|_| notified.ids) {
        // Neither root nor "as it is".
        let others = ids
            .iter()
            .map(|id| SeccompRule::new(vec![argument(*id, Is::Ne, 0)?, argument(*id, Is::Ne, u32::MAX.into())?]));
        rules.insert(call, others.collect::<Result<_, _>>()?);
    }
    // seccompiler has no word for calls that are told: RET_TRACE stands for it.
    let (rest, these) = (SeccompAction::Allow, SeccompAction::Trace(0));
    let mut program: BpfProgram = SeccompFilter::new(rules, rest, these, MACHINE)?.try_into()?;
    let is_trace = |step: &&mut seccompiler::sock_filter| {
        u32::from(step.code) == libc::BPF_RET | libc::BPF_K && step.k == libc::SECCOMP_RET_TRACE
    };
    program.iter_mut().filter(is_trace).for_each(|step| step.k = libc::SECCOMP_RET_USER_NOTIF);
    Ok(program)
}

/// The calls that make devices, and the argument that says what is made.
fn mknod() -> impl Iterator<Item = (i64, u8)> {
    [(libc::SYS_mknodat, 2)].into_iter().chain(old::MKNOD.iter().copied())
}

/// The calls that give something to a user or a group, or become one, and the arguments that say whom; without any, every
/// such call is meant.
pub fn ids() -> impl Iterator<Item = (i64, &'static [u8])> {
    IDS.iter().chain(old::IDS).copied()
}

type Arguments = (i64, &'static [u8]);

const IDS: &[Arguments] = &[
    (libc::SYS_fchown, &[1, 2]),
    (libc::SYS_fchownat, &[2, 3]),
    (libc::SYS_setuid, &[0]),
    (libc::SYS_setgid, &[0]),
    (libc::SYS_setreuid, &[0, 1]),
    (libc::SYS_setregid, &[0, 1]),
    (libc::SYS_setresuid, &[0, 1, 2]),
    (libc::SYS_setresgid, &[0, 1, 2]),
    (libc::SYS_setgroups, &[]),
];

/// What x86-64 has beside these, from before there were calls with a directory's descriptor.
#[cfg(target_arch = "x86_64")]
mod old {
    pub const MKNOD: &[(i64, u8)] = &[(libc::SYS_mknod, 1)];
    pub const IDS: &[super::Arguments] = &[(libc::SYS_chown, &[1, 2]), (libc::SYS_lchown, &[1, 2])];
}
#[cfg(not(target_arch = "x86_64"))]
mod old {
    pub const MKNOD: &[(i64, u8)] = &[];
    pub const IDS: &[super::Arguments] = &[];
}

/// The machine's kind.
#[cfg(target_arch = "x86_64")]
pub const MACHINE: TargetArch = TargetArch::x86_64;
#[cfg(target_arch = "aarch64")]
pub const MACHINE: TargetArch = TargetArch::aarch64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_is_one_that_the_kernel_takes() {
        // BPF_MAXINSNS.
        assert!(program().unwrap().len() + netlink().unwrap().len() <= 4096);
        assert!(!without(&[libc::SYS_memfd_create]).unwrap().is_empty());
        assert!(!without_allocations().unwrap().is_empty());
        for asked in [false, true] {
            let filter = notify(Notified { ids: asked, sockets: asked }).unwrap();
            assert!(filter.iter().any(|step| step.k == libc::SECCOMP_RET_USER_NOTIF));
            assert!(
                filter.iter().all(|step| u32::from(step.code) != libc::BPF_RET || step.k != libc::SECCOMP_RET_TRACE)
            );
        }
    }
}
