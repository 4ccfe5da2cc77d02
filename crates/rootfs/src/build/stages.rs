//! A build under way, and its stages between the layers and the metadata.

use std::fs::File;
use std::os::unix::ffi::OsStrExt;

use nex_cache::{Cache, Shelf};
use nex_contract::BOOT_SCRIPT;
use nex_ext4::{Timestamp, Writer};
use nex_fault::Note;
use nex_image::Image;
use nex_terminal::Terminal;
use nex_text::name;

use super::Options;
use crate::agent_file::AgentFile;
use crate::dress::{DressError, dress};
use crate::error::Error;
use crate::events::Events;
use crate::foreign;
use crate::guest::{self, Init, Wiring, wire};
use crate::links::{self, LinkError, Split};
use crate::merge::Merge;
use crate::output::Unfinished;
use crate::place::Placed;
use crate::report::LayerReport;
use crate::script::{self, Bounds, Ran, ScriptCache, ScriptError, ScriptOptions};
use crate::verity;
use crate::view::MergedView;

/// A build under way.
pub struct Build<'a> {
    /// What is asked for.
    pub options: &'a Options,
    /// The image.
    pub image: &'a Image,
    /// The agent.
    pub agent: &'a AgentFile,
    /// The time of everything that the image does not bring.
    pub time: Timestamp,
    /// Where content goes.
    pub writer: Writer,
    /// Where names go.
    pub merge: Merge,
    /// What all layers have brought.
    pub placed: Placed,
    /// The layers so far.
    pub layers: Vec<LayerReport>,
}

impl<'a> Build<'a> {
    /// Begins in an empty output.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn new(
        options: &'a Options,
        image: &'a Image,
        agent: &'a AgentFile,
        output: &Unfinished,
    ) -> Result<Self, Error> {
        let file = output.file().try_clone().map_err(|cause| options.output.error(cause))?;
        let seconds = options.source_date_epoch.or(image.config.created).unwrap_or(0);
        let time = Timestamp { seconds, nanoseconds: 0 };
        let writer =
            Writer::new(file, &options.file_system.layout(options.size)).map_err(|error| ext4_error(options, error))?;
        let merge = Merge::new(time);
        Ok(Self { options, image, agent, time, writer, merge, placed: Placed::default(), layers: Vec::new() })
    }

    /// Whether the layers have made a root filesystem for the platform; a note where that is doubtful.
    ///
    /// # Errors
    /// When it is no root filesystem, or one for other processors.
    pub fn check_root(&self) -> Result<Option<Note>, Error> {
        if self.writer.is_past_limit() {
            // What there was no room for cannot be looked at, and is an error of its own.
            return Ok(None);
        }
        let view = MergedView { tree: self.merge.tree(), writer: &self.writer };
        foreign::refuse_images(&view, &self.options.reference)?;
        let architecture = self.image.platform.architecture();
        Ok(foreign::check_processor(&view, &self.options.reference, architecture)?)
    }

    /// Runs the setup scripts in what the layers have made.
    ///
    /// # Errors
    /// When a script fails, or the output cannot be written.
    pub fn run_script(
        &mut self,
        script: &ScriptOptions,
        image: &File,
        cache: Option<&Cache>,
        events: &dyn Events,
    ) -> Result<Ran, Error> {
        let cache = cache.map(|cache| ScriptCache { cache, base: self.base() });
        let script = script.above(&self.image.config.env);
        let bytes = self.options.image.limits.uncompressed_bytes;
        let bounds = Bounds { limits: self.options.limits, placed: self.placed, bytes, brought: 0 };
        let context = self.context(image, events);
        let ran = script::run(&script, &context, &mut self.writer, &mut self.merge, bounds, cache.as_ref());
        let ran = ran.map_err(|error| script_error(self.options, error))?;
        self.placed.blocks += ran.blocks;
        Ok(ran)
    }

    /// What scripts run in.
    fn context<'b>(&self, image: &'b File, events: &'b dyn Events) -> script::Context<'b>
    where
        'a: 'b,
    {
        let Options { cancel, workspace, .. } = self.options;
        script::Context { image, events, cancel, workspace }
    }

    /// Everything that decides the tree so far.
    fn base(&self) -> Vec<String> {
        let is_plain = self.options.reference.is_root_filesystem();
        let form = format!("{}, plain {is_plain}, time {}", self.image.platform, self.time.seconds);
        std::iter::once(form).chain(self.layers.iter().map(|layer| layer.diff_id.clone())).collect()
    }

    /// Runs the setup scripts, and a shell after them.
    ///
    /// # Errors
    /// When a script fails, or there is no terminal or no shell.
    pub fn shell(
        &mut self,
        script: &ScriptOptions,
        image: &File,
        events: &dyn Events,
        terminal: &Terminal,
    ) -> Result<(), Error> {
        let script = script.above(&self.image.config.env);
        let context = self.context(image, events);
        let ended = script::shell(&script, &context, &mut self.writer, &self.merge, terminal);
        ended.map_err(|error| script_error(self.options, error))
    }

    /// Adds the agent and what it needs to be started.
    ///
    /// # Errors
    /// When the image and the agent do not fit, or the output cannot be written.
    pub fn dress(&mut self) -> Result<Wiring, Error> {
        let view = MergedView { tree: self.merge.tree(), writer: &self.writer };
        self.agent.program.check_in(&view)?;
        let guest = guest::Options {
            hostname: self.options.guest.hostname.clone(),
            resolv_conf: self.options.guest.resolv_conf.clone(),
            agent_is_ours: self.agent.speech.unfit().is_none(),
            agent_service: self.options.agent_service.clone(),
            root_password: self.options.guest.root_password.clone(),
            config: image_config(&self.image.config),
            pid1: self.options.guest.pid1,
            volumes: self.image.config.volumes.clone(),
            boot_script: self.options.boot_script.clone(),
        };
        let mut wiring = wire(&view, &guest)?;
        if guest.boot_script.is_some() && wiring.init == Init::Agent && !self.agent.mentions(BOOT_SCRIPT)? {
            wiring.notes.push(Note::new(format!(
                "the agent is the init, and nothing in it mentions {BOOT_SCRIPT}: it may not run the boot script"
            )));
        }
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
    pub fn notes(&self, mut notes: Vec<Note>, script: Option<&Ran>) -> Vec<Note> {
        let mirror = self.image.mirror.iter();
        notes.extend(mirror.map(|mirror| Note::new(format!("the image comes from the mirror {mirror}"))));
        let installed = self.image.installed.iter().map(|file| name(file.as_os_str().as_bytes()));
        notes.extend(installed.map(|file| Note::new(format!("the image comes from {file}"))));
        notes.extend(script.into_iter().flat_map(|ran| ran.report.notes.clone()));
        if self.placed.foreign_xattrs > 0 {
            notes.push(Note::new(format!(
                "{} extended attributes were left out: of namespaces that ext4 does not have, or access lists with names and no numbers",
                self.placed.foreign_xattrs
            )));
        }
        if self.options.verity.is_some() {
            notes.push(verity::guest_needs());
        }
        notes
    }

    /// Copies files with more names than ext4 counts; gives a note on each.
    ///
    /// # Errors
    /// When the copies take too much, or the output cannot be written.
    pub fn split_links(&mut self) -> Result<Vec<Note>, Error> {
        let limit = self.options.image.limits.uncompressed_bytes;
        let splits = links::split(self.merge.tree_mut(), &mut self.writer, limit).map_err(|error| match error {
            LinkError::Output(error) => ext4_error(self.options, error),
            error => Error::Links(error),
        })?;
        self.placed.blocks += splits.iter().map(|split| split.blocks).sum::<u64>();
        Ok(splits.iter().map(Split::note).collect())
    }
}

/// A failing disk is the output's fault, and told in its terms.
pub fn ext4_error(options: &Options, error: nex_ext4::Error) -> Error {
    match error {
        nex_ext4::Error::Io { source, .. } => Error::Output(options.output.error(source)),
        error => Error::of_ext4(error),
    }
}

fn script_error(options: &Options, error: ScriptError) -> Error {
    match error {
        ScriptError::Output(error) => ext4_error(options, error),
        ScriptError::CachedRun { key, what } => Error::Cached { shelf: Shelf::Scripts, key, what },
        error => Error::Script(error),
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
        pid1: guest::Pid1::default(),
    }
}
