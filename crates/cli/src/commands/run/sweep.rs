//! What killed supervisors have left goes when the next guest is started.

use nex_supervise::{StateDir, SweepOptions, UnixMillis, default_directory, sweep};

/// Sweeps, where there are records. It is nobody's failure but the next one's when something stays.
pub fn run() {
    let swept = default_directory()
        .and_then(|place| StateDir::open_existing(&place))
        .and_then(|state| state.map(|state| sweep(&state, &SweepOptions::default(), UnixMillis::now())).transpose());
    match swept {
        Ok(Some(swept)) => {
            for problem in &swept.problems {
                tracing::info!(target: "supervise", "{}", nex_fault::whole(problem));
            }
        }
        Ok(None) => {}
        Err(error) => tracing::info!(target: "supervise", "{}", nex_fault::whole(&error)),
    }
}
