//! One stack through both programs.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{SystemTime, UNIX_EPOCH};

use nex_testkit::layout::{Compression, Image};
use nex_testkit::{Failure, Result, command, fsck, host_tree, kernel};

use crate::compare;
use crate::nex;
use crate::refusals::{self, Refusals};
use crate::stack::Stack;

const TAG: &str = "image";

/// How a program took a stack.
enum Outcome {
    Accepted,
    /// The number of the member that was refused, among all of the stack, and the reason.
    Refused(usize, String),
}

/// Gives a stack to both programs until both take it: a member that one of them refuses is taken out, when the refusal
/// is one that the rules know. Then the trees must be the same.
///
/// # Errors
/// What they do not agree about.
pub fn run(mut stack: Stack, refusals: &Refusals) -> Result<()> {
    loop {
        let directory = nex::directory()?;
        match agree(&stack, directory.path(), refusals)? {
            None => return Ok(()),
            Some(refused) => stack.remove(refused),
        };
    }
}

/// Compares the trees, or says which member cannot be had.
fn agree(stack: &Stack, directory: &Path, refusals: &Refusals) -> Result<Option<usize>> {
    let layout = directory.join("layout");
    Image::of(&stack.entries())?.compressed(Compression::None).write(&layout, TAG)?;
    let output = directory.join("out.ext4");
    let ours = build(stack, &layout, &output)?;
    let started = seconds_now()?;
    let theirs = unpack(&layout, directory)?;
    match (ours, theirs) {
        (Outcome::Accepted, Outcome::Accepted) => {
            fsck::check(&output)?;
            let theirs = host_tree::read(&directory.join("bundle/rootfs"))?;
            compare::equal(&stack.directory_times(), theirs, kernel::read_tree(&output)?, started)?;
            Ok(None)
        }
        (Outcome::Refused(ours, reason), Outcome::Refused(theirs, _)) if ours == theirs => {
            refusals.both(stack, ours, &reason)?;
            Ok(Some(ours))
        }
        (Outcome::Refused(member, reason), Outcome::Accepted) => Err(only_ours(stack, member, &reason)),
        (Outcome::Refused(member, reason), Outcome::Refused(later, _)) if member < later => {
            Err(only_ours(stack, member, &reason))
        }
        (_, Outcome::Refused(member, reason)) => {
            refusals.only_theirs(stack, member, &reason)?;
            Ok(Some(member))
        }
    }
}

/// Always a finding: the members are such that umoci and our rules should agree about them.
fn only_ours(stack: &Stack, member: usize, reason: &str) -> Failure {
    refusals::refused("only nex refuses", stack, member, reason)
}

fn seconds_now() -> Result<i64> {
    Ok(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs())?)
}

fn build(stack: &Stack, layout: &Path, output: &Path) -> Result<Outcome> {
    let image = format!("oci:{}:{TAG}", layout.display());
    let result = command::output(nex::rootfs(&image, output)?.args(["--size", "auto", "--free", "1MiB"]))?;
    if result.status.success() {
        return Ok(Outcome::Accepted);
    }
    let text = String::from_utf8_lossy(&result.stderr).into_owned();
    let member = refusals::our_member(stack, &text).ok_or(Failure::new(format!("nex blames no entry: {text}")))?;
    Ok(Outcome::Refused(member, text))
}

/// umoci makes what it needs with modes that the umask bounds; it names each entry in its log before it unpacks it.
fn unpack(layout: &Path, directory: &Path) -> Result<Outcome> {
    let mut umoci = Command::new("sh");
    umoci.args(["-c", "umask 022; exec umoci --log=debug unpack --image \"$0\" \"$1\""]);
    umoci.arg(format!("{}:{TAG}", layout.display())).arg(directory.join("bundle"));
    let Output { status, stdout, stderr } = command::output(&mut umoci)?;
    if status.success() {
        return Ok(Outcome::Accepted);
    }
    let text = [stdout, stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let entries = text.lines().filter(|line| line.contains("unpacking entry")).count();
    let reason = text.lines().rfind(|line| !line.contains("debug") && !line.trim().is_empty()).unwrap_or(&text);
    let last = entries.checked_sub(1).ok_or(Failure::new(format!("umoci does not begin: {text}")))?;
    Ok(Outcome::Refused(last, reason.to_owned()))
}
