//! Signals that a process has to heed or to ignore from its beginning on.

/// Does with SIGCHLD what programs do that have heard nothing of it. A caller may ignore it, as many daemons do, and programs
/// inherit that: then the kernel forgets how a child has ended (wait(2)), and whoever waits for one waits for nothing. Other
/// signals stay ignored, as callers want it: what they ask for concerns the program, and this one concerns its own children.
///
/// To be called before anything is started, which would inherit it in its turn.
#[allow(unsafe_code, reason = "the standard library has no other way to set what a signal does")]
pub fn heed_child_signal() {
    // SAFETY: no handler is installed, so that no code of ours runs in one. The number is a signal's, which may be set.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
}

/// Ignores SIGHUP: a process that outlives its terminal gets one when that goes, and others send it to daemons for purposes of their own.
#[allow(unsafe_code, reason = "the standard library has no other way to set what a signal does")]
pub fn ignore_hangups() {
    // SAFETY: no handler is installed, so that no code of ours runs in one. The number is a signal's, which may be set.
    unsafe { libc::signal(libc::SIGHUP, libc::SIG_IGN) };
}
