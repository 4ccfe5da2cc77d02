//! What an argument of `nex cp` names.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nex_contract::ByteString;

/// One end of a copy.
#[derive(Debug, PartialEq, Eq)]
pub enum CopyEnd<'a> {
    /// A standard stream, for a tar.
    Stream,
    /// A path on this machine.
    Host(&'a Path),
    /// A path in a guest.
    Guest {
        /// What the guest is called.
        guest: &'a str,
        /// The path, absolute.
        path: ByteString,
    },
}

impl<'a> CopyEnd<'a> {
    /// As `docker cp` reads it: what begins with a dot or a slash, and what has no colon in front of its first slash, is local.
    pub fn parse(argument: &'a OsStr) -> Self {
        let bytes = argument.as_bytes();
        if bytes == b"-" {
            return Self::Stream;
        }
        let colon = bytes.iter().position(|&byte| byte == b':');
        let parts = colon.map(|colon| (&bytes[..colon], &bytes[colon + 1..]));
        let is_name = |name: &&str| !name.is_empty() && !name.starts_with('.') && !name.contains('/');
        let in_guest = parts.and_then(|(guest, path)| {
            let guest = str::from_utf8(guest).ok().filter(is_name)?;
            let path = if path.starts_with(b"/") { path.to_vec() } else { [b"/", path].concat() };
            Some(Self::Guest { guest, path: ByteString::new(path)? })
        });
        in_guest.unwrap_or_else(|| Self::Host(Path::new(argument)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_colon_behind_a_name_makes_a_guest() {
        for (argument, guest, path) in
            [("web:/etc", "web", "/etc"), ("web:etc/.", "web", "/etc/."), ("web:", "web", "/"), ("a:b:c", "a", "/b:c")]
        {
            let path = ByteString::new(path).unwrap();
            assert_eq!(CopyEnd::parse(argument.as_ref()), CopyEnd::Guest { guest, path }, "{argument}");
        }
        for local in ["web", "./web:x", "/web:x", "dir/web:x", ":x", ".:x", "", "--"] {
            assert_eq!(CopyEnd::parse(local.as_ref()), CopyEnd::Host(Path::new(local)), "{local}");
        }
        assert_eq!(CopyEnd::parse("-".as_ref()), CopyEnd::Stream);
    }
}
