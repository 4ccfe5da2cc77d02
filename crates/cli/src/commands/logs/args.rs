//! The arguments of `nex logs`.

use std::time::Duration;

use clap::Args;
use nex_supervise::UnixMillis;

use crate::args::duration;
use crate::args::guests::GuestArg;

/// `nex logs`.
#[derive(Debug, Args)]
pub struct LogsArgs {
    #[command(flatten)]
    pub guest: GuestArg,

    /// Wait for further output, until the guest has ended.
    #[arg(short, long)]
    pub follow: bool,

    /// Only output since then: an age, such as 90s or 5m, or @ and the seconds since 1970.
    #[arg(long, value_name = "TIME", value_parser = since)]
    pub since: Option<Since>,

    /// Only this number of last lines.
    #[arg(short = 'n', long, value_name = "NUMBER")]
    pub tail: Option<u64>,

    /// Only standard output.
    #[arg(long, conflicts_with = "stderr")]
    pub stdout: bool,

    /// Only standard error.
    #[arg(long)]
    pub stderr: bool,
}

/// A moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// So long ago.
    Ago(Duration),
    /// At this time.
    At(UnixMillis),
}

impl Since {
    /// The moment, where it is this time now.
    pub fn moment(self, now: UnixMillis) -> UnixMillis {
        match self {
            Self::Ago(age) => UnixMillis(now.0.saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX))),
            Self::At(moment) => moment,
        }
    }
}

fn since(text: &str) -> Result<Since, String> {
    let Some(seconds) = text.strip_prefix('@') else { return duration::parse(text).map(Since::Ago) };
    let millis = seconds.parse::<u64>().ok().and_then(|seconds| seconds.checked_mul(1000));
    millis.map(|millis| Since::At(UnixMillis(millis))).ok_or_else(|| "behind @ there are seconds since 1970".into())
}

/// What `--help` says behind the flags.
pub const HELP: &str = "\
nex keeps the last 16 MiB of output of each guest that was started with nex run --detach. It writes the program's standard output and
standard error unchanged to its own; with a terminal, all output goes to standard output. If output is missing, a warning says how
much.

Examples:
  nex logs web
  nex logs --follow --tail 10 web
  nex logs --since 5m --stderr web
  nex logs --since @$(date -d 'today 08:00' +%s) web";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_an_age_or_a_time() {
        let now = UnixMillis(100_000);
        assert_eq!(since("90s").unwrap().moment(now), UnixMillis(10_000));
        assert_eq!(since("2h").unwrap().moment(now), UnixMillis(0));
        assert_eq!(since("@7").unwrap().moment(now), UnixMillis(7000));
        for text in ["", "@", "@-1", "@99999999999999999999", "yesterday"] {
            assert!(since(text).is_err(), "{text}");
        }
    }
}
