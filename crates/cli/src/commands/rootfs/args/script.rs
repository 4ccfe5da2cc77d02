//! The flags of setup scripts.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{ArgGroup, Args, ValueEnum, value_parser};
use nex_rootfs::{CLEAN_GROUPS, Clean};
use nex_sandbox::Mount;

use crate::args::work_place::WorkPlace;
use crate::args::{duration, size};

/// Setup scripts, and the world in which they run.
#[derive(Debug, Args)]
#[command(next_help_heading = "Setup scripts", group = ArgGroup::new("runs").args(["scripts", "shell"]).multiple(true))]
pub struct ScriptArgs {
    /// A script that changes the image; may be given several times.
    ///
    /// It runs in the image as its root user while the root filesystem is made, and needs neither root nor Docker.
    #[arg(long = "script", value_name = "FILE")]
    pub scripts: Vec<PathBuf>,

    /// A variable for the scripts; may be given several times.
    #[arg(long, value_name = "NAME=VALUE", requires = "runs", value_parser = variable)]
    pub env: Vec<(String, String)>,

    /// A file or directory of this machine for the scripts; may be given several times.
    ///
    /// It can be a package cache, for example. It leaves no trace in the image.
    #[arg(
        long,
        value_name = "SOURCE:TARGET[:ro]",
        requires = "runs",
        value_parser = OsStringValueParser::new().try_map(mount)
    )]
    pub mount: Vec<Mount>,

    /// A file that the scripts find as /run/secrets/NAME; may be given several times.
    ///
    /// The file is in memory only, and does not stay in the image.
    #[arg(
        long,
        value_name = "id=NAME,src=FILE",
        requires = "runs",
        value_parser = OsStringValueParser::new().try_map(secret)
    )]
    pub secret: Vec<SecretArg>,

    /// The network of the scripts: this machine's, or none [default: host, unless that would also give a user's files away].
    ///
    /// If it would, nex refuses to run the scripts, and the error says what to do.
    #[arg(long, value_enum)]
    pub script_network: Option<NetworkArg>,

    /// How long all scripts together may run, such as 90s, 30m or 2h.
    #[arg(long, value_name = "TIME", value_parser = duration::parse, default_value = "30m")]
    pub script_timeout: Duration,

    /// How much memory all processes of the scripts together may have.
    #[arg(long, value_name = "SIZE", value_parser = memory, default_value = "4GiB")]
    pub script_memory: u64,

    /// How many processes and threads the scripts may have at once.
    #[arg(long, value_name = "NUMBER", default_value_t = 1024, value_parser = value_parser!(u64).range(1..))]
    pub script_processes: u64,

    /// Which logs, caches, temporary files and identities of the scripts to keep out of the image.
    ///
    /// The report lists the files that nex left out. NAME is the name of a group, and help lists the groups.
    #[arg(
        long,
        value_name = "true|false|NAME,...|help",
        default_value = "true",
        default_missing_value = "true",
        num_args = 0..=1,
        require_equals = true,
        value_parser = clean
    )]
    pub clean: CleanArg,

    /// A directory of the image that becomes the root after the scripts [default: the whole image, or /my-rootfs if the scripts
    /// leave that].
    #[arg(
        long,
        value_name = "PATH",
        requires = "scripts",
        value_parser = OsStringValueParser::new().try_map(snapshot)
    )]
    pub snapshot: Option<OsString>,

    /// Where to put the image as a directory when a script fails, so that you can look at it from outside.
    ///
    /// All files there belong to you.
    #[arg(long, value_name = "DIRECTORY", requires = "scripts")]
    pub keep_failed: Option<PathBuf>,

    /// Open a shell in the image after the scripts have ended, or after one has failed.
    ///
    /// You can look at the image from inside, where --keep-failed shows it from outside. The shell has what scripts have:
    /// variables, mounts, secrets, network. nex writes no image: changes that you make in the shell are gone when it ends, so put
    /// those that you need into a script.
    #[arg(long, conflicts_with = "keep_failed")]
    pub shell: bool,

    #[command(flatten)]
    pub place: WorkPlace,
}

/// The value of `--clean`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CleanArg {
    /// Leave these groups out.
    Groups(Clean),
    /// List the groups.
    Help,
}

/// The value of `--secret`.
#[derive(Clone, Debug)]
pub struct SecretArg {
    /// Its name.
    pub name: String,
    /// The file.
    pub source: PathBuf,
}

/// The value of `--script-network`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum NetworkArg {
    /// This machine's network.
    Host,
    /// No network.
    None,
}

fn clean(text: &str) -> Result<CleanArg, String> {
    match text {
        "true" => Ok(CleanArg::Groups(Clean::all())),
        "false" => Ok(CleanArg::Groups(Clean::nothing())),
        "help" => Ok(CleanArg::Help),
        names => Clean::of(names.split(',')).map(CleanArg::Groups).map_err(|unknown| {
            let names: Vec<_> = CLEAN_GROUPS.iter().map(|group| group.name).collect();
            format!("'{unknown}' is no group; use true, false, help, or names of these: {}", names.join(", "))
        }),
    }
}

fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.into(), value.into())),
        _ => Err("a variable is NAME=VALUE".into()),
    }
}

fn mount(text: OsString) -> Result<Mount, String> {
    const FORM: &str = "a mount is SOURCE:TARGET or SOURCE:TARGET:ro";
    let (text, read_only) = match text.as_bytes() {
        bytes if bytes.ends_with(b":ro") => (&bytes[..bytes.len() - 3], true),
        bytes => (bytes.strip_suffix(b":rw").unwrap_or(bytes), false),
    };
    let colon = text.iter().rposition(|byte| *byte == b':').ok_or(FORM)?;
    let (source, target) = (&text[..colon], &text[colon + 1..]);
    if source.is_empty() {
        return Err(FORM.into());
    }
    let components: Vec<_> = target.split(|byte| *byte == b'/').filter(|name| !matches!(*name, b"" | b".")).collect();
    if !target.starts_with(b"/") || components.is_empty() || components.contains(&b"..".as_slice()) {
        return Err("the target of a mount is an absolute path without '..', and not the root".into());
    }
    let taken = [b"proc".as_slice(), b"sys", b"dev"].contains(&components[0]);
    if taken || components.starts_with(&[b"run", b"nex"]) || components.starts_with(&[b"run", b"secrets"]) {
        return Err("nothing can be mounted in /proc, /sys, /dev, /run/nex and /run/secrets".into());
    }
    let source = PathBuf::from(OsString::from_vec(source.to_vec()));
    let target = components.iter().flat_map(|name| [b"/", *name].concat()).collect();
    Ok(Mount { source, target, read_only })
}

fn snapshot(path: OsString) -> Result<OsString, String> {
    match path.as_bytes().split(|byte| *byte == b'/').any(|name| name == b"..") {
        true => Err("the path of a snapshot is one of the image, without '..'".into()),
        false => Ok(path),
    }
}

/// A shell with less does not even start.
fn memory(text: &str) -> Result<u64, String> {
    const LEAST: u64 = 8 << 20;
    match size::parse(text)? {
        bytes if bytes < LEAST => Err(format!("scripts do not run with {bytes} bytes; give them 8MiB or more")),
        bytes => Ok(bytes),
    }
}

fn secret(text: OsString) -> Result<SecretArg, String> {
    const FORM: &str = "a secret is id=NAME,src=FILE, and its name has no slash";
    let bytes = text.as_bytes().strip_prefix(b"id=").ok_or(FORM)?;
    let comma = bytes.windows(5).position(|window| window == b",src=").ok_or(FORM)?;
    let name = String::from_utf8(bytes[..comma].to_vec()).map_err(|_| FORM)?;
    let source = PathBuf::from(OsString::from_vec(bytes[comma + 5..].to_vec()));
    let is_name = !matches!(&*name, "" | "." | "..") && name.len() <= 255 && !name.contains(['/', '\0']);
    if is_name && !source.as_os_str().is_empty() { Ok(SecretArg { name, source }) } else { Err(FORM.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_have_a_source_and_an_absolute_target() {
        let good = mount("a:b:/x//y/:ro".into()).unwrap();
        assert_eq!((good.source, good.target, good.read_only), ("a:b".into(), b"/x/y".to_vec(), true));
        assert!(!mount("/a:/b:rw".into()).unwrap().read_only);
        for text in ["", "/a", ":/b", "/a:b", "/a:/", "/a:/x/../y", "/a:/proc/sys", "/a:/./dev", "/a:/run/nex/1"] {
            assert!(mount(text.into()).is_err(), "{text}");
        }
    }

    #[test]
    fn groups_are_named_all_or_none() {
        assert_eq!(clean("true"), Ok(CleanArg::Groups(Clean::all())));
        assert_eq!(clean("false"), Ok(CleanArg::Groups(Clean::nothing())));
        assert_eq!(clean("logs,machine-id"), Ok(CleanArg::Groups(Clean::of(["logs", "machine-id"]).unwrap())));
        for text in ["", "log", "logs,", "true,logs", "logs, machine-id"] {
            assert!(clean(text).unwrap_err().contains("ssh-host-keys, dhcp-leases"), "{text}");
        }
    }

    #[test]
    fn snapshots_and_memory_have_bounds() {
        assert!(snapshot("/my-rootfs".into()).is_ok() && snapshot("a..b".into()).is_ok());
        for path in ["..", "../..", "/a/../b"] {
            assert!(snapshot(path.into()).is_err(), "{path}");
        }
        assert_eq!(memory("8MiB"), Ok(8 << 20));
        assert!(memory("0").is_err() && memory("1M").is_err());
    }

    #[test]
    fn secrets_have_a_name_and_a_file() {
        let good = secret("id=key,src=/a,b".into()).unwrap();
        assert_eq!((&*good.name, good.source), ("key", "/a,b".into()));
        for text in ["key", "id=,src=/a", "id=a/b,src=/a", "id=..,src=/a", "id=a", "id=a,src=", "src=/a,id=b"] {
            assert!(secret(text.into()).is_err(), "{text}");
        }
    }
}
