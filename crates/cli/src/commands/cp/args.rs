//! The arguments of `nex cp`.

use std::ffi::OsString;

use clap::Args;

/// `nex cp`.
#[derive(Debug, Args)]
pub struct CpArgs {
    /// What to copy: a local path, GUEST:PATH, or - for a tar on standard input.
    ///
    /// SRC/. is the content of a directory. A local path that has a colon in its first part begins with ./ or /.
    #[arg(value_name = "SRC", allow_hyphen_values = true)]
    pub source: OsString,

    /// Where to copy it: a local path, GUEST:PATH, or - for a tar on standard output.
    ///
    /// In an existing directory, the copy keeps its name.
    #[arg(value_name = "DEST", allow_hyphen_values = true)]
    pub target: OsString,

    /// Keep owners and groups, with setuid and setgid bits, and all extended attributes.
    ///
    /// Without it, copies in a guest belong to root, and on the host to the caller.
    #[arg(short, long)]
    pub archive: bool,

    /// Copy the target of a symbolic link at the end of SRC, not the link.
    #[arg(short = 'L', long)]
    pub follow_link: bool,
}

/// What `--help` says behind the flags.
pub const HELP: &str = "\
nex cp follows the rules of docker cp for destinations. The guest's init has to be nex's agent; the guest needs no tar and no shell.

Examples:
  nex cp app.conf web:/etc/app.conf
  nex cp site/. web:/srv/www
  nex cp web:/var/log .
  nex cp web:/etc - | tar -t
  gzip -dc site.tar.gz | nex cp - web:/srv";
