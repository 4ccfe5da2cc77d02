//! How a guest's programs are reached from outside.

use std::path::Path;

use nex_contract::{AGENT, ChannelStreams, ImageConfig, Pid1, Stdin, Streams, Terminal};
use nex_diagnose::ImageRoot;
use nex_guest::{ChannelWish, Root};
use nex_inspect::RootFs;
use nex_program::Speech;

use crate::command::Overrides;

/// How a guest's programs are reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Not at all, for this reason: the output of the guest's program comes as the agent's lines.
    Without(String),
    /// By the channel, but for the guest's own program, whose output comes as the agent's lines.
    Others,
    /// By the channel. The guest's own program has this standard input.
    All(Stdin),
}

impl Reach {
    /// That of a guest with this root filesystem, which runs this program of the host's, or the image's own.
    pub fn of(root: &Root, program: Option<&Path>, overrides: &Overrides) -> Self {
        let without = |why: &str| Self::Without(why.to_owned());
        let Ok(root) = root.read() else { return without("its root filesystem cannot be read") };
        if program.is_none() && is_process_one(&root) {
            return without("its program is process 1, where the agent would be");
        }
        if !Speech::of(&root, AGENT.as_bytes()).is_some_and(|speech| speech.serves_channel()) {
            return without("the agent of its root filesystem does not serve one");
        }
        if overrides.are_interactive() { Self::All(overrides.stdin) } else { Self::Others }
    }

    /// Whether the guest has a channel.
    pub fn wish(&self) -> ChannelWish {
        match self {
            Self::Without(_) => ChannelWish::Without,
            Self::Others => ChannelWish::WhereThere,
            Self::All(_) => ChannelWish::Required,
        }
    }

    /// Where the streams of the guest's program lead.
    pub fn streams(&self, terminal: Option<Terminal>) -> Streams {
        match self {
            Self::Without(_) | Self::Others => Streams::Lines,
            Self::All(stdin) => Streams::Channel(ChannelStreams { stdin: *stdin, terminal }),
        }
    }
}

/// Whether the image's own program takes the agent's place.
fn is_process_one(root: &RootFs) -> bool {
    let config = ImageConfig::of(&ImageRoot::new(root));
    config.is_ok_and(|config| config.is_some_and(|config| config.pid1 == Pid1::Image))
}
