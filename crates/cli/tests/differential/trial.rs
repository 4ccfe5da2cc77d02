//! One stack through the model, umoci and nex.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{SystemTime, UNIX_EPOCH};

use nex_testkit::layout::{Compression, Image};
use nex_testkit::manifest::Manifest;
use nex_testkit::{Failure, Result, command, fsck, host_tree, kernel, nex};
use tempfile::TempDir;

use crate::compare;
use crate::model;
use crate::refusals::{self, Refusals};
use crate::stack::Stack;

const TAG: &str = "image";

/// How a program took a stack.
pub enum Outcome {
    Accepted(Manifest),
    /// The number of the member that was refused, among all of the stack, and the reason.
    Refused(usize, String),
}

/// What the model makes of a stack, umoci and nex must make of it too; a member that the model refuses, they refuse. Then
/// it is taken out, and so is a member that only umoci refuses, when the rules know the reason.
///
/// # Errors
/// What they do not agree about.
pub fn run(mut stack: Stack, refusals: &Refusals) -> Result<()> {
    if let Err(refusal) = model::flatten(&stack, None) {
        let trial = Trial::new(&stack)?;
        match trial.build()? {
            Outcome::Refused(member, reason) if member == refusal.member => refusals.all(&stack, &refusal, &reason)?,
            Outcome::Refused(member, reason) => {
                return Err(refusals::refused("only nex refuses", &stack, member, &reason));
            }
            Outcome::Accepted(_) => return Err(refusals::refused("nex takes", &stack, refusal.member, refusal.rule)),
        }
        match trial.unpack()? {
            Outcome::Refused(member, _) if member == refusal.member => {}
            Outcome::Refused(member, reason) if member < refusal.member => {
                refusals.only_theirs(&stack, member, &reason)?
            }
            Outcome::Refused(member, reason) => {
                return Err(refusals::refused("umoci refuses only", &stack, member, &reason));
            }
            Outcome::Accepted(_) => return Err(refusals::refused("umoci takes", &stack, refusal.member, refusal.rule)),
        }
    }
    loop {
        let expected = settled(&mut stack);
        let trial = Trial::new(&stack)?;
        trial.nex_makes(&expected)?;
        let started = seconds_now()?;
        match trial.unpack()? {
            Outcome::Accepted(theirs) => return compare::theirs(&stack.directory_times(), &expected, theirs, started),
            Outcome::Refused(member, reason) => {
                refusals.only_theirs(&stack, member, &reason)?;
                stack.remove(member);
            }
        }
    }
}

/// Takes out what the model refuses, and gives the tree of the rest.
pub fn settled(stack: &mut Stack) -> Manifest {
    loop {
        match model::flatten(stack, None) {
            Ok(tree) => return tree,
            Err(refusal) => stack.remove(refusal.member),
        };
    }
}

/// A stack as an image, in a directory of its own.
pub struct Trial<'a> {
    stack: &'a Stack,
    directory: TempDir,
}

impl<'a> Trial<'a> {
    pub fn new(stack: &'a Stack) -> Result<Self> {
        let trial = Self { stack, directory: nex::directory()? };
        trial.write("layout", stack.compression)?;
        if stack.compression == Compression::Zstd {
            trial.write("plain", Compression::None)?;
        }
        Ok(trial)
    }

    fn write(&self, name: &str, compression: Compression) -> Result<()> {
        Image::of(&self.stack.entries())?.compressed(compression).write(&self.path(name), TAG)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// nex takes the stack and gives this tree.
    fn nex_makes(&self, expected: &Manifest) -> Result<()> {
        match self.build()? {
            Outcome::Accepted(ours) => compare::ours(expected, ours),
            Outcome::Refused(member, reason) => Err(refusals::refused("only nex refuses", self.stack, member, &reason)),
        }
    }

    /// Builds an image with nex, has e2fsck check it, and reads it with the kernel. Built again from what the cache has kept,
    /// it must be the same.
    pub fn build(&self) -> Result<Outcome> {
        let image = format!("oci:{}:{TAG}", self.path("layout").display());
        let output = self.path("out.ext4");
        let build = |output: &Path| -> Result<Output> {
            let mut build = nex::rootfs(&image, output)?;
            build.args(["--size", "auto", "--free", "1MiB", "--cache-dir"]).arg(self.path("cache"));
            command::output(&mut build)
        };
        let result = build(&output)?;
        if result.status.success() {
            let again = build(&self.path("again.ext4"))?;
            let is_cached = String::from_utf8_lossy(&again.stdout).contains("from the cache");
            if !is_cached || fs::read(&output)? != fs::read(self.path("again.ext4"))? {
                return Err(Failure::new(format!("another image from the cache: {again:?}")));
            }
            fsck::check(&output)?;
            return Ok(Outcome::Accepted(kernel::read_tree(&output)?));
        }
        let text = String::from_utf8_lossy(&result.stderr).into_owned();
        let blamed = refusals::our_member(self.stack, &text);
        Ok(Outcome::Refused(blamed.ok_or(Failure::new(format!("nex blames no entry: {text}")))?, text))
    }

    /// Unpacks with umoci, which makes what it needs with modes that the umask bounds, and names each entry in its log
    /// before it unpacks it. umoci 0.4 knows no zstd.
    pub fn unpack(&self) -> Result<Outcome> {
        let layout = if self.stack.compression == Compression::Zstd { "plain" } else { "layout" };
        let mut umoci = Command::new("sh");
        umoci.args(["-c", "umask 022; exec umoci --log=debug unpack --image \"$0\" \"$1\""]);
        umoci.arg(format!("{}:{TAG}", self.path(layout).display())).arg(self.path("bundle"));
        let Output { status, stdout, stderr } = command::output(&mut umoci)?;
        if status.success() {
            return Ok(Outcome::Accepted(host_tree::read(&self.path("bundle/rootfs"))?));
        }
        let text = [stdout, stderr].concat();
        let text = String::from_utf8_lossy(&text);
        let entries = text.lines().filter(|line| line.contains("unpacking entry")).count();
        let reason = text.lines().rfind(|line| !line.contains("debug") && !line.trim().is_empty()).unwrap_or(&text);
        let last = entries.checked_sub(1).ok_or(Failure::new(format!("umoci does not begin: {text}")))?;
        Ok(Outcome::Refused(last, reason.to_owned()))
    }
}

fn seconds_now() -> Result<i64> {
    Ok(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?)
}
