//! The system calls that no crate offers safely.
#![allow(unsafe_code)]

use std::cmp::Ordering;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::mount::MountAttrFlags;
use rustix::process::{Pid, Signal};
use rustix::thread::UnshareFlags;
use seccompiler::sock_filter;

/// Moves this process, or what a thread can have of its own, apart. No file descriptor table is shared.
pub fn unshare(flags: UnshareFlags) -> rustix::io::Result<()> {
    // SAFETY: only CLONE_FILES could close what others hold, and no caller passes it.
    unsafe { rustix::thread::unshare_unsafe(flags - UnshareFlags::FILES) }
}

/// Has a signal interrupt what a thread waits for in the kernel, and do nothing else.
pub fn let_interrupt(signal: Signal) -> io::Result<()> {
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: zeros are a valid sigaction: no flags, so that no call is begun again, and no signals blocked.
    let mut action: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
    action.sa_sigaction = nothing as extern "C" fn(libc::c_int) as usize;
    // SAFETY: the handler does nothing, which it may at any time; the action lives for the call.
    match unsafe { libc::sigaction(signal.as_raw(), &raw const action, std::ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Sends a signal to a thread of this process, if it is still there.
pub fn interrupt_thread(thread: Pid, signal: Signal) {
    let process = rustix::process::getpid();
    // SAFETY: the call takes numbers, and no thread of another process has this process's number.
    unsafe {
        libc::syscall(libc::SYS_tgkill, process.as_raw_nonzero(), thread.as_raw_nonzero(), signal.as_raw());
    }
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
    install(program, 0).map(drop)
}

/// Puts a filter over the system calls of this process and of those that it starts, and gives the file by which calls are
/// told that it has wait for an answer (`SECCOMP_RET_USER_NOTIF`).
pub fn install_listener(program: &[sock_filter]) -> io::Result<OwnedFd> {
    const LISTENER: libc::c_ulong = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    // From Linux 5.19 on, a signal does not take a call back that was told already.
    let listener = install(program, LISTENER | libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
        .or_else(|_| install(program, LISTENER))?;
    // SAFETY: the call has made the descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(i32::try_from(listener).map_err(io::Error::other)?) })
}

fn install(program: &[sock_filter], flags: libc::c_ulong) -> io::Result<libc::c_long> {
    let length = u16::try_from(program.len()).map_err(io::Error::other)?;
    let program = libc::sock_fprog { len: length, filter: program.as_ptr().cast::<libc::sock_filter>().cast_mut() };
    // SAFETY: seccompiler's sock_filter has the kernel's layout, and the program lives for the call, which copies it.
    match unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program) } {
        result @ 0.. => Ok(result),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The next call that waits for an answer. It may be taken back at any time, by the end of its process.
pub fn receive_call(listener: BorrowedFd) -> io::Result<libc::seccomp_notif> {
    // SAFETY: zeros are a valid seccomp_notif, and the kernel wants no other.
    let mut call: libc::seccomp_notif = unsafe { MaybeUninit::zeroed().assume_init() };
    // SAFETY: the number of the request has the size of what the kernel fills in.
    match unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut call) } {
        0 => Ok(call),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Whether a call still waits: as long as it does, its process is the one that made it.
pub fn is_waiting(listener: BorrowedFd, id: u64) -> bool {
    // SAFETY: the kernel reads the number, which lives for the call.
    unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &raw const id) == 0 }
}

/// Answers a call. An error tells that it does not wait any more.
pub fn answer_call(listener: BorrowedFd, id: u64, answer: CallAnswer) -> io::Result<()> {
    let response = match answer {
        CallAnswer::Proceed => {
            libc::seccomp_notif_resp { id, val: 0, error: 0, flags: libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32 }
        }
        CallAnswer::Result(value) => libc::seccomp_notif_resp { id, val: value, error: 0, flags: 0 },
        CallAnswer::Error(errno) => libc::seccomp_notif_resp { id, val: 0, error: -errno.raw_os_error(), flags: 0 },
    };
    retry(|| {
        // SAFETY: the number of the request has the size of what the kernel reads.
        match unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw const response) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    })
}

/// Opens a file in the process whose call waits, and gives the number that it has there (Linux 5.9).
pub fn add_file(listener: BorrowedFd, id: u64, file: BorrowedFd, close_on_exec: bool) -> io::Result<i64> {
    let request = libc::seccomp_notif_addfd {
        id,
        flags: 0,
        srcfd: file.as_raw_fd() as u32,
        newfd: 0,
        newfd_flags: if close_on_exec { libc::O_CLOEXEC as u32 } else { 0 },
    };
    retry(|| {
        // SAFETY: the number of the request has the size of what the kernel reads.
        match unsafe { libc::ioctl(listener.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ADDFD, &raw const request) } {
            number @ 0.. => Ok(number.into()),
            _ => Err(io::Error::last_os_error()),
        }
    })
}

/// Does a step once more that a signal has interrupted: nothing of it was done.
fn retry<T>(mut step: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match step() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

/// Whether processes below this one can be told of system calls, by this filter. Where something outside is told already,
/// nobody else can be.
pub fn may_listen(program: Vec<sock_filter>) -> bool {
    const COULD: i32 = libc::ECANCELED;
    let mut command = Command::new("/");
    let attempt = move || {
        rustix::thread::set_no_new_privs(true)?;
        install_listener(&program)?;
        Err(io::Error::from_raw_os_error(COULD))
    };
    // SAFETY: after fork(2), only system calls are made. Nothing is executed: the error is what is wanted.
    unsafe { command.pre_exec(attempt) };
    command.spawn().is_err_and(|error| error.raw_os_error() == Some(COULD))
}

/// What becomes of a call that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallAnswer {
    /// The kernel does what it would have done.
    Proceed,
    /// It is done, with this result.
    Result(i64),
    /// It fails.
    Error(rustix::io::Errno),
}

/// Has a command begin a session of its own, controlled by the terminal that is its input.
pub fn controlled_by_its_input(command: &mut Command) -> &mut Command {
    let own_session = || {
        rustix::process::setsid()?;
        Ok(rustix::process::ioctl_tiocsctty(rustix::stdio::stdin())?)
    };
    // SAFETY: between fork(2) and execve(2), only two system calls are made.
    unsafe { command.pre_exec(own_session) }
}

/// Raises the loopback interface of this network namespace, which gets its addresses by that.
pub fn raise_loopback() -> io::Result<()> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?;
    // SAFETY: zeros are a valid ifreq.
    let mut request: libc::ifreq = unsafe { MaybeUninit::zeroed().assume_init() };
    for (place, byte) in request.ifr_name.iter_mut().zip(*b"lo") {
        *place = byte as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: SIOCSIFFLAGS reads an ifreq, which lives for the call.
    match unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Takes rights away from a mount and from all that is mounted below it: from each of them, or from none. It need not be
/// attached.
pub fn restrict_mounts(mount: BorrowedFd, restrictions: MountAttrFlags) -> io::Result<()> {
    let flags = libc::AT_EMPTY_PATH | libc::AT_RECURSIVE;
    let attributes =
        libc::mount_attr { attr_set: restrictions.bits().into(), attr_clr: 0, propagation: 0, userns_fd: 0 };
    let (path, length) = (c"", size_of_val(&attributes));
    // SAFETY: the kernel reads the path and the attributes, which live for the call and have this length.
    let result = unsafe {
        libc::syscall(libc::SYS_mount_setattr, mount.as_raw_fd(), path.as_ptr(), flags, &raw const attributes, length)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Whether nobody else has opened this file, which is open for reading only: nobody has a descriptor or a mapping of it, and
/// none is on its way to anybody.
pub fn is_only_opener(file: BorrowedFd) -> bool {
    let set = |lease: libc::c_int| {
        // SAFETY: these calls take a number and touch no memory of ours.
        unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, lease) == 0 }
    };
    // The kernel gives such a lease to the only opener.
    set(libc::F_WRLCK) && set(libc::F_UNLCK)
}

/// How many numbers the kernel tells about the memory of a socket (`SO_MEMINFO`).
pub const SOCKET_MEMORY: usize = 9;

/// The memory that a socket has taken for what waits in it, in bytes. 0 if that is not told.
pub fn socket_memory(socket: &OwnedFd) -> u64 {
    const SO_MEMINFO: libc::c_int = 55;
    let mut answer = [0u32; SOCKET_MEMORY];
    let mut length = size_of_val(&answer) as libc::socklen_t;
    // SAFETY: the kernel writes at most so many bytes to the answer, and how many these are to the length.
    let result = unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, SO_MEMINFO, answer.as_mut_ptr().cast(), &raw mut length)
    };
    if result == 0 { memory_of(&answer) } else { 0 }
}

/// What waits in a socket with these numbers: what has come, what is on its way or has to go, options, backlog.
pub fn memory_of(numbers: &[u32; SOCKET_MEMORY]) -> u64 {
    let [received, _, sent, _, _, queued, options, backlog, _] = numbers.map(u64::from);
    received + sent.max(queued) + options + backlog
}

/// What threads may share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Common {
    /// Their memory.
    Memory = 1,
    /// Their table of open files.
    OpenFiles = 2,
}

/// The order of two threads by what they have; they are equal if they share it (kcmp(2)).
///
/// # Errors
/// ESRCH when one of them has ended, EPERM when one may not be looked at, and ENOSYS where the kernel does not compare.
pub fn compare_threads(one: u32, other: u32, by: Common) -> io::Result<Ordering> {
    // SAFETY: the call takes numbers.
    match unsafe { libc::syscall(libc::SYS_kcmp, one, other, by as libc::c_int, 0, 0) } {
        0 => Ok(Ordering::Equal),
        1 => Ok(Ordering::Less),
        2 => Ok(Ordering::Greater),
        3 => Err(io::ErrorKind::Unsupported.into()),
        _ => Err(io::Error::last_os_error()),
    }
}
