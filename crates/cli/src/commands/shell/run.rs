//! `nex shell`: a shell in a guest.

use nex_contract::Exec;

use super::args::ShellArgs;
use crate::commands::exec;
use crate::diagnostic::Diagnostic;
use crate::end::End;
use crate::interrupt::Process;
use crate::output;
use crate::talking::{Streams, bytes};

/// Becomes the user's login shell, by the builtins that every shell has: an image may have no other program. Who the user is, the
/// kernel says in `/proc/self/status`. A login shell that lets nobody in, or is not there, does not count.
const LOGIN_SHELL: &str = r#"
while read -r key value _; do [ "$key" = Uid: ] && user=$value; done </proc/self/status
shell=
if [ -r /etc/passwd ]; then
  while IFS=: read -r _ _ id _ _ _ shell; do
    [ "$id" = "$user" ] && break
    shell=
  done </etc/passwd
fi
case $shell in */nologin | */false) shell= ;; esac
[ -x "$shell" ] || shell=/bin/sh
SHELL=$shell; export SHELL
exec "$shell"
"#;

/// Runs the shell, and ends as it has ended.
///
/// # Errors
/// When it cannot be run.
pub fn run(args: &ShellArgs, process: &Process) -> Result<End, Diagnostic> {
    let argv = ["/bin/sh", "-c", LOGIN_SHELL].into_iter().map(bytes).collect::<Result<_, _>>()?;
    let streams = if output::is_input_terminal() { Streams::Terminal } else { Streams::InputAndOutput };
    exec::start(&args.guest.guest, Exec { argv, ..exec::program(&args.program)? }, streams, process)
}
