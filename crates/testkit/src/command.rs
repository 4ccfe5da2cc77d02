//! Running other people's programs.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::failure::Context;
use crate::{Failure, Result};

/// Runs a command to its end and gives its output, whatever its exit code.
///
/// # Errors
/// When the program cannot be started; the text names it and how to install the tools.
pub fn output(command: &mut Command) -> Result<Output> {
    let name = command.get_program().to_string_lossy().into_owned();
    command.output().context(format_args!("cannot run {name} (scripts/setup-tests installs what the tests need)"))
}

/// Runs a command that must succeed and gives what it wrote to stdout.
///
/// # Errors
/// When it cannot be started or its exit code is not 0; the text holds the command and both of its outputs.
pub fn run(command: &mut Command) -> Result<Vec<u8>> {
    let result = output(command)?;
    if result.status.success() {
        return Ok(result.stdout);
    }
    Err(Failure::new(format!(
        "{command:?}: {}\n{}{}",
        result.status,
        String::from_utf8_lossy(&result.stdout),
        String::from_utf8_lossy(&result.stderr)
    )))
}

/// The numbers of the processes that a process has started and that still are, whichever of its threads did it.
pub fn children(process: u32) -> Vec<u32> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let of = |task: fs::DirEntry| fs::read_to_string(task.path().join("children")).unwrap_or_default();
    let numbers =
        |children: String| children.split_whitespace().filter_map(|child| child.parse().ok()).collect::<Vec<_>>();
    tasks.map(of).flat_map(numbers).collect()
}

/// The numbers of the processes that have this word among their arguments. One that has ended has none.
pub fn running(word: &str) -> Vec<u32> {
    let of = |entry: &Path| {
        let arguments = fs::read(entry.join("cmdline")).ok()?;
        let has_word = arguments.split(|byte| *byte == 0).any(|argument| argument == word.as_bytes());
        has_word.then(|| entry.file_name()?.to_str()?.parse().ok()).flatten()
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| of(&entry.path())).collect()
}
