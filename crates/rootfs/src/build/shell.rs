//! A build that ends in a shell: everything up to the setup scripts, and nothing after them.

use std::sync::Arc;

use nex_image::{Progress, ReadAhead};
use nex_terminal::Terminal;

use super::stages::Build;
use super::{Options, cancelled, left_behind, open_image};
use crate::agent_file::AgentFile;
use crate::error::Error;
use crate::events::Events;
use crate::script::ScriptOptions;

/// Runs the setup scripts as a build does, and then a shell on the terminal where they have ended, well or not. Nothing is
/// published: what is typed cannot be typed again by the next build.
///
/// # Errors
/// When a script cannot run or fails, or there is no terminal or no shell.
pub fn open_shell(options: &Options, events: &Arc<dyn Events>, terminal: &Terminal) -> Result<(), Error> {
    left_behind(options).iter().for_each(|note| events.note(note));
    attempt(options, events, terminal).map_err(|error| cancelled(options, error))
}

fn attempt(options: &Options, events: &Arc<dyn Events>, terminal: &Terminal) -> Result<(), Error> {
    let agent = AgentFile::open(&options.agent)?;
    options.script.as_ref().map_or(Ok(()), ScriptOptions::check).map_err(Error::Script)?;
    // As in a build, content goes where the output would be.
    let unfinished = options.output.create(&options.workspace)?;
    let image = open_image(options, &unfinished, None)?;
    let mut build = Build::new(options, &image, &agent, &unfinished)?;
    let layers = Vec::from_iter(0..image.layers.len());
    let mut ahead = ReadAhead::new(&image, &layers, Arc::clone(events) as Arc<dyn Progress>);
    for index in layers {
        build.add_layer(index, None, &mut ahead)?;
    }
    if build.writer.is_past_limit() {
        return Err(build.no_room());
    }
    build.check_root()?;
    match &options.script {
        Some(script) => build.shell(script, unfinished.file(), events.as_ref(), terminal),
        None => Ok(()),
    }
}
