//! The agent as a program that packs and unpacks tars: what it starts itself as when the host asks for files.
//!
//! A process of its own can be held by a host that does not read, and killed, as any program that the host has asked for.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufReader, Read};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use nex_contract::{Request, TarIn, TarLink, TarOut, TarOwners, TarPlace};
use nex_tree::{Devices, Link, Mounts, Notes, Owners, PackOptions, Place, TreeError, UnpackOptions, pack, unpack};

use crate::console::say;

/// What the program that unpacks is called by (`argv[0]`).
const TAR_IN: &str = "nex-tar-in";

/// What the program that packs is called by.
const TAR_OUT: &str = "nex-tar-out";

/// How much of a tar is read at once.
const BUFFER: usize = 64 << 10;

/// What is done with a tar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TarRole {
    /// It is read from standard input and unpacked.
    In,
    /// It is made, and written to standard output.
    Out,
}

/// What this process is to be by its name; `None` for the agent itself.
pub fn of(argv0: &OsStr) -> Option<TarRole> {
    match argv0.to_str() {
        Some(TAR_IN) => Some(TarRole::In),
        Some(TAR_OUT) => Some(TarRole::Out),
        _ => None,
    }
}

/// The name and the arguments of the process that does what is asked for; `None` for what no tar is asked for.
pub fn command(request: &Request) -> Option<(&'static str, Vec<OsString>)> {
    let path = |path: &nex_contract::ByteString| OsString::from_vec(path.as_bytes().to_vec());
    match request {
        Request::TarIn(TarIn { path: to, place, owners }) => {
            let place = matches!(place, TarPlace::Copy).then_some(COPY);
            let owners = matches!(owners, TarOwners::Kept).then_some(KEEP_OWNERS);
            Some((TAR_IN, arguments(path(to), [place, owners])))
        }
        Request::TarOut(TarOut { path: from, link }) => {
            Some((TAR_OUT, arguments(path(from), [matches!(link, TarLink::Followed).then_some(FOLLOW), None])))
        }
        Request::Exec(_) | Request::Attach(_) => None,
    }
}

const COPY: &str = "copy";
const KEEP_OWNERS: &str = "keep-owners";
const FOLLOW: &str = "follow";

fn arguments(path: OsString, options: [Option<&str>; 2]) -> Vec<OsString> {
    let options = options.into_iter().flatten().map(OsString::from);
    std::iter::once(path).chain(options).collect()
}

impl TarRole {
    /// Does it, with the arguments after the name. Gives the exit code: 0 done, 1 failed. Standard error has a line for each
    /// thing that was left out, and the reason for the failure in the last one.
    pub fn run(self, arguments: impl Iterator<Item = OsString>) -> i32 {
        let mut arguments = arguments;
        let path = PathBuf::from(arguments.next().unwrap_or_default());
        let options: Vec<_> = arguments.collect();
        let has = |option: &str| options.iter().any(|given| given.as_bytes() == option.as_bytes());
        let mut notes = Notes::default();
        let done = match self {
            Self::In => {
                let place = if has(COPY) { Place::Copy } else { Place::Below };
                let owners = if has(KEEP_OWNERS) { Owners::Kept } else { Owners::Own };
                // The host has this machine's devices anyway.
                read_tar(
                    &path,
                    UnpackOptions { place, owners, devices: Devices::Made, ..UnpackOptions::default() },
                    &mut notes,
                )
            }
            Self::Out => {
                let link = if has(FOLLOW) { Link::Followed } else { Link::Kept };
                let options = PackOptions { link, mounts: Mounts::LeftOut };
                pack(&path, options, io::stdout().lock(), &mut notes)
            }
        };
        notes.lines().for_each(|line| say(&line));
        match done {
            Ok(()) => 0,
            Err(error) => {
                say(&error.to_string());
                1
            }
        }
    }
}

fn read_tar(path: &std::path::Path, options: UnpackOptions, notes: &mut Notes) -> Result<(), TreeError> {
    let mut input = BufReader::with_capacity(BUFFER, io::stdin().lock());
    unpack(&mut input, path, options, notes)?;
    // Writers fill up what is behind the end, and fail when nobody reads that.
    let _ = io::copy(&mut input.by_ref(), &mut io::sink());
    Ok(())
}

#[cfg(test)]
mod tests {
    use nex_contract::ByteString;

    use super::*;

    #[test]
    fn a_request_has_the_name_and_the_arguments_of_its_process() {
        let path = ByteString::new(*b"/\xff/.").unwrap();
        let bytes = OsString::from_vec(b"/\xff/.".to_vec());
        let into = |place, owners| Request::TarIn(TarIn { path: path.clone(), place, owners });
        let out = |link| Request::TarOut(TarOut { path: path.clone(), link });
        for (request, role, options) in [
            (into(TarPlace::Below, TarOwners::Own), TarRole::In, &[][..]),
            (into(TarPlace::Copy, TarOwners::Kept), TarRole::In, &["copy", "keep-owners"]),
            (out(TarLink::Kept), TarRole::Out, &[]),
            (out(TarLink::Followed), TarRole::Out, &["follow"]),
        ] {
            let (name, arguments) = command(&request).unwrap();
            assert_eq!(of(name.as_ref()), Some(role));
            assert_eq!(arguments[0], bytes);
            assert_eq!(arguments[1..], *options);
        }
        assert_eq!(of("/sbin/nex-tar-in".as_ref()), None);
        assert!(command(&Request::Exec(nex_contract::Exec::default())).is_none());
    }
}
