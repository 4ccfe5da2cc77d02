//! The build, from a reference to a published image: resolve, place and merge, dress, finish, publish.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use nex_ext4::{Size, Timestamp, Writer};
use nex_image::{Image, LayerReader, Progress, Reference};

use crate::agent_file::AgentFile;
use crate::dress::{DressError, dress};
use crate::error::{Error, TooSmall};
use crate::events::Events;
use crate::file_system::FileSystemOptions;
use crate::guest::{self, Wiring, wire};
use crate::identity::Identity;
use crate::layer::TarError;
use crate::links::{self, LinkError, Split};
use crate::merge::Merge;
use crate::output::{Destination, HashFile, Publication, Unfinished, WriteBack};
use crate::phases::Phases;
use crate::place::{Limits, PlaceCause, PlaceError, Placed, Rules, place_layer};
use crate::report::{ImageReport, LayerReport, Report, SCHEMA_VERSION, Usage, VerityReport};
use crate::script::{self, Ran, ScriptError, ScriptOptions};
use crate::usage::{TreeUsage, largest_directories, largest_layers};
use crate::verity;
use crate::view::MergedView;

/// What to build from what.
pub struct Options {
    /// The image.
    pub reference: Reference,
    /// How to get it, and for which platform.
    pub image: nex_image::Options,
    /// The program that becomes the agent.
    pub agent: PathBuf,
    /// How large the file system becomes.
    pub size: Size,
    /// Its parts and names.
    pub file_system: FileSystemOptions,
    /// What to run in the image.
    pub script: Option<ScriptOptions>,
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
    /// Bounds on what the image may bring.
    pub limits: Limits,
}

/// What the user decides about the guest.
#[derive(Clone, Debug, Default)]
pub struct GuestOptions {
    /// The guest's name; else the image's.
    pub hostname: Option<String>,
    /// The hash of root's password, as crypt(5) makes it; else root has none and cannot log in with one.
    pub root_password: Option<Vec<u8>>,
}

/// Builds a root filesystem and publishes it.
///
/// # Errors
/// When there is none; the output is then as it was before.
pub fn build(options: &Options, events: &Arc<dyn Events>) -> Result<Report, Error> {
    let mut phases = Phases::start("resolve");
    let agent = AgentFile::open(&options.agent)?;
    let unfinished = options.output.create()?;
    let hash_file = match &options.verity {
        Some(verity::Place::File(path)) => Some(HashFile::create(path, &options.output)?),
        Some(verity::Place::Appended) | None => None,
    };
    let image = nex_image::open(&options.reference, &options.image)?;
    agent.program.check_platform(image.platform.architecture())?;

    phases.next("layers");
    let write_back = WriteBack::start(unfinished.file()).map_err(|cause| options.output.error(cause))?;
    let mut build = Build::new(options, &image, &agent, &unfinished)?;
    for index in 0..image.layers.len() {
        build.place_layer(index, Arc::clone(events) as Arc<dyn Progress>)?;
    }

    let script = match &options.script {
        Some(script) => {
            phases.next("script");
            if build.writer.is_past_limit() {
                // The scripts would find zeros where there was no room for content.
                let full = || Error::Output(options.output.error(io::ErrorKind::StorageFull.into()));
                return Err(build.too_small().unwrap_or_else(full));
            }
            Some(build.run_script(script, unfinished.file(), events.as_ref())?)
        }
        None => None,
    };

    phases.next("guest");
    let wiring = match build.dress() {
        Ok(wiring) => wiring,
        // Content past the size was only counted. What is missed in it is missed for want of space.
        Err(error) => return Err(build.too_small().unwrap_or(error)),
    };

    phases.next("metadata");
    let mut notes = build.notes(wiring.notes, script.as_ref());
    notes.extend(build.split_links()?);
    let (file_system, layers, identity) = build.finish()?;
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
    };
    let published = publication.publish(&options.output)?;
    let script = script.map(|ran| ran.finish(&mut notes));
    let verity = verity_report(options, verity.as_ref(), published.root_hash.as_ref());
    Ok(Report {
        schema_version: SCHEMA_VERSION,
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
            layers,
        },
        script,
        agent: agent.report,
        started_by: wiring.started_by,
        notes,
        phases: phases.finish(),
    })
}

/// A build under way.
struct Build<'a> {
    options: &'a Options,
    image: &'a Image,
    agent: &'a AgentFile,
    time: Timestamp,
    writer: Writer,
    merge: Merge,
    placed: Placed,
    layers: Vec<LayerReport>,
    /// The digest of what the setup scripts brought.
    script_digest: Option<String>,
}

impl<'a> Build<'a> {
    fn new(options: &'a Options, image: &'a Image, agent: &'a AgentFile, output: &Unfinished) -> Result<Self, Error> {
        let file = output.file().try_clone().map_err(|cause| options.output.error(cause))?;
        let seconds = options.source_date_epoch.or(image.config.created).unwrap_or(0);
        let time = Timestamp { seconds, nanoseconds: 0 };
        let writer =
            Writer::new(file, &options.file_system.layout(options.size)).map_err(|error| ext4_error(options, error))?;
        let merge = Merge::new(time);
        Ok(Self {
            options,
            image,
            agent,
            time,
            writer,
            merge,
            placed: Placed::default(),
            layers: Vec::new(),
            script_digest: None,
        })
    }

    fn place_layer(&mut self, index: usize, progress: Arc<dyn Progress>) -> Result<(), Error> {
        let mut reader = self.image.open_layer(index, progress)?;
        let is_plain = matches!(self.options.reference, Reference::Tar(_) | Reference::Directory(_));
        let rules = Rules { limits: self.options.limits, whiteouts: !is_plain };
        let result = place_layer(&mut reader, &mut self.writer, &mut self.merge, &mut self.placed, &rules);
        let entries = match result {
            Ok(entries) => entries,
            Err(error) => return Err(self.layer_error(index, reader, error)),
        };
        let summary = reader.finish()?;
        self.layers.push(LayerReport {
            digest: summary.digest.to_string(),
            diff_id: summary.diff_id.to_string(),
            bytes: summary.compressed,
            tar_bytes: summary.uncompressed,
            entries,
            created_by: self.image.layers[index].created_by.clone(),
        });
        Ok(())
    }

    /// A layer whose bytes are not what they should be is the cause of whatever else is wrong with it.
    fn layer_error(&self, index: usize, reader: LayerReader, error: PlaceError) -> Error {
        let PlaceError { number, path, cause } = error;
        let cause = match cause {
            PlaceCause::Tar(TarError::Read(cause)) => match cause.downcast::<nex_image::Error>() {
                Ok(error) => return Error::Image(error),
                Err(cause) => PlaceCause::Tar(TarError::Read(cause)),
            },
            PlaceCause::Tar(cause) => match reader.finish() {
                Err(error) => return Error::Image(error),
                Ok(_) => PlaceCause::Tar(cause),
            },
            PlaceCause::Output(error @ nex_ext4::Error::Io { .. }) => return ext4_error(self.options, error),
            cause => cause,
        };
        let layer = &self.image.layers[index];
        let digest =
            layer.digest.as_ref().or(layer.diff_id.as_ref()).map_or_else(String::new, |digest| format!(" ({digest})"));
        Error::Layer { number: index + 1, digest, cause: PlaceError { number, path, cause } }
    }

    /// Runs the setup scripts in what the layers have made.
    fn run_script(&mut self, script: &ScriptOptions, image: &File, events: &dyn Events) -> Result<Ran, Error> {
        let ran =
            script::run(script, image, &mut self.writer, &mut self.merge, events).map_err(|error| match error {
                ScriptError::Output(error) => ext4_error(self.options, error),
                error => Error::Script(error),
            })?;
        self.placed.blocks += ran.blocks;
        self.script_digest = Some(ran.digest.clone());
        Ok(ran)
    }

    fn dress(&mut self) -> Result<Wiring, Error> {
        let view = MergedView { tree: self.merge.tree(), writer: &self.writer };
        self.agent.program.check_in(&view)?;
        let guest = guest::Options {
            hostname: self.options.guest.hostname.clone(),
            root_password: self.options.guest.root_password.clone(),
            config: image_config(&self.image.config),
        };
        let mut wiring = wire(&view, &guest)?;
        let changes = std::mem::take(&mut wiring.changes);
        let blocks =
            dress(changes, self.agent, self.time, &mut self.writer, &mut self.merge).map_err(|error| match error {
                DressError::Output(error) => ext4_error(self.options, error),
                error => Error::Dress(error),
            })?;
        self.placed.blocks += blocks;
        Ok(wiring)
    }

    /// What the wiring has to say, and what was left out.
    fn notes(&self, mut notes: Vec<String>, script: Option<&Ran>) -> Vec<String> {
        notes.extend(script.into_iter().flat_map(|ran| ran.report.notes.clone()));
        if self.placed.foreign_xattrs > 0 {
            notes.push(format!(
                "{} extended attributes of namespaces that ext4 does not have were left out",
                self.placed.foreign_xattrs
            ));
        }
        if self.options.verity.is_some() {
            notes.push(verity::GUEST_NEEDS.into());
        }
        notes
    }

    /// Copies files with more names than ext4 counts; gives a note on each.
    fn split_links(&mut self) -> Result<Vec<String>, Error> {
        let limit = self.options.image.limits.uncompressed_bytes;
        let splits = links::split(self.merge.tree_mut(), &mut self.writer, limit).map_err(|error| match error {
            LinkError::Output(error) => ext4_error(self.options, error),
            error => Error::Links(error),
        })?;
        self.placed.blocks += splits.iter().map(|split| split.blocks).sum::<u64>();
        Ok(splits.iter().map(Split::note).collect())
    }

    /// The error that finishing would give, if it is that the content does not fit.
    fn too_small(self) -> Option<Error> {
        self.finish().err().filter(|error| matches!(error, Error::TooSmall(_)))
    }

    /// Everything that decides a byte of the image.
    fn identity(&self) -> Identity {
        let inputs = [
            self.image.platform.to_string(),
            self.agent.report.sha256.clone(),
            self.time.seconds.to_string(),
            format!("{:?}", self.options.size),
            format!("{:?}", self.options.guest),
            format!("{:?}", image_config(&self.image.config)),
        ];
        let diff_ids = self.layers.iter().map(|layer| &layer.diff_id);
        let file_system = self.options.file_system.identity();
        let script = &self.script_digest;
        Identity::of(inputs.iter().chain(diff_ids).chain(&file_system).chain(script).map(String::as_str))
    }

    fn finish(self) -> Result<(nex_ext4::Report, Vec<LayerReport>, Identity), Error> {
        let file_system = &self.options.file_system;
        let derived = self.identity();
        let identity = Identity { uuid: file_system.uuid.unwrap_or(derived.uuid), ..derived };
        let options = nex_ext4::Options {
            sizes: file_system.sizes(self.options.size),
            uuid: identity.uuid.into_bytes(),
            hash_seed: identity.hash_seed,
            label: file_system.label,
            time: self.time.seconds,
        };
        let tree = self.merge.into_tree();
        match self.writer.finish(&tree, &options) {
            Ok((_, report)) => Ok((report, self.layers, identity)),
            Err(nex_ext4::Error::TooSmall { needed, size }) => {
                let usage = TreeUsage::of(&tree);
                Err(Error::TooSmall(Box::new(TooSmall {
                    needed,
                    size,
                    content: usage.blocks * nex_ext4::BLOCK_SIZE,
                    inodes: usage.inodes.max(file_system.inodes.unwrap_or(0)),
                    journal: file_system.journal_bytes(),
                    deleted: self.placed.blocks.saturating_sub(usage.blocks) * nex_ext4::BLOCK_SIZE,
                    directories: largest_directories(&tree),
                    layers: largest_layers(&self.layers),
                })))
            }
            Err(error) => Err(ext4_error(self.options, error)),
        }
    }
}

/// What the report says about the hash tree.
fn verity_report(
    options: &Options,
    parameters: Option<&verity::Parameters>,
    root_hash: Option<&verity::RootHash>,
) -> Option<VerityReport> {
    Some(verity::report(parameters?, root_hash?, options.verity.as_ref()?, &options.output.image_name()))
}

/// A failing disk is the output's fault, and told in its terms.
fn ext4_error(options: &Options, error: nex_ext4::Error) -> Error {
    match error {
        nex_ext4::Error::Io { source, .. } => Error::Output(options.output.error(source)),
        error => Error::of_ext4(error),
    }
}

/// What the guest is told about the image's workload.
fn image_config(config: &nex_image::Config) -> guest::ImageConfig {
    guest::ImageConfig {
        entrypoint: config.entrypoint.clone(),
        cmd: config.cmd.clone(),
        env: config.env.clone(),
        user: config.user.clone(),
        working_dir: config.working_dir.clone(),
        stop_signal: config.stop_signal.clone(),
        labels: config.labels.clone(),
        exposed_ports: config.exposed_ports.iter().cloned().collect(),
    }
}
