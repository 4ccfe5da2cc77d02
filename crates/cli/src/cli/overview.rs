//! What `nex` alone answers: what it can do for somebody, and the command for each.

use crate::diagnostic::Diagnostic;
use crate::end::End;
use crate::output;

/// Tasks, and the command for each.
const TASKS: &[(&str, &str)] = &[
    ("make a root filesystem from an image", "nex rootfs --image alpine:3.20 -o rootfs.ext4"),
    ("change an image with a setup script", "nex rootfs --image alpine:3.20 --script setup.sh"),
    ("run a program in a virtual machine", "nex run --rootfs rootfs.ext4 ./hello -- ARGS"),
    ("open a shell in a guest", "nex shell web"),
    ("copy files into a guest, or out of it", "nex cp app.conf web:/etc/app.conf"),
    ("see which guests there are", "nex ps --all"),
    ("see what a guest has written", "nex logs --follow web"),
    ("boot one, and see whether it is ready", "nex rootfs boot rootfs.ext4"),
    ("see what would keep one from booting", "nex rootfs check rootfs.ext4"),
    ("learn why a boot failed", "nex rootfs explain console.log"),
    ("make one larger", "nex rootfs grow rootfs.ext4 +1GiB"),
    ("put another agent into one", "nex rootfs set-agent rootfs.ext4 ./my-agent"),
    ("get a kernel for guests", "nex kernel build"),
    ("see and shrink the cache", "nex cache ls"),
    ("complete commands in the shell", "nex completion bash --install"),
];

/// Shows the tasks. No command is no use of nex, so it does not end well.
///
/// # Errors
/// When standard output is full, or nobody reads it any more.
pub fn show() -> Result<End, Diagnostic> {
    output::print("the overview", &text())?;
    Ok(End::Code(WRONG_USAGE))
}

/// What clap ends with, too, when arguments are missing.
const WRONG_USAGE: u8 = 2;

fn text() -> String {
    let width = TASKS.iter().map(|(task, _)| task.len()).max().unwrap_or_default();
    let tasks: String = TASKS.iter().map(|(task, command)| format!("  {task:<width$}  {command}\n")).collect();
    format!(
        "nex makes root filesystems for microVMs, and boots them. What do you want to do?\n\n{tasks}\n\
         'nex -h' lists all commands, 'nex COMMAND -h' shows the usual flags of one, and 'nex COMMAND --help' shows all of them.\n"
    )
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    /// A command that nex does not know helps nobody.
    #[test]
    fn every_task_has_a_command_that_nex_takes() {
        for (task, command) in TASKS {
            let taken = Cli::command().try_get_matches_from(command.split(' '));
            assert!(taken.is_ok(), "{task}: {command}: {}", taken.err().unwrap());
        }
    }

    #[test]
    fn it_fits_a_screen() {
        assert!(text().lines().count() <= 20);
        assert!(TASKS.iter().all(|(task, command)| task.len() <= 40 && command.len() <= 56));
    }
}
