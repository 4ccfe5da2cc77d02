//! `nex rootfs`: from arguments to a build, and from its report to the user.

mod script;

use std::io::ErrorKind;
use std::path::Path;

use nex_cancel::{Cancel, Workspace};
use nex_ext4::{BLOCK_SIZE, Journal, Size};
use nex_fault::Setting;
use nex_file::to_read::ToRead;
use nex_image::{Platform, Reference};
use nex_rootfs::guest::{ResolvConfSource, name_servers};
use nex_rootfs::{
    Compression, Destination, Error, FileSystemOptions, GuestOptions, Limits, Options, OutputError, Report, VerityPlace,
};

use nex_contract::may_be_asked_for;
use nex_text::shell_word;

use super::args::file_system::FileSystemArgs;
use super::args::limits::LimitArgs;
use super::args::script::CleanArg;
use super::args::{RootfsArgs, SizeArg};
use super::{page_image, progress, render};
use crate::args::common::CommonArgs;
use crate::args::format::Format;
use crate::args::size;
use crate::codes::{INPUT, OUTPUT};
use crate::diagnostic::Diagnostic;
use crate::environment::source_date_epoch;
use crate::interrupt::{CleanUp, Process};
use crate::output;
use crate::output::tell;
use crate::own_agent::own_agent_or_advice;
use crate::own_images;

/// The largest file system that is made: 16 TiB.
const MAX_SIZE: u64 = 16 << 40;

const TOO_LARGE: &str = "file systems are made up to 16TiB; ask for that or less";

/// The longest file that can be a password's hash, in bytes.
const MAX_PASSWORD_FILE: u64 = 4096;

/// The longest file that can be the guest's `/etc/resolv.conf`, in bytes.
const MAX_RESOLV_CONF: u64 = 64 << 10;

/// Builds what the arguments ask for, and reports it.
///
/// # Errors
/// When there is no root filesystem to report.
pub fn run(args: &RootfsArgs, common: &CommonArgs, process: &Process) -> Result<(), Diagnostic> {
    if args.script.clean == CleanArg::Help {
        return output::print("the groups of --clean", &script::clean_help());
    }
    let interruptible = CleanUp::when_interrupted(process, args.report(common)).map_err(Diagnostic::system)?;
    let (cancel, workspace) = (interruptible.cancel.clone(), process.workspace.clone());
    let options = Options { cancel, workspace, ..options(args)? };
    let events = progress::choose(common.quiet);
    if args.script.shell {
        let network = options.script.as_ref().map(|script| script.sandbox.world.network);
        if let Some(note) = network.and_then(nex_rootfs::network_note) {
            output::note(note.words(Setting::flag));
        }
        nex_rootfs::open_shell(&options, &events, &process.terminal)
            .map_err(|error| page_image::with_choices(error.into(), &options))?;
        tell("the shell has ended; nothing was written");
        return Ok(());
    }
    let report = nex_rootfs::build(&options, &events).map_err(|error| match (&options.output, &error) {
        (Destination::Stdout, Error::Output(OutputError::Io { cause, .. }))
            if cause.kind() == ErrorKind::BrokenPipe =>
        {
            Diagnostic::enough()
        }
        _ => page_image::with_choices(error.into(), &options),
    })?;
    drop(interruptible);
    print(&report, common.format, &options.output)
}

fn options(args: &RootfsArgs) -> Result<Options, Diagnostic> {
    // First what is wrong by itself.
    let (reference, output) = (Reference::parse(&args.image)?, Destination::new(&args.output)?);
    let size = size(args)?;
    let (file_system, verity) = (file_system(&args.file_system, size)?, verity(args)?);
    let (registry, source_date_epoch) = (args.registry.options()?, source_date_epoch()?);
    Ok(Options {
        reference,
        image: nex_image::Options {
            platform: args.platform.clone().unwrap_or_else(Platform::host),
            offline: args.offline,
            registry,
            limits: image_limits(&args.limits),
            cache: None,
            aside: None,
            installed: own_images::directories(),
        },
        agent: agent(args.agent.as_deref())?,
        agent_service: args.agent_service.service(),
        size,
        file_system,
        work_dir: Some(args.script.place.directory()),
        script: script::options(&args.script, args.limits.max_entries, args.hostname.as_ref(), source_date_epoch)?,
        output,
        digest: args.sha256,
        verity,
        source_date_epoch,
        guest: GuestOptions {
            hostname: args.hostname.clone(),
            resolv_conf: resolv_conf(&args.resolv_conf)?,
            pid1: args.agent_service.pid1(),
            root_password: args.root_password_file.as_deref().map(root_password).transpose()?,
        },
        boot_script: args.boot_script.as_deref().map(script::boot_script).transpose()?,
        limits: Limits {
            entries: args.limits.max_entries,
            headers: args.limits.max_headers,
            metadata: args.limits.max_metadata,
        },
        cache: if args.cache.no_cache { None } else { args.cache.place.options() },
        cancel: Cancel::never(),
        workspace: Workspace::default(),
    })
}

fn image_limits(args: &LimitArgs) -> nex_image::Limits {
    nex_image::Limits {
        document_bytes: args.max_manifest,
        layers: args.max_layers,
        uncompressed_bytes: args.max_unpacked,
        ratio: args.max_ratio,
        ..nex_image::Limits::default()
    }
}

fn size(args: &RootfsArgs) -> Result<Size, Diagnostic> {
    match (args.size, args.free) {
        (SizeArg::Auto, Some(free)) if free > MAX_SIZE => Err(Diagnostic::usage(TOO_LARGE)),
        (SizeArg::Auto, free) => Ok(Size::Auto { free }),
        (SizeArg::Bytes(bytes), None) if bytes > MAX_SIZE => Err(Diagnostic::usage(TOO_LARGE)),
        (SizeArg::Bytes(bytes), None) => size::whole_sectors(bytes).map(Size::Exact).map_err(Diagnostic::usage),
        (SizeArg::Bytes(_), Some(_)) => {
            Err(Diagnostic::usage("--free says how much room --size auto leaves; add --size auto, or leave --free out"))
        }
    }
}

fn file_system(args: &FileSystemArgs, size: Size) -> Result<FileSystemOptions, Diagnostic> {
    let journal = match args.journal_size {
        _ if args.no_journal => Journal::None,
        Some(size) => Journal::Blocks(size.div_ceil(BLOCK_SIZE)),
        None => Journal::Usual,
    };
    match (args.max_size, size) {
        (Some(max_size), _) if max_size > MAX_SIZE => return Err(Diagnostic::usage(TOO_LARGE)),
        (Some(max_size), Size::Exact(size)) if max_size < size => {
            return Err(Diagnostic::usage(format!(
                "--max-size {max_size} is below --size {size}; ask for that size or more"
            )));
        }
        _ => {}
    }
    let options = FileSystemOptions {
        inodes: args.inodes,
        journal,
        reserved: args.reserved,
        label: args.label.0,
        uuid: args.uuid,
        max_size: args.max_size,
    };
    options.check(size).map_err(|error| Diagnostic::of_argument(&error))?;
    Ok(options)
}

fn verity(args: &RootfsArgs) -> Result<Option<VerityPlace>, Diagnostic> {
    match &args.verity_file {
        Some(path) => match Destination::new(path.as_os_str())? {
            Destination::Stdout => Err(Diagnostic::usage(
                "the hash tree does not go to standard output; name a file with --verity-file, or append it with --verity",
            )),
            Destination::File { path, .. } if path.as_os_str() == args.output => Err(Diagnostic::usage(
                "--output and --verity-file name one file; name two, or append the hash tree with --verity",
            )),
            Destination::File { compression: Compression::None, path } => Ok(Some(VerityPlace::File(path))),
            Destination::File { .. } => Err(Diagnostic::usage(
                "the hash tree is not compressed, as hashes do not get shorter; give --verity-file a name without that ending",
            )),
        },
        None if args.verity => Ok(Some(VerityPlace::Appended)),
        None => Ok(None),
    }
}

fn agent(named: Option<&Path>) -> Result<ToRead, Diagnostic> {
    if let Some(path) = named {
        return Ok(path.into());
    }
    own_agent_or_advice()
}

/// What `/etc/resolv.conf` becomes. A file of one of the words' names is `./keep`.
fn resolv_conf(value: &Path) -> Result<ResolvConfSource, Diagnostic> {
    match value.to_str() {
        Some("auto") => return Ok(ResolvConfSource::Auto),
        Some("keep") => return Ok(ResolvConfSource::Keep),
        Some("kernel") => return Ok(ResolvConfSource::Kernel),
        _ => {}
    }
    let shown = value.display();
    let read = nex_file::read_regular_within(value, MAX_RESOLV_CONF).map_err(|error| {
        Diagnostic::new(INPUT, format!("cannot read the file '{shown}' of --resolv-conf")).caused(&error)
    })?;
    match read {
        Some(content) if name_servers(&content).next().is_some() => {
            Ok(ResolvConfSource::File { name: shown.to_string(), content })
        }
        Some(_) => Err(Diagnostic::new(INPUT, format!("the file '{shown}' of --resolv-conf names no server"))
            .hinting("give it a line such as 'nameserver 192.0.2.1'")),
        None => Err(Diagnostic::new(
            INPUT,
            format!("the file '{shown}' of --resolv-conf has more than {MAX_RESOLV_CONF} bytes"),
        )
        .hinting("name another one")),
    }
}

fn root_password(path: &Path) -> Result<Vec<u8>, Diagnostic> {
    let content = nex_file::read_given_within(path, MAX_PASSWORD_FILE).map_err(|error| {
        Diagnostic::new(INPUT, format!("cannot read the file '{}' of --root-password-file", path.display()))
            .caused(&error)
    })?;
    let content = content.unwrap_or_default();
    let hash = content.trim_ascii();
    if !may_be_asked_for(hash) {
        // It may be the password, which no message shows.
        let message = format!(
            "'{}' holds no password hash: one line as crypt(5) has it ($6$...), or ! or * for no password",
            path.display()
        );
        return Err(Diagnostic::new(INPUT, message)
            .hinting(format!("make one with 'openssl passwd -6 > {}'", shell_word(path))));
    }
    Ok(hash.to_vec())
}

/// The report goes to standard output, unless the image is there.
fn print(report: &Report, format: Format, destination: &Destination) -> Result<(), Diagnostic> {
    let text = match format {
        Format::Text => render::text(report),
        Format::Json => output::in_json(report)?,
    };
    let failed = || format!("the output '{destination}' is complete, but its report cannot be printed");
    match destination {
        Destination::Stdout => {
            output::write_error(&text).map_err(|error| Diagnostic::new(OUTPUT, failed()).caused(&error))
        }
        Destination::File { .. } => output::print_or(&text, failed),
    }
}
