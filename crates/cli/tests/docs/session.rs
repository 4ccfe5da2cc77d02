//! A session with a shell: the commands of a page, one after the other in one directory, and what each printed.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::process::{Command, Stdio};

use nex_testkit::failure::Context;
use nex_testkit::{Failure, Result};

use crate::blocks::{Block, Mark, Step};
use crate::pages;
use crate::world::World;

/// What stands between the outputs of two commands; no program writes it.
const BREAK: char = '\u{1e}';
/// How long the commands of a page may take.
const LIMIT: &str = "300";

/// What stands in front of the commands. A break keeps the exit code of the command before it.
const BEGIN: &str = "next() { local status=$?; printf '\\036'; return $status; }\n";

/// A command of a page, and what it printed.
pub struct Printed {
    /// The command.
    pub step: Step,
    /// What came to standard output and standard error.
    pub output: String,
}

/// A block that nobody ran.
pub struct NotRun {
    /// The line of the page.
    pub line: usize,
    /// Why not.
    pub reason: String,
}

/// Runs the blocks of a page.
pub fn run(world: &World, blocks: &[Block]) -> Result<(Vec<Printed>, Vec<NotRun>)> {
    let (mut steps, mut not_run) = (Vec::new(), Vec::new());
    let mut script = BEGIN.to_owned();
    for block in blocks {
        match &block.mark {
            Some(Mark::NotRun(reason)) if block.is_session() => {
                not_run.push(NotRun { line: block.line, reason: reason.clone() });
                // It can be read as a session all the same.
                block.steps()?;
            }
            Some(Mark::File(name)) => script.push_str(&file(name, block)),
            Some(Mark::From(name)) => is_from(name, block)?,
            _ if block.is_session() => {
                for step in block.steps()? {
                    let _ = write!(script, "next\n{}\n", step.command);
                    steps.push(step);
                }
            }
            _ => {}
        }
    }
    let outputs = outputs(world, &script)?;
    if outputs.len() != steps.len() {
        let last = outputs.last().map_or("", String::as_str);
        let step = steps.get(outputs.len().saturating_sub(1)).map_or("", |step| &step.command);
        return Err(Failure::new(format!("the session ended at {step:?}:\n{last}")));
    }
    let printed = steps.into_iter().zip(outputs).map(|(step, output)| Printed { step, output }).collect();
    Ok((printed, not_run))
}

/// The part of the script that writes a file of the page.
fn file(name: &str, block: &Block) -> String {
    const END: &str = "END-OF-THE-PAGE'S-FILE";
    let is_script = block.text.first().is_some_and(|line| line.starts_with("#!"));
    let mode = if is_script { "755" } else { "644" };
    format!("cat >'{name}' <<\"{END}\"\n{}\n{END}\nchmod {mode} '{name}'\n", block.text.join("\n"))
}

/// The block is what stands in a file of the project.
fn is_from(name: &str, block: &Block) -> Result<()> {
    let there = pages::read(name)?;
    if there.lines().eq(block.text.iter().map(String::as_str)) {
        return Ok(());
    }
    Err(Failure::new(format!("line {}: the block is not what {name} has", block.line)))
}

/// What each command of the script printed.
fn outputs(world: &World, script: &str) -> Result<Vec<String>> {
    let (script_file, output_file) = (world.path("script"), world.path("output"));
    fs::write(&script_file, script)?;
    let output = File::create(&output_file)?;
    let mut shell = Command::new("timeout");
    shell.args([LIMIT, "bash"]).arg(&script_file).current_dir(world.home()).env_clear().envs(world.environment());
    shell.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    shell.status().context("cannot run a shell")?;
    let printed = String::from_utf8_lossy(&fs::read(output_file)?).into_owned();
    Ok(printed.split(BREAK).skip(1).map(str::to_owned).collect())
}
