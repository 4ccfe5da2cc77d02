//! From the flags of setup scripts to what the build takes.

use std::io::IsTerminal;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nex_rootfs::guest::{BootScript, Hostname};
use nex_rootfs::{CLEAN_GROUPS, Clean, SNAPSHOT, ScriptOptions};
use nex_sandbox::{AbstractSockets, Limits, Mount, Network, Script, Secret, World, abstract_sockets, only_one_id};

use crate::codes::{INPUT, NO_TERMINAL, SCRIPT_NETWORK};
use crate::commands::rootfs::args::script::{CleanArg, NetworkArg, ScriptArgs, SecretArg};
use crate::diagnostic::Diagnostic;
use crate::output;

/// The name of the machine that scripts see, unless the guest has another.
const HOSTNAME: &str = "nex";

/// The longest script, and the longest secret, in bytes.
const LONGEST: u64 = 64 << 20;

/// What to run in an image of at most so many names; `None` without a script and a shell.
///
/// # Errors
/// When a file that the flags name cannot be read, or there is no terminal for a shell.
pub fn options(
    args: &ScriptArgs,
    names: u64,
    hostname: Option<&Hostname>,
    source_date_epoch: Option<i64>,
) -> Result<Option<ScriptOptions>, Diagnostic> {
    if args.scripts.is_empty() && !args.shell {
        return Ok(None);
    }
    if args.shell && !(std::io::stdin().is_terminal() && output::is_terminal()) {
        return Err(Diagnostic::new(NO_TERMINAL, "--shell needs a terminal as standard input and output")
            .hinting("run nex in one, or take --keep-failed in its place"));
    }
    let epoch = source_date_epoch.map(|seconds| ("SOURCE_DATE_EPOCH".into(), seconds.to_string()));
    let world = World {
        scripts: args.scripts.iter().map(|path| script(path)).collect::<Result<_, _>>()?,
        env: epoch.into_iter().chain(args.env.iter().cloned()).collect(),
        directories: if args.snapshot.is_none() { vec![SNAPSHOT.to_vec()] } else { Vec::new() },
        mounts: args.mount.iter().map(mount).collect::<Result<_, _>>()?,
        secrets: args.secret.iter().map(secret).collect::<Result<_, _>>()?,
        network: network(args.script_network)?,
        hostname: hostname.map_or(HOSTNAME, Hostname::as_str).to_owned(),
        limits: Limits {
            time: args.script_timeout,
            memory: args.script_memory,
            processes: args.script_processes,
            names,
        },
    };
    let sandbox = nex_sandbox::Options {
        work_dir: args.place.directory(),
        world,
        keep_failed: args.keep_failed.as_deref().map(new_directory).transpose()?,
    };
    let clean = match &args.clean {
        CleanArg::Groups(groups) => groups.clone(),
        // It was answered, and nothing is built.
        CleanArg::Help => Clean::all(),
    };
    let snapshot = args.snapshot.as_ref().map(|path| path.as_bytes().to_vec());
    Ok(Some(ScriptOptions { sandbox, clean, snapshot, latest: source_date_epoch }))
}

/// What `--clean=help` says.
pub fn clean_help() -> String {
    let mut text = String::from(
        "What setup scripts leave there stays out of the image, by name. --clean=true is all of it (the default), --clean=false \
         nothing,\nand --clean=NAME,... what is named.\n\n",
    );
    for group in &CLEAN_GROUPS {
        for (index, rule) in group.rules().enumerate() {
            let name = if index == 0 { group.name } else { "" };
            text.push_str(&format!("{name:<14} {rule}\n"));
        }
    }
    text
}

/// The machine's network, unless nobody has asked for it and it gives the user's files away.
fn network(asked: Option<NetworkArg>) -> Result<Network, Diagnostic> {
    match asked {
        Some(NetworkArg::None) => Ok(Network::None),
        Some(NetworkArg::Host) => Ok(Network::Host),
        None => match (abstract_sockets(Network::Host), only_one_id()) {
            (AbstractSockets::Open, Some(why)) => Err(Diagnostic::new(SCRIPT_NETWORK, format!(
                "on this machine's network a script could connect to every abstract Unix socket of the machine with your own user \
                 id, and be handed your files there: something supervises nex's system calls, so that nex cannot keep \
                 the script's sockets apart, this kernel has no scopes of Landlock (Linux 6.12 has), and there is only one user id: {why}"
            ))
            .hinting("say --script-network none, or --script-network host if you trust what runs in the image")),
            _ => Ok(Network::Host),
        },
    }
}

/// What to run at every boot.
///
/// # Errors
/// When the file cannot be read.
pub fn boot_script(path: &Path) -> Result<BootScript, Diagnostic> {
    Ok(BootScript { name: path.display().to_string(), content: read(path, "--boot-script")? })
}

fn script(path: &Path) -> Result<Script, Diagnostic> {
    let content = read(path, "--script")?;
    if content.is_empty() {
        return Err(Diagnostic::new(INPUT, format!("the script '{}' is empty", path.display()))
            .hinting("write one, or leave --script out"));
    }
    let name = path.file_name().map_or_else(|| "script".into(), |name| name.to_string_lossy().into_owned());
    Ok(Script { name, content })
}

fn secret(secret: &SecretArg) -> Result<Secret, Diagnostic> {
    Ok(Secret { name: secret.name.clone(), content: read(&secret.source, "--secret")? })
}

fn mount(mount: &Mount) -> Result<Mount, Diagnostic> {
    let source = std::path::absolute(&mount.source).and_then(|source| source.symlink_metadata().map(|_| source));
    match source {
        Ok(source) => Ok(Mount { source, ..mount.clone() }),
        Err(error) => {
            let message = format!("cannot use '{}', which --mount names", mount.source.display());
            Err(Diagnostic::new(INPUT, message).caused(&error))
        }
    }
}

/// A directory that can be made later.
fn new_directory(path: &Path) -> Result<PathBuf, Diagnostic> {
    if path.symlink_metadata().is_ok() {
        let path = path.display();
        return Err(Diagnostic::new(INPUT, format!("'{path}', which --keep-failed names, is there already"))
            .hinting("remove it or name another"));
    }
    Ok(path.into())
}

fn read(path: &Path, flag: &str) -> Result<Vec<u8>, Diagnostic> {
    let cannot = || {
        Diagnostic::new(INPUT, format!("cannot read '{}', which {flag} names", path.display()))
            .hinting("name another file")
    };
    match nex_file::read_given_within(path, LONGEST) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(cannot().because(format!("it has more than {LONGEST} bytes"))),
        Err(error) => Err(cannot().caused(&error)),
    }
}
