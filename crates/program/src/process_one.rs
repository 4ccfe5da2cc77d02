//! Programs that run as process 1 alone.

use crate::script::Script;
use nex_inspect::{View, end_of_links, is_executable, name};

/// As much of a script is looked at, in bytes.
const LONGEST: u64 = 64 << 10;

/// Inits that refuse to be anything else, by the name of their file.
const INITS: [(&[u8], &str); 4] = [
    (b"systemd", "systemd"),
    (b"openrc-init", "openrc-init"),
    (b"runit", "runit"),
    (b"s6-linux-init", "s6-linux-init"),
];

/// What the first program of s6-overlay, since its version 3, becomes: the one that refuses.
const S6_OVERLAY: &[u8] = b"s6-overlay-suexec";

/// The init that a program is which has to be process 1; `None` for any other program, as far as it shows.
///
/// BusyBox is an init under the name `init` or `linuxrc`.
pub fn wants_process_one(view: &dyn View, program: &[u8]) -> Option<&'static str> {
    if !is_executable(view, program) {
        return None;
    }
    let file = end_of_links(view, program);
    if name(&file) == b"busybox" && matches!(name(program), b"init" | b"linuxrc") {
        return Some("the init of BusyBox");
    }
    if let Some((_, init)) = INITS.iter().find(|(own, _)| *own == name(&file)) {
        return Some(init);
    }
    let start = view.read(program, LONGEST).ok().flatten()?;
    let is_script = Script::parse(&start).is_ok_and(|script| script.is_some());
    (is_script && memchr::memmem::find(&start, S6_OVERLAY).is_some()).then_some("s6-overlay")
}
