//! `nex logs`: the output of a guest that is kept.

use std::io::{ErrorKind, Write};

use nex_client::{Follow, Guest};
use nex_supervise::UnixMillis;
use nex_supervise::spool::{Output, Piece, Stream};
use nex_text::human;

use super::args::LogsArgs;
use super::tail::Tail;
use crate::codes::OUTPUT;
use crate::diagnostic::Diagnostic;
use crate::guests;
use crate::output::{StandardError, raw_output, tell};

/// Shows it.
///
/// # Errors
/// When it cannot be read, or nobody takes it.
pub fn run(args: &LogsArgs) -> Result<(), Diagnostic> {
    let mut guest = guests::look()?.find(&args.guest.guest)?;
    let wanted = Wanted::of(args, UnixMillis::now());
    let start = match args.tail {
        Some(lines) => tail(&guest, &wanted, lines)?,
        None => 0,
    };
    let mut follow = guest.follow()?;
    loop {
        // Asked before what there is is read: whatever has ended by now has written all of it.
        let has_ended = !args.follow || !guest.look()?.is_living();
        show(&mut follow, &wanted, start)?;
        if has_ended {
            return Ok(());
        }
        follow.wait()?;
    }
}

/// Where the last lines begin.
fn tail(guest: &Guest, wanted: &Wanted, lines: u64) -> Result<u64, Diagnostic> {
    let (mut tail, mut follow) = (Tail::new(lines), guest.follow()?);
    while let Some(piece) = follow.next_piece()? {
        if let Piece::Output(output) = piece
            && wanted.has(&output)
        {
            tail.take(&output);
        }
    }
    Ok(tail.start())
}

/// Writes what there is, from this position on.
fn show(follow: &mut Follow, wanted: &Wanted, start: u64) -> Result<(), Diagnostic> {
    while let Some(piece) = follow.next_piece()? {
        match piece {
            Piece::Output(output) if wanted.has(&output) => {
                let before = usize::try_from(start.saturating_sub(output.position)).unwrap_or(usize::MAX);
                write(output.stream, output.bytes.get(before..).unwrap_or_default())?;
            }
            Piece::Output(_) => {}
            Piece::Lost(bytes) if start == 0 => {
                tell(format_args!("warning: {} of output are lost here: more was written than is kept", human(bytes)));
            }
            // What stands before the last lines is not asked for.
            Piece::Lost(_) => {}
        }
    }
    Ok(())
}

fn write(stream: Stream, bytes: &[u8]) -> Result<(), Diagnostic> {
    let written = match stream {
        Stream::Out => {
            let mut out = raw_output();
            out.write_all(bytes).and_then(|()| out.flush())
        }
        Stream::Err => StandardError.write_all(bytes),
    };
    written.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Diagnostic::enough(),
        _ => Diagnostic::new(OUTPUT, "cannot write the guest's output").caused(&error),
    })
}

/// What of the output is asked for.
#[derive(Debug)]
struct Wanted {
    stream: Option<Stream>,
    since: UnixMillis,
}

impl Wanted {
    fn of(args: &LogsArgs, now: UnixMillis) -> Self {
        let stream = match (args.stdout, args.stderr) {
            (true, _) => Some(Stream::Out),
            (_, true) => Some(Stream::Err),
            (false, false) => None,
        };
        Self { stream, since: args.since.map_or(UnixMillis(0), |since| since.moment(now)) }
    }

    fn has(&self, output: &Output) -> bool {
        self.stream.is_none_or(|stream| stream == output.stream) && output.time >= self.since
    }
}
