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

/// Put words into a terminal as if they had been typed.
const TERMINAL_INPUT: [u64; 2] = [libc::TIOCSTI, libc::TIOCLINUX];

/// Plain Linux, 32 bits of it, without random addresses; and the question which it is.
const PERSONALITIES: [u64; 5] = [0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

/// The filter as the kernel takes it.
pub fn program() -> Result<BpfProgram, String> {
    filter().map_err(|error| format!("making the filter of system calls: {error}"))
}

fn filter() -> Result<BpfProgram, seccompiler::BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        ALLOWED.iter().chain(OF_THIS_MACHINE).map(|call| (*call, Vec::new())).collect();
    let argument = |number, is, value| SeccompCondition::new(number, Length::Dword, is, value);
    let rule = |conditions| SeccompRule::new(conditions);
    rules.insert(libc::SYS_clone, vec![rule(vec![argument(0, Is::MaskedEq(NAMESPACES), 0)?])?]);
    let not_typing = TERMINAL_INPUT.iter().map(|request| argument(1, Is::Ne, *request)).collect::<Result<_, _>>()?;
    rules.insert(libc::SYS_ioctl, vec![rule(not_typing)?]);
    let one_of = |values: &mut dyn Iterator<Item = u64>| -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
        values.map(|value| rule(vec![argument(0, Is::Eq, value)?])).collect()
    };
    rules.insert(libc::SYS_socket, one_of(&mut FAMILIES.iter().map(|family| *family as u64))?);
    rules.insert(libc::SYS_socketpair, one_of(&mut [libc::AF_UNIX as u64].into_iter())?);
    rules.insert(libc::SYS_personality, one_of(&mut PERSONALITIES.into_iter())?);
    let (others, these) = (SeccompAction::Errno(libc::ENOSYS as u32), SeccompAction::Allow);
    SeccompFilter::new(rules, others, these, MACHINE)?.try_into()
}

#[cfg(target_arch = "x86_64")]
const MACHINE: TargetArch = TargetArch::x86_64;
#[cfg(target_arch = "aarch64")]
const MACHINE: TargetArch = TargetArch::aarch64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_is_one_that_the_kernel_takes() {
        // BPF_MAXINSNS.
        assert!(program().unwrap().len() <= 4096);
    }
}
