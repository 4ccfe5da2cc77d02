//! Whether an agent can run in an image, found out before anything boots.
//!
//! First by the file alone: is it a program, and for this kind of processor? Then, when the layers are merged: does the
//! image have its loader, every library it needs, directly or through another, and their versions? A loader's name alone
//! decides nothing: a program without one may still need libraries.

mod error;
pub(crate) mod native;
#[cfg(test)]
mod tests;

use std::fmt::{self, Display, Formatter};
use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;

use nex_program::{Elf, LONGEST_LINE, Script, View};
use object::read::ReadCache;

pub use error::Error;
pub use nex_program::{Broken, Libc, Machine, Missing};

use crate::guest::AGENT;

/// An agent's binary, as far as it concerns who can run it.
#[derive(Clone, Debug)]
pub struct Agent {
    name: String,
    program: Program,
}

#[derive(Clone, Debug)]
enum Program {
    Elf(Box<Elf>),
    Script(Script),
}

/// How an agent gets the code that it does not bring along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Linkage {
    /// It needs nothing.
    Static,
    /// It needs libraries, which this program of the image loads.
    Dynamic {
        /// The path in the image.
        loader: String,
    },
    /// It is a script, for this program of the image.
    Script {
        /// The path in the image.
        interpreter: String,
    },
}

impl Display for Linkage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Static => f.write_str("static"),
            Self::Dynamic { loader } => write!(f, "dynamic, loaded by {loader}"),
            Self::Script { interpreter } => write!(f, "script for {interpreter}"),
        }
    }
}

impl Agent {
    /// Inspects the file at a path on this machine.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|source| Error::Read { agent: name.clone(), source })?;
        Self::inspect(name, file)
    }

    /// Inspects a file that messages call `name`. Reads its headers, not the whole.
    pub fn inspect(name: String, mut file: impl Read + Seek) -> Result<Self, Error> {
        let start = match read_start(&mut file) {
            Ok(start) => start,
            Err(source) => return Err(Error::Read { agent: name, source }),
        };
        if let Some(script) = Script::parse(&start) {
            return Ok(Self { name, program: Program::Script(script) });
        }
        if !Elf::is_elf(&start) {
            return Err(Error::NoProgram { agent: name });
        }
        match Elf::parse(&ReadCache::new(file)) {
            Ok(elf) if elf.interpreter.is_none() && !elf.needed.is_empty() => Err(Error::NoLoader {
                agent: name,
                needed: elf.needed.iter().map(|needed| needed.escape_ascii().to_string()).collect(),
                machine: elf.machine,
            }),
            Ok(elf) => Ok(Self { name, program: Program::Elf(Box::new(elf)) }),
            Err(cause) => Err(Error::Broken { agent: name, cause }),
        }
    }

    /// Checks that the program is for the image's architecture, as an image index names it: `amd64`, `arm64`, `arm`, ...
    ///
    /// A script fits any. The variant, such as arm's `v7`, is not compared: the ELF header does not tell it.
    pub fn check_platform(&self, architecture: &str) -> Result<(), Error> {
        match &self.program {
            Program::Elf(elf) if !elf.machine.is(architecture) => {
                Err(Error::Machine { agent: self.name.clone(), found: elf.machine, wanted: architecture.into() })
            }
            _ => Ok(()),
        }
    }

    /// Checks that the program is for the same kind of processor as others; a script fits any.
    pub fn check_machine(&self, machine: Machine) -> Result<(), Error> {
        match &self.program {
            Program::Elf(elf) if elf.machine != machine => {
                Err(Error::OtherMachine { agent: self.name.clone(), found: elf.machine, wanted: machine })
            }
            _ => Ok(()),
        }
    }

    /// How it gets the code that it does not bring along.
    pub fn linkage(&self) -> Linkage {
        match &self.program {
            Program::Script(script) => Linkage::Script { interpreter: script.interpreter.escape_ascii().to_string() },
            Program::Elf(elf) => match &elf.interpreter {
                Some(loader) => Linkage::Dynamic { loader: loader.escape_ascii().to_string() },
                None => Linkage::Static,
            },
        }
    }

    /// Checks that the merged image has all that the agent needs when it stands at its place in the guest.
    pub fn check_in(&self, view: &dyn View) -> Result<(), Error> {
        match &self.program {
            Program::Script(script) => match script.missing(view) {
                Some(interpreter) => Err(Error::Interpreter { agent: self.name.clone(), interpreter }),
                None => Ok(()),
            },
            Program::Elf(elf) => match &elf.interpreter {
                Some(loader) => self.check_needs(view, elf, loader),
                None => Ok(()),
            },
        }
    }

    fn check_needs(&self, view: &dyn View, elf: &Elf, loader: &[u8]) -> Result<(), Error> {
        let missing = nex_program::missing(view, AGENT, elf, loader)?;
        if missing.is_empty() {
            return Ok(());
        }
        let (agent, machine) = (self.name.clone(), elf.machine);
        Err(Error::Missing { agent, missing, libc: Libc::of(view, machine), machine })
    }
}

fn read_start(file: &mut (impl Read + Seek)) -> std::io::Result<Vec<u8>> {
    let mut start = Vec::with_capacity(LONGEST_LINE);
    file.by_ref().take(LONGEST_LINE as u64).read_to_end(&mut start)?;
    file.rewind()?;
    Ok(start)
}
