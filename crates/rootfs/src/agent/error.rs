//! What can be wrong with an agent, and what to do about it.

use std::fmt::Display;
use std::io;

use nex_fault::{Code, Fault, Remedy, Setting};
use nex_program::{BadScript, Broken, Libc, Missing, Processor, ReadError};

use crate::codes;

/// Why an agent cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read the agent {agent}")]
    Read {
        /// The agent's file.
        agent: String,
        /// Why.
        source: io::Error,
    },
    /// A file of the image cannot be read back.
    #[error("cannot read {path} of the image, which the agent needs")]
    ReadImage {
        /// The file.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// The file is neither ELF nor a script.
    #[error("the agent {agent} is no program: it begins neither as an ELF file nor with #!")]
    NoProgram {
        /// The agent's file.
        agent: String,
    },
    /// The file is a script whose first line is not what was meant.
    #[error("the agent {agent} would not run")]
    Script {
        /// The agent's file.
        agent: String,
        /// What is wrong with its first line.
        #[source]
        cause: BadScript,
    },
    /// The file is ELF, but damaged or of another kind.
    #[error("the agent {agent} is no program")]
    Broken {
        /// The agent's file.
        agent: String,
        /// What is wrong with it.
        #[source]
        cause: Broken,
    },
    /// The program is for another kind of processor.
    #[error("the agent {agent} is for {found}, but the root filesystem is for {wanted}")]
    Processor {
        /// The agent's file.
        agent: String,
        /// What it is for.
        found: Processor,
        /// The image's architecture, as an image index names it.
        wanted: String,
    },
    /// The program is for another kind of processor than those of the root filesystem that it shall go into.
    #[error("the agent {agent} is for {found}, but the programs of the root filesystem are for {wanted}")]
    OtherProcessor {
        /// The agent's file.
        agent: String,
        /// What it is for.
        found: Processor,
        /// What the others are for.
        wanted: Processor,
    },
    /// The program needs libraries but names nobody to load them, so it would crash at its first call.
    #[error("the agent {agent} looks static, but needs {} and names no loader for them", join(.needed))]
    NoLoader {
        /// The agent's file.
        agent: String,
        /// What it needs.
        needed: Vec<String>,
        /// What it is for.
        processor: Processor,
    },
    /// The program needs what the image lacks.
    #[error("the agent {agent} needs what the image lacks: {}; {libc}", join(.missing))]
    Missing {
        /// The agent's file.
        agent: String,
        /// All that is missing.
        missing: Vec<Missing>,
        /// The image's C library.
        libc: Libc,
        /// What the agent is for.
        processor: Processor,
    },
    /// The script's interpreter is not in the image.
    #[error("the agent {agent} is a script for {interpreter}, which the image lacks")]
    Interpreter {
        /// The agent's file.
        agent: String,
        /// The program that would run it.
        interpreter: String,
    },
}

impl From<ReadError> for Error {
    fn from(ReadError { path, source }: ReadError) -> Self {
        Self::ReadImage { path, source }
    }
}

impl Fault for Error {
    fn code(&self) -> Code {
        match self {
            Self::Read { .. } => codes::AGENT_UNREADABLE,
            Self::ReadImage { .. } => codes::READ_BACK,
            Self::NoProgram { .. } | Self::Script { .. } | Self::Broken { .. } => codes::AGENT_NO_PROGRAM,
            Self::Processor { .. } | Self::OtherProcessor { .. } => codes::AGENT_PROCESSOR,
            Self::NoLoader { .. } | Self::Missing { .. } | Self::Interpreter { .. } => codes::AGENT_NEEDS,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        Some(match self {
            Self::NoProgram { .. } => Remedy::say("give a static Linux binary"),
            Self::Script { cause, .. } => return cause.remedy(),
            Self::Broken { .. } => Remedy::say("build or copy it again"),
            Self::Processor { wanted, .. } => {
                Remedy::say(format!("build it for {wanted}{}, or choose an image with", go_hint(wanted)))
                    .choose(Setting::Platform)
            }
            Self::OtherProcessor { wanted, .. } => Remedy::say(format!("build it for {wanted}")),
            Self::NoLoader { processor, .. } | Self::Missing { processor, .. } => Remedy::say(advice(*processor)),
            Self::Interpreter { .. } => Remedy::say("use an image that has it, or a static binary as the agent"),
            Self::Read { .. } | Self::ReadImage { .. } => return None,
        })
    }
}

fn join(items: &[impl Display]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// How to build an agent that needs nothing.
fn advice(processor: Processor) -> String {
    let target = processor.rust_target().unwrap_or("a musl target");
    format!(
        "build it static: Go with CGO_ENABLED=0, Rust with --target {target} or RUSTFLAGS='-C target-feature=+crt-static', \
         C with -static"
    )
}

/// Go's way to build for an architecture, which has the same names; only for those that are known here.
fn go_hint(architecture: &str) -> String {
    match Processor::for_architecture(architecture).and_then(Processor::rust_target) {
        Some(target) => format!(" (Go: GOARCH={architecture}, Rust: --target {target})"),
        None => String::new(),
    }
}
