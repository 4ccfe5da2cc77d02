//! Whether an agent can run in an image, found out before anything boots.
//!
//! First by the file alone: is it a program, and for this kind of processor? Then, when the layers are merged: does the
//! image have its loader, every library it needs, directly or through another, and their versions? A loader's name alone
//! decides nothing: a program without one may still need libraries.

mod error;
pub(crate) mod native;
#[cfg(test)]
mod tests;

use std::io::{Read, Seek};
use std::path::Path;

use nex_inspect::View;
use nex_program::{Elf, NotAProgram, Program};

pub use error::Error;
pub use nex_program::{BadScript, Broken, Libc, Linkage, Missing, Processor};

use crate::guest::AGENT;

/// An agent's binary, as far as it concerns who can run it.
#[derive(Clone, Debug)]
pub struct Agent {
    name: String,
    program: Program,
}

impl Agent {
    /// Inspects the file at a path on this machine.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        let file = nex_file::open_regular(path).map_err(|source| Error::Read { agent: name.clone(), source })?;
        Self::inspect(name, file)
    }

    /// Inspects a file that messages call `name`. Reads its headers, not the whole.
    pub fn inspect(name: String, file: impl Read + Seek) -> Result<Self, Error> {
        match Program::inspect(file) {
            Ok(program) => Ok(Self { name, program }),
            Err(NotAProgram::Read(source)) => Err(Error::Read { agent: name, source }),
            Err(NotAProgram::Unknown) => Err(Error::NoProgram { agent: name }),
            Err(NotAProgram::Script(cause)) => Err(Error::Script { agent: name, cause }),
            Err(NotAProgram::Broken(cause)) => Err(Error::Broken { agent: name, cause }),
            Err(NotAProgram::NoLoader { needed, processor }) => Err(Error::NoLoader { agent: name, needed, processor }),
        }
    }

    /// Checks that the program is for the image's architecture, as an image index names it: `amd64`, `arm64`, `arm`, ...
    ///
    /// A script fits any. The variant, such as arm's `v7`, is not compared: the ELF header does not tell it.
    pub fn check_platform(&self, architecture: &str) -> Result<(), Error> {
        match self.program.processor() {
            Some(found) if !found.is(architecture) => {
                Err(Error::Processor { agent: self.name.clone(), found, wanted: architecture.into() })
            }
            _ => Ok(()),
        }
    }

    /// Checks that the program is for the same kind of processor as others; a script fits any.
    pub fn check_processor(&self, processor: Processor) -> Result<(), Error> {
        match self.program.processor() {
            Some(found) if found != processor => {
                Err(Error::OtherProcessor { agent: self.name.clone(), found, wanted: processor })
            }
            _ => Ok(()),
        }
    }

    /// How it gets the code that it does not bring along.
    pub fn linkage(&self) -> Linkage {
        self.program.linkage()
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
        let (agent, processor) = (self.name.clone(), elf.processor);
        Err(Error::Missing { agent, missing, libc: Libc::of(view, processor), processor })
    }
}
