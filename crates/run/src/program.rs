//! The program that a user hands over, looked at before anything boots.

use std::fs::File;
use std::io::{self, ErrorKind, Seek};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nex_contract::{BINARY_FILE, NOT_EXECUTABLE, NOT_FOUND};
use nex_diagnose::runs;
use nex_fault::{Code, Fault, Remedy};
use nex_inspect::View;
use nex_program::{Libc, Missing, NotAProgram, Processor, Program, ReadError};
use nex_vmm::Architecture;

use crate::codes;

/// A program of this machine, for a guest.
#[derive(Debug)]
pub struct OwnProgram {
    /// Its bytes, from the beginning.
    pub file: File,
    /// The name that it is called by: the last part of its path.
    pub name: String,
}

/// Why a program is not started.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// There is no such file.
    #[error("there is no program '{}' on this machine", .0.display())]
    NotFound(PathBuf),
    /// It is a directory, a device or a pipe.
    #[error("'{}' is not a regular file", .0.display())]
    NotAFile(PathBuf),
    /// Nobody may execute it.
    #[error("'{}' is not executable", .0.display())]
    NotExecutable(PathBuf),
    /// It is no program, or cannot be read.
    #[error("'{}' is no program", .path.display())]
    NotAProgram {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: NotAProgram,
    },
    /// It cannot be read.
    #[error("cannot read '{}'", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's word for it.
        #[source]
        cause: io::Error,
    },
    /// It is for another kind of processor than the kernel.
    #[error("'{}' is for {found}, but the kernel is for {wanted}", .path.display())]
    Processor {
        /// The file.
        path: PathBuf,
        /// What it is for.
        found: Processor,
        /// What the guest is, as an image index names it.
        wanted: &'static str,
    },
    /// The root filesystem lacks what it needs.
    #[error("'{}' needs what the image lacks: {}; {libc}", .path.display(), join(.missing))]
    Missing {
        /// The file.
        path: PathBuf,
        /// All that is missing.
        missing: Vec<Missing>,
        /// The image's C library.
        libc: Libc,
        /// What the program is for.
        processor: Processor,
    },
    /// The root filesystem lacks what runs the script.
    #[error("'{}' is a script for {interpreter}, which the image lacks", .path.display())]
    Interpreter {
        /// The file.
        path: PathBuf,
        /// The program that would run it.
        interpreter: String,
    },
    /// A file of the image cannot be read.
    #[error("cannot read {path} of the image, which the program needs")]
    Image {
        /// The file.
        path: String,
        /// Why.
        #[source]
        cause: io::Error,
    },
}

impl From<ReadError> for ProgramError {
    fn from(error: ReadError) -> Self {
        Self::Image { path: error.path, cause: error.source }
    }
}

impl Fault for ProgramError {
    fn code(&self) -> Code {
        match self {
            Self::NotFound(_) => codes::NOT_FOUND,
            Self::NotAFile(_) | Self::NotExecutable(_) => codes::NOT_EXECUTABLE,
            Self::NotAProgram { cause, .. } => cause.code(),
            Self::Read { .. } | Self::Image { .. } => codes::UNREADABLE,
            Self::Processor { .. } => codes::PROCESSOR,
            Self::Missing { .. } | Self::Interpreter { .. } => codes::LACKS,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        Some(match self {
            Self::NotFound(path) => {
                Remedy::say(format!("for one of the image, leave BINARY out: -- {}", path.display()))
            }
            Self::NotAFile(_) => Remedy::say("name a program for the guest"),
            Self::NotExecutable(path) => Remedy::say(format!("chmod +x '{}'", path.display())),
            Self::NotAProgram { cause, .. } => {
                let other = "name a static Linux binary";
                cause.remedy().map_or_else(|| Remedy::say(other), |remedy| remedy.and(format!("; or {other}")))
            }
            Self::Processor { wanted, .. } => Remedy::say(format!("build it for {wanted}")),
            Self::Missing { processor, .. } => Remedy::say(format!("build it static{}", target(*processor))),
            Self::Interpreter { .. } => Remedy::say("use an image that has it, or a static binary"),
            Self::Read { .. } | Self::Image { .. } => return None,
        })
    }
}

impl ProgramError {
    /// What a shell, and docker, would end with: 127 for what is not there, 126 for what cannot be executed.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NotFound(_) | Self::Missing { .. } | Self::Interpreter { .. } => NOT_FOUND,
            _ => NOT_EXECUTABLE,
        }
    }
}

impl OwnProgram {
    /// Opens a program and checks that it runs on this kind of processor in this root filesystem.
    ///
    /// A dynamic program may pass: its loader and libraries have to be in the root filesystem.
    ///
    /// # Errors
    /// When it would not start in the guest.
    pub fn open(path: &Path, guest: Architecture, root: &dyn View) -> Result<Self, ProgramError> {
        let metadata = path.metadata().map_err(|cause| unreadable(path, cause))?;
        if !metadata.is_file() {
            return Err(ProgramError::NotAFile(path.into()));
        }
        const ANY_EXECUTE: u32 = 0o111;
        if metadata.permissions().mode() & ANY_EXECUTE == 0 {
            return Err(ProgramError::NotExecutable(path.into()));
        }
        let mut file = nex_file::open_regular(path).map_err(|cause| unreadable(path, cause))?;
        let program =
            Program::inspect(&file).map_err(|cause| ProgramError::NotAProgram { path: path.into(), cause })?;
        check_processor(path, &program, guest)?;
        check_needs(path, &program, root)?;
        file.rewind().map_err(|cause| unreadable(path, cause))?;
        let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
        Ok(Self { file, name })
    }
}

fn unreadable(path: &Path, cause: io::Error) -> ProgramError {
    match cause.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => ProgramError::NotFound(path.into()),
        _ => ProgramError::Read { path: path.into(), cause },
    }
}

/// The kernel of 64 bits runs its own programs, and those of the 32 bits that most of its processors have as well.
fn check_processor(path: &Path, program: &Program, guest: Architecture) -> Result<(), ProgramError> {
    let wanted = guest.oci_name();
    let kernel = Processor::for_architecture(wanted);
    match program.processor().filter(|found| !kernel.is_some_and(|kernel| runs(kernel, *found))) {
        Some(found) => Err(ProgramError::Processor { path: path.into(), found, wanted }),
        None => Ok(()),
    }
}

fn check_needs(path: &Path, program: &Program, root: &dyn View) -> Result<(), ProgramError> {
    match program {
        Program::Script(script) => match script.missing(root) {
            Some(interpreter) => Err(ProgramError::Interpreter { path: path.into(), interpreter }),
            None => Ok(()),
        },
        Program::Elf(elf) => {
            let Some(loader) = &elf.interpreter else { return Ok(()) };
            let missing = nex_program::missing(root, BINARY_FILE.as_bytes(), elf, loader)?;
            if missing.is_empty() {
                return Ok(());
            }
            let (libc, processor) = (Libc::of(root, elf.processor), elf.processor);
            Err(ProgramError::Missing { path: path.into(), missing, libc, processor })
        }
    }
}

fn join(missing: &[Missing]) -> String {
    missing.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn target(processor: Processor) -> String {
    let rust = processor.rust_target().map(|target| format!(", Rust with --target {target}")).unwrap_or_default();
    format!(" (C with -static, Go with CGO_ENABLED=0{rust})")
}
