//! What scripts cannot have where their memory is added up, as nothing would tell how much it is.
//!
//! A page that is passed on without being copied belongs to nobody who is asked for it, and brings all of a huge page along. Huge pages
//! that the machine has set aside belong to it, and of others a page may be left that keeps all of it. A memory that goes from process to
//! process, each with a new number, is in none of them when somebody looks. Each refusal is one that programs know from some kernel or file system, and do
//! without, or copy, then.

use std::collections::BTreeMap;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen as Length, SeccompCmpOp as Is, SeccompCondition, SeccompFilter,
    SeccompRule,
};

use super::seccomp::MACHINE;

/// Calls that put pages into pipes and sockets.
const PASSING: [i64; 4] = [libc::SYS_splice, libc::SYS_tee, libc::SYS_vmsplice, libc::SYS_sendfile];

/// Has the kernel map what a socket has received, as of a file (`linux/tcp.h`).
const TCP_ZEROCOPY_RECEIVE: u64 = 35;

/// How a new process has its maker's memory (clone(2)).
const LENDING: u64 = (libc::CLONE_VM | libc::CLONE_THREAD | libc::CLONE_VFORK) as u64;

/// Protocols of the internet whose sockets the kernel tells of, or that hold little: the family's own, and echoes.
const PROTOCOLS: [i32; 5] = [0, libc::IPPROTO_ICMP, libc::IPPROTO_TCP, libc::IPPROTO_UDP, libc::IPPROTO_ICMPV6];

/// What pipes hold at first, in pages.
const PIPE_PAGES: usize = 16;

/// What may wait in a pipe at most, in bytes.
pub fn most_in_a_pipe() -> u64 {
    (PIPE_PAGES * rustix::param::page_size()) as u64
}

/// The filters.
pub fn filters() -> Result<[BpfProgram; 3], String> {
    (|| {
        let socket_option = |option: i32| vec![is(1, libc::SOL_SOCKET as u64), is(2, option as u64)];
        let large_pipe =
            vec![is(1, libc::F_SETPIPE_SZ as u64), SeccompCondition::new(2, Length::Dword, Is::Gt, most_in_a_pipe())];
        // A thread has it for good, and vfork(2) holds up who lends it.
        let lent_memory = SeccompCondition::new(0, Length::Qword, Is::MaskedEq(LENDING), libc::CLONE_VM as u64);
        let mapped = vec![is(1, libc::IPPROTO_TCP as u64), is(2, TCP_ZEROCOPY_RECEIVE)];
        let mut refused = BTreeMap::from([
            (libc::SYS_fcntl, rules([large_pipe])?),
            (libc::SYS_setsockopt, rules([socket_option(libc::SO_ZEROCOPY)])?),
            (libc::SYS_getsockopt, rules([mapped])?),
            (libc::SYS_mmap, rules([vec![has(3, libc::MAP_HUGETLB)]])?),
            (libc::SYS_shmget, rules([vec![has(2, libc::SHM_HUGETLB)]])?),
            (libc::SYS_prctl, rules([vec![is(0, libc::PR_SET_THP_DISABLE as u64)]])?),
            (libc::SYS_clone, rules([vec![lent_memory]])?),
        ]);
        refused.extend(PASSING.map(|call| (call, Vec::new())));
        // The kernel too takes what it likes of such a wish, and says that all is well.
        let larger = rules([libc::SO_SNDBUF, libc::SO_RCVBUF].map(socket_option))?;
        let other_protocol = |family: i32| {
            let others = PROTOCOLS.iter().map(|known| SeccompCondition::new(2, Length::Dword, Is::Ne, *known as u64));
            std::iter::once(is(0, family as u64)).chain(others).collect()
        };
        let others = rules([libc::AF_INET, libc::AF_INET6].map(other_protocol))?;
        Ok([
            filter(refused, libc::EINVAL)?,
            filter(BTreeMap::from([(libc::SYS_setsockopt, larger)]), 0)?,
            filter(BTreeMap::from([(libc::SYS_socket, others)]), libc::EPROTONOSUPPORT)?,
        ])
    })()
    .map_err(|error: seccompiler::BackendError| format!("making the filter of system calls: {error}"))
}

type Condition = Result<SeccompCondition, seccompiler::BackendError>;
type Rules = BTreeMap<i64, Vec<SeccompRule>>;

fn is(argument: u8, value: u64) -> Condition {
    SeccompCondition::new(argument, Length::Dword, Is::Eq, value)
}

fn has(argument: u8, flag: i32) -> Condition {
    SeccompCondition::new(argument, Length::Dword, Is::MaskedEq(flag as u64), flag as u64)
}

fn rules(all: impl IntoIterator<Item = Vec<Condition>>) -> Result<Vec<SeccompRule>, seccompiler::BackendError> {
    all.into_iter().map(|conditions| SeccompRule::new(conditions.into_iter().collect::<Result<_, _>>()?)).collect()
}

fn filter(rules: Rules, errno: i32) -> Result<BpfProgram, seccompiler::BackendError> {
    SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(errno as u32), MACHINE)?.try_into()
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_filters_are_some_that_the_kernel_takes() {
        assert!(super::filters().unwrap().iter().all(|filter| (1..4096).contains(&filter.len())));
    }
}
