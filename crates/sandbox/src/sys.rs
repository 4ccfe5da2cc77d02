//! The system calls that no crate offers safely.
#![allow(unsafe_code)]

use std::io;

use rustix::thread::UnshareFlags;
use seccompiler::sock_filter;

/// Moves this process into namespaces of its own. It has one thread, and no file descriptor table is shared.
pub fn unshare(flags: UnshareFlags) -> rustix::io::Result<()> {
    // SAFETY: only CLONE_FILES could close what others hold, and no caller passes it.
    unsafe { rustix::thread::unshare_unsafe(flags - UnshareFlags::FILES) }
}

/// Closes what the process has inherited beside its standard input, output and error.
///
/// To be called before it opens anything of its own.
pub fn close_inherited() -> io::Result<()> {
    const FIRST: libc::c_uint = 3;
    // SAFETY: nothing in this process owns a descriptor yet but the first three.
    match unsafe { libc::syscall(libc::SYS_close_range, FIRST, libc::c_uint::MAX, 0) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Puts a filter over the system calls of this process and of those that it starts.
///
/// Not by seccompiler's own function, because that one forbids setuid programs too. In a user namespace of its own the
/// process may do without.
pub fn install_filter(program: &[sock_filter]) -> io::Result<()> {
    let length = u16::try_from(program.len()).map_err(io::Error::other)?;
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast::<libc::sock_filter>().cast_mut() };
    // SAFETY: seccompiler's sock_filter has the kernel's layout, and the program lives for the call, which copies it.
    match unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
