//! Whether the kernel and a loader would run a program of the image, as execve(2) and ld.so(8) go about it.

use nex_inspect::{Kind, View, end_of_links, is_executable};
use nex_program::{Elf, LONGEST_LINE, Processor, Script, missing};

use super::text::{read, shown};
use crate::finding::{Finding, Rule, bad_script};

/// More of a program than this is not read. What stands behind counts as damaged; only programs with symbols are so long.
const LONGEST: u64 = 128 << 20;

/// As many interpreters as may stand behind each other (`exec_binprm`).
const MOST_INTERPRETERS: usize = 5;

/// A program that starts.
#[derive(Clone, Debug)]
pub struct Program {
    /// Where it is called.
    pub path: Vec<u8>,
    /// What it is for, or what runs it.
    pub processor: Option<Processor>,
    /// Whether it is a script.
    pub is_script: bool,
    /// Why it ends at once: the kernel starts it, and its loader gives up.
    pub flaw: Option<Flaw>,
}

/// Why a program does not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// It is not there.
    Missing(String),
    /// It is no regular file, or nobody may execute it.
    NotExecutable(String),
    /// It is neither ELF nor a script, or damaged.
    NoProgram(String),
    /// It is for another kind of processor.
    Processor(String),
    /// What would run it is not there, or does not run either.
    Interpreter(String),
    /// It lacks libraries, or another program.
    Libraries(String),
}

impl Flaw {
    /// What was seen.
    pub fn text(&self) -> &str {
        match self {
            Self::Missing(text)
            | Self::NotExecutable(text)
            | Self::NoProgram(text)
            | Self::Processor(text)
            | Self::Interpreter(text)
            | Self::Libraries(text) => text,
        }
    }
}

/// Looks at the program that `path` leads to. With the kernel's machine, one for another is refused.
///
/// # Errors
/// When the kernel would not start it.
pub fn inspect(view: &dyn View, path: &[u8], kernel: Option<Processor>) -> Result<Program, Flaw> {
    inspect_nested(view, path, kernel, MOST_INTERPRETERS)
}

fn inspect_nested(view: &dyn View, path: &[u8], kernel: Option<Processor>, left: usize) -> Result<Program, Flaw> {
    let name = shown(path);
    let Some(stat) = view.stat(path) else { return Err(Flaw::Missing(why_missing(view, path))) };
    if stat.kind != Kind::File {
        return Err(Flaw::NotExecutable(format!("{name} is {}", kind(stat.kind))));
    }
    if !is_executable(view, path) {
        return Err(Flaw::NotExecutable(format!("the mode of {name}{} is {:o}", end(view, path), stat.mode)));
    }
    let start = read(view, path, LONGEST_LINE as u64);
    let script = Script::parse(&start).map_err(|cause| Flaw::NoProgram(format!("{name}: {}", bad_script(&cause))))?;
    if let Some(script) = script {
        return inspect_script(view, path, &script, kernel, left);
    }
    if !Elf::is_elf(&start) {
        let what = if start.is_empty() { "is empty" } else { "begins neither as an ELF file nor with #!" };
        return Err(Flaw::NoProgram(format!("{name} {what}")));
    }
    inspect_elf(view, path, kernel)
}

fn inspect_script(
    view: &dyn View,
    path: &[u8],
    script: &Script,
    kernel: Option<Processor>,
    left: usize,
) -> Result<Program, Flaw> {
    let name = shown(path);
    let Some(left) = left.checked_sub(1) else {
        return Err(Flaw::Interpreter(format!("{name} is a script whose interpreter is a script, and so on")));
    };
    let interpreter = inspect_nested(view, &script.interpreter, kernel, left).map_err(|flaw| {
        Flaw::Interpreter(format!("{name} is a script for {}: {}", shown(&script.interpreter), flaw.text()))
    })?;
    let needed = script.missing(view).map(|missing| format!("{name} is a script for {missing}, which is not there"));
    let flaw = needed.map(Flaw::Libraries).or(interpreter.flaw);
    Ok(Program { path: path.to_vec(), processor: interpreter.processor, is_script: true, flaw })
}

fn inspect_elf(view: &dyn View, path: &[u8], kernel: Option<Processor>) -> Result<Program, Flaw> {
    let name = shown(path);
    let bytes = read(view, path, LONGEST);
    let elf = Elf::parse(bytes.as_slice()).map_err(|cause| Flaw::NoProgram(format!("{name}: {cause}")))?;
    drop(bytes);
    if let Some(kernel) = kernel.filter(|kernel| !runs(*kernel, elf.processor)) {
        return Err(Flaw::Processor(format!("{name} is for {}, and the kernel for {kernel}", elf.processor)));
    }
    let needs = match &elf.interpreter {
        None if elf.needed.is_empty() => None,
        None => Some(format!("{name} needs {} and names no loader for it", shown(&elf.needed.concat()))),
        Some(loader) if !is_executable(view, loader) => {
            let why = if view.stat(loader).is_some() { "cannot be executed" } else { "is not there" };
            return Err(Flaw::Interpreter(format!("{name} is loaded by {}, which {why}", shown(loader))));
        }
        Some(loader) => {
            // What cannot be read back is noted by the image.
            let missing = missing(view, path, &elf, loader).unwrap_or_default();
            let missing: Vec<_> = missing.iter().map(ToString::to_string).collect();
            (!missing.is_empty()).then(|| format!("{name} needs {}", missing.join(", ")))
        }
    };
    Ok(Program {
        path: path.to_vec(),
        processor: Some(elf.processor),
        is_script: false,
        flaw: needs.map(Flaw::Libraries),
    })
}

/// Whether a kernel for one machine runs programs for another: the 64-bit ones run those of 32 bits, if built to.
pub fn runs(kernel: Processor, program: Processor) -> bool {
    kernel == program || program.is_compat_of(kernel)
}

/// The rules for one program.
pub(super) struct Rules {
    pub(super) missing: &'static Rule,
    pub(super) not_executable: &'static Rule,
    pub(super) no_program: &'static Rule,
    pub(super) processor: &'static Rule,
    pub(super) interpreter: &'static Rule,
    pub(super) libraries: &'static Rule,
}

impl Rules {
    /// The finding for a flaw of the program called `what` that stands at `path`.
    pub(super) fn finding(&self, flaw: &Flaw, what: &str, path: &[u8]) -> Finding {
        let path = shown(path);
        let (rule, remedy) = match flaw {
            Flaw::Missing(_) => (self.missing, format!("put {what} at {path}")),
            Flaw::NotExecutable(_) => {
                (self.not_executable, format!("make it a file that may be executed: chmod 755 {path}"))
            }
            Flaw::NoProgram(_) => {
                (self.no_program, format!("put {what} at {path}: an ELF program, or a script that begins with #!"))
            }
            Flaw::Processor(_) => (self.processor, "use a kernel and programs for one kind of processor".into()),
            Flaw::Interpreter(_) => {
                (self.interpreter, "add what is missing to the image, or build the program static".into())
            }
            Flaw::Libraries(_) => {
                (self.libraries, "add what is missing to the image, or build the program static".into())
            }
        };
        Finding::new(rule, flaw.text(), remedy)
    }
}

/// Where symlinks lead from a path to, in brackets.
fn end(view: &dyn View, path: &[u8]) -> String {
    let end = end_of_links(view, path);
    if end == path { String::new() } else { format!(" ({})", shown(&end)) }
}

fn why_missing(view: &dyn View, path: &[u8]) -> String {
    match view.read_link(path) {
        Some(target) => format!("{} leads to {}, which is not there", shown(path), shown(&target)),
        None => format!("{} is not there", shown(path)),
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Directory => "a directory",
        Kind::File => "a regular file",
        Kind::Symlink => "a symlink",
        Kind::Other => "a device, a pipe or a socket",
    }
}
