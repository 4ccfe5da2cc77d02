//! `nex cp`: from arguments to a copy.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use nex_copy::{CopyError, CopyOptions, Lines, Link, Owners, Source, Target, from_guest, to_guest};

use super::args::CpArgs;
use super::place::CopyEnd;
use crate::diagnostic::Diagnostic;
use crate::{guests, output};

/// Copies into a guest, or out of one.
///
/// # Errors
/// When that is not what the arguments ask for, or it fails.
pub fn run(args: &CpArgs) -> Result<(), Diagnostic> {
    let options = CopyOptions {
        owners: if args.archive { Owners::Kept } else { Owners::Own },
        link: if args.follow_link { Link::Followed } else { Link::Kept },
    };
    let lines = match (CopyEnd::parse(&args.source), CopyEnd::parse(&args.target)) {
        (CopyEnd::Host(source), CopyEnd::Guest { guest, path }) => {
            to_guest(connect(guest)?, Source::Path(source), path, options)
        }
        (CopyEnd::Stream, CopyEnd::Guest { guest, path }) => {
            // One of its own, which is closed without a trace.
            let input = io::stdin().as_fd().try_clone_to_owned().map_err(Diagnostic::system)?;
            to_guest(connect(guest)?, Source::Tar(&File::from(input)), path, options)
        }
        (CopyEnd::Guest { guest, path }, CopyEnd::Host(target)) => {
            from_guest(connect(guest)?, path, Target::Path(target), options)
        }
        (CopyEnd::Guest { guest, path }, CopyEnd::Stream) => {
            if output::is_terminal() {
                let refused = Diagnostic::usage("standard output is a terminal, and a tar is nothing to read there");
                return Err(refused.hinting("send it to a file or a program"));
            }
            from_guest(connect(guest)?, path, Target::Tar(&mut output::raw_output()), options)
        }
        (CopyEnd::Guest { .. }, CopyEnd::Guest { .. }) => {
            let refused = Diagnostic::usage("both ends are in guests, and one has to be here");
            return Err(refused.hinting("copy through a tar: nex cp A:PATH - | nex cp - B:PATH"));
        }
        (CopyEnd::Host(_) | CopyEnd::Stream, CopyEnd::Host(_) | CopyEnd::Stream) => {
            let refused = Diagnostic::usage("neither end is in a guest");
            return Err(refused.hinting("name one as GUEST:PATH; 'nex ps' lists the guests"));
        }
    };
    tell(lines)
}

fn connect(guest: &str) -> Result<UnixStream, Diagnostic> {
    Ok(guests::look()?.find(guest)?.channel()?)
}

fn tell(copied: Result<Lines, CopyError>) -> Result<(), Diagnostic> {
    match copied {
        Ok(lines) => {
            lines.iter().for_each(|line| output::tell(format_args!("warning: {line}")));
            Ok(())
        }
        Err(CopyError::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => Err(Diagnostic::enough()),
        Err(error) => Err(error.into()),
    }
}
