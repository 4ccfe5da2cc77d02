//! The build, from a reference to a published image: resolve, place and merge, dress, finish, publish.

mod finish;
mod layers;
mod shell;
mod stages;

use std::path::PathBuf;
use std::sync::Arc;

use nex_cache::{Cache, CacheOptions};
use nex_cancel::{Cancel, Cancelled, Workspace};
use nex_contract::Document;
use nex_ext4::Size;
use nex_fault::{Note, whole};
use nex_file::to_read::ToRead;
use nex_image::{BlobCache, Image, LayerError, Progress, ReadAhead, Reference};

use crate::agent_file::AgentFile;
use crate::blob_cache::CachedBlobs;
use crate::error::Error;
use crate::events::Events;
use crate::file_system::FileSystemOptions;
use crate::guest::{AgentService, BootScript, Hostname, Pid1, ResolvConfSource};
use crate::leftovers;
use crate::output::{Destination, HashFile, Publication, Unfinished, WriteBack};
use crate::phases::Phases;
use crate::place::Limits;
use crate::report::{AgentServiceReport, ImageReport, Report, Usage, VerityReport};
use crate::script::ScriptOptions;
use crate::verity;
use layers::LayerCache;
pub use shell::open_shell;
use stages::Build;

/// What to build from what.
pub struct Options {
    /// The image.
    pub reference: Reference,
    /// How to get it, and for which platform.
    pub image: nex_image::Options,
    /// The program that becomes the agent.
    pub agent: ToRead,
    /// How it is started in the guest.
    pub agent_service: AgentService,
    /// How large the file system becomes.
    pub size: Size,
    /// Its parts and names.
    pub file_system: FileSystemOptions,
    /// What to run in the image.
    pub script: Option<ScriptOptions>,
    /// Where setup scripts lay out their trees: each build, with a script or without, removes what killed ones have left there.
    pub work_dir: Option<PathBuf>,
    /// Where it goes.
    pub output: Destination,
    /// Whether the report names the output's SHA-256. All of the output has to be read for it, holes too.
    pub digest: bool,
    /// Where the hash tree of dm-verity goes, if one is wanted.
    pub verity: Option<verity::Place>,
    /// The time of everything that the image does not bring, in seconds since 1970; else the image's creation time.
    pub source_date_epoch: Option<i64>,
    /// The guest's name and root's password.
    pub guest: GuestOptions,
    /// What the guest runs at every boot.
    pub boot_script: Option<BootScript>,
    /// Bounds on what the image may bring.
    pub limits: Limits,
    /// Where layers are kept for later builds, if they are.
    pub cache: Option<CacheOptions>,
    /// Cancels the build.
    pub cancel: Cancel,
    /// Notes what the build would leave behind if it did not come to its end.
    pub workspace: Workspace,
}

/// What the user decides about the guest.
#[derive(Clone, Debug, Default)]
pub struct GuestOptions {
    /// The guest's name; else the image's.
    pub hostname: Option<Hostname>,
    /// What `/etc/resolv.conf` becomes.
    pub resolv_conf: ResolvConfSource,
    /// Who is process 1 once the guest is up.
    pub pid1: Pid1,
    /// The hash of root's password, as crypt(5) makes it; else root has none and cannot log in with one.
    pub root_password: Option<Vec<u8>>,
}

/// Builds a root filesystem and publishes it.
///
/// # Errors
/// When there is none; the output is then as it was before. [`Error::Cancelled`] when the build was cancelled: nothing of it is left
/// then.
pub fn build(options: &Options, events: &Arc<dyn Events>) -> Result<Report, Error> {
    let (cache, cache_note) = match options.cache.as_ref().map(Cache::open).transpose() {
        Ok(cache) => (cache, None),
        Err(error) => (None, Some(Note::of(&error).about("built without a cache"))),
    };
    let left_behind = left_behind(options);
    let built = attempt(options, events, cache.as_ref());
    match built.or_else(|error| begin_again(error, options, events, cache.as_ref())) {
        Ok(mut report) => {
            report.notes.extend(left_behind.into_iter().chain(cache_note));
            Ok(report)
        }
        Err(error) => {
            // There is no report that could tell. Who cancels a build does not ask.
            if !options.cancel.is_cancelled() {
                left_behind.iter().for_each(|note| events.note(note));
            }
            Err(cancelled(options, error))
        }
    }
}

/// Notes on what killed builds have left and nobody can remove; the rest of it is removed.
fn left_behind(options: &Options) -> Vec<Note> {
    leftovers::remove_trees(options.work_dir.as_deref(), &options.cancel, &options.workspace)
}

/// After a failure that may be the fault of what the cache gave: builds without that. Whatever a cache holds, a build ends as it
/// would without one.
fn begin_again(
    failure: Error,
    options: &Options,
    events: &Arc<dyn Events>,
    cache: Option<&Cache>,
) -> Result<Report, Error> {
    let Some(cache) = cache.filter(|_| !options.cancel.is_cancelled()) else { return Err(failure) };
    let may_be_of_the_cache = match &failure {
        Error::Cached { shelf, key, what } => {
            cache.discard(*shelf, key, what);
            cache.give_nothing(None);
            return attempt(options, events, Some(cache));
        }
        // What only layers that contradict each other, or the limits, can lead to.
        Error::Layer { .. } | Error::Dress(_) | Error::Links(_) | Error::Ext4(_) => true,
        Error::Image(error) => {
            matches!(**error, nex_image::Error::Layer { problem: LayerError::TooManyBytes { .. }, .. })
        }
        _ => false,
    };
    if !may_be_of_the_cache || !cache.has_given() {
        return Err(failure);
    }
    cache.give_nothing(Some(whole(&failure)));
    attempt(options, events, Some(cache)).map_err(|_| failure)
}

/// A failure, as the cancellation's doing if there was one: what fails of what is taken away says nothing.
fn cancelled(options: &Options, failure: Error) -> Error {
    options.cancel.check().map_or_else(Error::Cancelled, |()| failure)
}

/// Builds, with what the cache gives.
fn attempt(options: &Options, events: &Arc<dyn Events>, cache: Option<&Cache>) -> Result<Report, Error> {
    options.cancel.check()?;
    let mut phases = Phases::start("resolve");
    let agent = AgentFile::open(&options.agent)?;
    options.script.as_ref().map_or(Ok(()), ScriptOptions::check).map_err(Error::Script)?;
    let unfinished = options.output.create(&options.workspace)?;
    let hash_file = match &options.verity {
        Some(verity::Place::File(path)) => Some(HashFile::create(path, &options.output, &options.workspace)?),
        Some(verity::Place::Appended) | None => None,
    };
    let blobs = cache.map(|cache| Arc::new(CachedBlobs(cache.clone())) as Arc<dyn BlobCache>);
    let image = open_image(options, &unfinished, blobs)?;
    agent.program.check_platform(image.platform.architecture())?;

    phases.next("layers");
    let write_back = WriteBack::start(unfinished.file()).map_err(|cause| options.output.error(cause))?;
    let mut build = Build::new(options, &image, &agent, &unfinished)?;
    let layers = cache.map(|cache| LayerCache::new(cache, &build, unfinished.file())).transpose();
    let mut layers = layers.map_err(|cause| options.output.error(cause))?;
    let missing = layers.as_ref().map(|layers| layers.missing(&image.layers));
    let missing = missing.unwrap_or_else(|| Vec::from_iter(0..image.layers.len()));
    let mut ahead = ReadAhead::new(&image, &missing, Arc::clone(events) as Arc<dyn Progress>);
    for index in 0..image.layers.len() {
        if build.add_layer(index, layers.as_mut(), &mut ahead)? {
            events.layer_cached(index);
        }
    }
    // From here on, what is deleted may be punched out of the image.
    layers.iter_mut().for_each(LayerCache::wait);
    let machine_note = build.check_root()?;

    let script = match &options.script {
        Some(script) => {
            phases.next("script");
            if build.writer.is_past_limit() {
                // The scripts would find zeros where there was no room for content.
                return Err(build.no_room());
            }
            Some(build.run_script(script, unfinished.file(), cache, events.as_ref())?)
        }
        None => None,
    };

    phases.next("guest");
    let wiring = match build.dress() {
        Ok(wiring) => wiring,
        // Content past the size was only counted. What is missed in it is missed for want of space.
        Err(error) => return Err(build.too_small().unwrap_or(error)),
    };

    options.cancel.check()?;
    phases.next("metadata");
    let mut notes = build.notes(wiring.notes, script.as_ref());
    notes.extend(machine_note);
    notes.extend(build.split_links()?);
    let (file_system, layer_reports, identity) = build.finish()?;
    let verity = options.verity.as_ref().map(|_| verity::Parameters {
        data_blocks: file_system.block_count,
        salt: identity.verity_salt,
        uuid: identity.verity_uuid,
    });

    phases.next("output");
    write_back.finish().map_err(|cause| options.output.error(cause))?;
    let publication = Publication {
        image: unfinished,
        digest: options.digest,
        verity: verity.clone(),
        hash_file,
        events: events.as_ref(),
        cancel: &options.cancel,
        workspace: &options.workspace,
    };
    let published = publication.publish(&options.output)?;
    let script = script.map(|ran| ran.finish(&mut notes));
    let verity = verity_report(options, verity.as_ref(), published.root_hash.as_ref());
    if let Some(cache) = cache {
        phases.next("cache");
        drop(layers);
        notes.extend(cache.finish());
    }
    Ok(Report {
        schema_version: Document::RootFs.schema_version(),
        output: options.output.to_string(),
        sha256: published.sha256,
        output_bytes: published.bytes,
        size: match (&options.verity, &verity) {
            // The file ends with the tree, and the file system where the tree begins.
            (Some(verity::Place::Appended), Some(verity)) => verity.hash_offset,
            _ => file_system.size,
        },
        used: Usage::new(
            file_system.block_count - file_system.free_blocks,
            file_system.inode_count - file_system.free_inodes,
        ),
        free: Usage::new(file_system.free_blocks, file_system.free_inodes),
        uuid: identity.uuid.to_string(),
        verity,
        image: ImageReport {
            reference: image.name.clone(),
            digest: image.manifest_digest.as_ref().map(ToString::to_string),
            platform: image.platform.to_string(),
            layers: layer_reports,
        },
        script,
        boot_script: options.boot_script.as_ref().map(|script| script.name.clone()),
        agent: agent.report,
        agent_service: AgentServiceReport::new(&options.agent_service, &wiring.user),
        started_by: wiring.started_by,
        pid1: options.guest.pid1,
        resolv_conf: wiring.resolv_conf,
        notes,
        phases: phases.finish(),
    })
}

/// Finds the image. Once the build is cancelled, nobody waits for a server or a pipe that gives nothing of it.
fn open_image(options: &Options, output: &Unfinished, cache: Option<Arc<dyn BlobCache>>) -> Result<Image, Error> {
    // What is not cached goes where the output will be.
    let aside = Some(output.directory().to_owned());
    let (reference, image) = (options.reference.clone(), nex_image::Options { cache, aside, ..options.image.clone() });
    let opened = options.cancel.run_aside(move || nex_image::open(&reference, &image));
    let opened = opened.map_err(|source| match Cancelled::is_cause_of(&source) {
        true => Error::Cancelled(Cancelled),
        false => nex_image::Error::Io { action: "start", place: "a thread for the image".into(), source }.into(),
    });
    Ok(opened??)
}

/// What the report says about the hash tree.
fn verity_report(
    options: &Options,
    parameters: Option<&verity::Parameters>,
    root_hash: Option<&verity::RootHash>,
) -> Option<VerityReport> {
    Some(verity::report(parameters?, root_hash?, options.verity.as_ref()?, &options.output.image_name()))
}
