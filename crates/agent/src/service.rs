//! The agent as a service of another init.

use std::time::Duration;

use nex_contract::{AGENT, PowerOff, Word};
use nex_protocol::Role;

use crate::clock::uptime_ms;
use crate::command_line::CommandLine;
use crate::console::say;
use crate::host::Host;
use crate::signals::Signals;
use crate::supervisor::Supervisor;
use crate::workload::{self, Outcome};

/// How long the workload may take to end by itself.
const GRACE: Duration = Duration::from_secs(3);

/// How long the host may read nothing of the last lines.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Says that it is ready, runs the workload if one is asked for, waits until it is asked to stop, and returns the exit code.
pub fn run() -> i32 {
    let start_ms = uptime_ms();
    // Blocked before the ready line: whoever reads it may send SIGTERM at once.
    let signals = match Signals::of_service() {
        Ok(signals) => signals,
        Err(error) => {
            say(&format!("nex-agent: cannot wait for signals: {error}"));
            return 1;
        }
    };
    let mut host = Host::of_service();
    host.tell_start(Role::Service, start_ms);
    host.tell_ready(Role::Service, start_ms);
    let line = CommandLine::read();
    let mut supervisor = Supervisor::new(host, Ok(signals));
    if let Outcome::Over = workload::run(&mut supervisor, &line) {
        if line.ends_with_workload() && line.workload().is_some() {
            let word = Word::PowerOff(PowerOff::WithWorkload);
            supervisor.host.fail(format!("{word}: a service cannot end the machine; boot with init={AGENT}"));
        }
        workload::wait_for_signal(&mut supervisor);
    }
    stop_workload(&mut supervisor);
    supervisor.host.flush(LAST_WORDS);
    0
}

/// Asks the workload to end, makes it end, and tells how it did.
fn stop_workload(supervisor: &mut Supervisor) {
    supervisor.ask_program_to_end();
    if !supervisor.wait_until(GRACE, |supervisor| !supervisor.is_running()) {
        supervisor.kill_program();
        supervisor.wait_until(GRACE, |supervisor| !supervisor.is_running());
    }
    supervisor.tell_the_rest(LAST_WORDS);
    if let Some((source, end)) = supervisor.take_end_at_last() {
        workload::tell_end(supervisor, source, end, None);
    }
}
