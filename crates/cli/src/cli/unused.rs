//! Flags that were typed and say nothing, because of what else was typed.
//!
//! Where two flags can never go together, the library refuses them. What depends on a value is a warning: the build is the one that was
//! asked for all the same. A variable is no slip, so nothing is said of it.

use clap::{ArgMatches, Command};
use nex_image::Reference;

use super::given::is_given;
use super::{Cli, Command as NexCommand};
use crate::args::registry::RegistryArgs;

/// Warnings of flags that were typed for nothing.
pub fn warnings(cli: &Cli, leaf: &Command, matches: &ArgMatches) -> Vec<String> {
    let NexCommand::Rootfs(rootfs) = &cli.command else { return Vec::new() };
    if rootfs.action.is_some() {
        return Vec::new();
    }
    let why = match Reference::parse(&rootfs.build.image) {
        // What is no reference is refused. With --offline, the same command may just have been given without it.
        Ok(Reference::Registry(_)) | Err(_) => return Vec::new(),
        Ok(other) => format!("the image {other} comes from no registry"),
    };
    let flags: Vec<_> = of_group::<RegistryArgs>(leaf, matches).collect();
    let verb = if flags.len() == 1 { "has" } else { "have" };
    let warning = (!flags.is_empty()).then(|| format!("{} {verb} no effect: {why}", flags.join(", ")));
    warning.into_iter().collect()
}

/// The flags of a group that were typed.
fn of_group<'a, A: clap::Args>(leaf: &'a Command, matches: &'a ArgMatches) -> impl Iterator<Item = String> + 'a {
    let group = A::group_id().and_then(|id| leaf.get_groups().find(|group| *group.get_id() == id));
    let flags = leaf
        .get_arguments()
        .filter(move |flag| group.is_some_and(|group| group.get_args().any(|id| id == flag.get_id())));
    flags.filter(|flag| is_given(flag, matches)).filter_map(|flag| Some(format!("--{}", flag.get_long()?)))
}
