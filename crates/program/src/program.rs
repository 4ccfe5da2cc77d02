//! A file that the kernel would start.

use std::fmt::{self, Display, Formatter};
use std::io::{self, Read, Seek, SeekFrom};

use nex_fault::{Code, Fault, Remedy};
use object::read::ReadCache;

use crate::codes;
use crate::elf::{Broken, Elf};
use crate::processor::Processor;
use crate::script::{BadScript, LONGEST_LINE, Script};

/// A program, as far as it concerns who can run it.
#[derive(Clone, Debug)]
pub enum Program {
    /// A binary.
    Elf(Box<Elf>),
    /// A text for another program.
    Script(Script),
}

/// Why a file is no program that could run anywhere.
#[derive(Debug, thiserror::Error)]
pub enum NotAProgram {
    /// It cannot be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// It is neither ELF nor a script.
    #[error("it begins neither as an ELF file nor with #!")]
    Unknown,
    /// It begins with `#!`, and the kernel makes nothing of that, or not what was meant.
    #[error(transparent)]
    Script(BadScript),
    /// It is ELF, but damaged or of another kind.
    #[error(transparent)]
    Broken(Broken),
    /// It needs libraries but names nobody to load them, so it would crash at its first call.
    #[error("it looks static, but needs {} and names no loader for them", .needed.join(", "))]
    NoLoader {
        /// What it needs.
        needed: Vec<String>,
        /// What it is for.
        processor: Processor,
    },
}

impl Fault for NotAProgram {
    fn code(&self) -> Code {
        match self {
            Self::Read(_) => codes::UNREADABLE,
            Self::Unknown => codes::UNKNOWN,
            Self::Script(cause) => cause.code(),
            Self::Broken(cause) => cause.code(),
            Self::NoLoader { .. } => codes::NO_LOADER,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        match self {
            Self::Script(cause) => cause.remedy(),
            Self::Broken(cause) => cause.remedy(),
            Self::Read(_) | Self::Unknown | Self::NoLoader { .. } => None,
        }
    }
}

/// How a program gets the code that it does not bring along.
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

impl Program {
    /// Inspects a file. Reads its headers, not the whole.
    ///
    /// # Errors
    /// When no kernel would start it, or its first call would crash.
    pub fn inspect(mut file: impl Read + Seek) -> Result<Self, NotAProgram> {
        let start = read_start(&mut file)?;
        if let Some(script) = Script::parse(&start).map_err(NotAProgram::Script)? {
            return Ok(Self::Script(script));
        }
        if !Elf::is_elf(&start) {
            return Err(NotAProgram::Unknown);
        }
        let length = file.seek(SeekFrom::End(0))?;
        let elf = Elf::parse(&ReadCache::new(file)).map_err(NotAProgram::Broken)?;
        if elf.end > length {
            return Err(NotAProgram::Broken(Broken::CutShort));
        }
        if elf.interpreter.is_none() && !elf.needed.is_empty() {
            let needed = elf.needed.iter().map(nex_text::short_name).collect();
            return Err(NotAProgram::NoLoader { needed, processor: elf.processor });
        }
        Ok(Self::Elf(Box::new(elf)))
    }

    /// The kind of processor that it is for; `None` for a script, which fits any.
    pub fn processor(&self) -> Option<Processor> {
        match self {
            Self::Elf(elf) => Some(elf.processor),
            Self::Script(_) => None,
        }
    }

    /// How it gets the code that it does not bring along.
    pub fn linkage(&self) -> Linkage {
        match self {
            Self::Script(script) => Linkage::Script { interpreter: nex_text::short_name(&script.interpreter) },
            Self::Elf(elf) => match &elf.interpreter {
                Some(loader) => Linkage::Dynamic { loader: nex_text::short_name(loader) },
                None => Linkage::Static,
            },
        }
    }
}

fn read_start(file: &mut (impl Read + Seek)) -> io::Result<Vec<u8>> {
    let mut start = Vec::with_capacity(LONGEST_LINE);
    file.by_ref().take(LONGEST_LINE as u64).read_to_end(&mut start)?;
    file.rewind()?;
    Ok(start)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use nex_fault::whole;

    use super::*;

    #[test]
    fn a_file_that_is_no_program_says_why_and_what_to_do() {
        let cases: [(&[u8], &str, Code, Option<&str>); 4] = [
            (b"text", "it begins neither as an ELF file nor with #!", codes::UNKNOWN, None),
            (b"\x7fELF", "its ELF header is cut short or damaged", codes::BROKEN, None),
            (b"#!\n", "it begins with #! and names no interpreter behind it", codes::SCRIPT, None),
            (
                b"#!/bin/sh\r\n",
                "its first line ends with CRLF, as on Windows, so that the CR becomes a part of '/bin/sh\\r'",
                codes::SCRIPT,
                Some("end its lines with LF alone: sed -i 's/\\r$//' FILE"),
            ),
        ];
        for (bytes, fact, code, remedy) in cases {
            let error = Program::inspect(Cursor::new(bytes)).unwrap_err();
            assert_eq!((whole(&error).as_str(), error.code()), (fact, code));
            let words = error.remedy().map(|remedy| remedy.words(nex_fault::Setting::flag));
            assert_eq!(words.as_deref(), remedy, "{fact}");
        }
    }
}
