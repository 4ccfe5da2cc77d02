//! Why a program does not run in a guest, in the user's terms.

use std::path::PathBuf;

use nex_contract::{AGENT, Unstarted};
use nex_diagnose::{CheckError, Refused};
use nex_fault::{Code, Fault, Remedy, Setting};
use nex_guest::DriveError;
use nex_inspect::RootFsError;
use nex_supervise::StateError;

use crate::codes;
use crate::command::CommandError;
use crate::follow_error::FollowError;
use crate::program::ProgramError;
use crate::report::End;

/// Why there is no guest to report on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The root filesystem cannot be read.
    #[error("cannot read '{}'", .path.display())]
    Root {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: RootFsError,
    },
    /// The root filesystem cannot be checked.
    #[error(transparent)]
    Check(#[from] CheckError),
    /// It would not come up.
    #[error(transparent)]
    Contract(#[from] Refused),
    /// Its agent is not nex's own, or not one that this nex understands.
    #[error(
        "nex run cannot use the agent of '{}': {} {why}, and the agent has to run the program and report its end",
        .root.display(), AGENT
    )]
    Agent {
        /// The root filesystem.
        root: PathBuf,
        /// What its agent is.
        why: String,
    },
    /// It is not known what to run.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The program would not start.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The agent would not start the program.
    #[error("the program cannot be started in '{}'", .root.display())]
    Unstarted {
        /// The root filesystem.
        root: PathBuf,
        /// Why.
        #[source]
        why: Unstarted,
    },
    /// Standard input or a terminal is asked for, and there is no way for it into the guest.
    #[error("the program cannot have standard input or a terminal in '{}': {why}", .root.display())]
    NoChannel {
        /// The root filesystem.
        root: PathBuf,
        /// What is missing.
        why: String,
    },
    /// The guest has no place for its record, and cannot do without.
    #[error(transparent)]
    Place(#[from] StateError),
    /// A drive cannot be made.
    #[error(transparent)]
    Drive(#[from] DriveError),
    /// The guest cannot be made or started.
    #[error(transparent)]
    Guest(#[from] nex_guest::Error),
    /// A signal of this number came before the guest ran.
    #[error("ended by signal {0} before the guest ran")]
    Stopped(u8),
    /// The guest cannot be followed.
    #[error(transparent)]
    Follow(#[from] FollowError),
}

/// nex or the guest failed, in docker's words.
pub const FAILED: u8 = nex_contract::NOT_STARTED;

impl Error {
    /// The exit code for it.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Program(error) => error.exit_code(),
            Self::Unstarted { why, .. } => why.code,
            Self::Stopped(signal) => End::Signal(*signal).exit_code(),
            _ => FAILED,
        }
    }
}

impl Fault for Error {
    fn code(&self) -> Code {
        match self {
            Self::Root { cause, .. } => cause.code(),
            Self::Check(error) => error.code(),
            Self::Contract(error) => error.code(),
            Self::Agent { .. } => codes::AGENT,
            Self::Command(error) => error.code(),
            Self::Program(error) => error.code(),
            Self::Unstarted { why, .. } => why.code(),
            Self::NoChannel { .. } => codes::NO_CHANNEL,
            Self::Place(error) => error.code(),
            Self::Drive(error) => error.code(),
            Self::Guest(error) => error.code(),
            Self::Stopped(_) => codes::STOPPED,
            Self::Follow(error) => error.code(),
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        let all_the_same = |words: String| Remedy::say(words).allow(Setting::NoCheck).and("tries it all the same");
        match self {
            Self::Root { cause, .. } => cause.remedy(),
            Self::Check(error) => error.remedy(),
            Self::Contract(error) => error.remedy(),
            Self::Unstarted { why, .. } => {
                let all_the_same = all_the_same(String::new());
                Some(match why.remedy() {
                    Some(remedy) => remedy.also(all_the_same),
                    None => all_the_same,
                })
            }
            Self::Agent { root, .. } => {
                let root = nex_text::shell_word(root);
                Some(all_the_same(format!("give it nex's own: nex rootfs set-agent {root} NEX-AGENT;")))
            }
            Self::Command(error) => error.remedy(),
            Self::Program(error) => error.remedy(),
            Self::NoChannel { .. } => {
                Some(Remedy::say("leave").omit(Setting::Interactive).and("and").omit(Setting::Tty).and("out"))
            }
            Self::Place(error) => error.remedy(),
            Self::Drive(error) => error.remedy(),
            Self::Guest(error) => error.remedy(),
            Self::Stopped(_) => None,
            Self::Follow(error) => error.remedy(),
        }
    }
}

#[cfg(test)]
mod tests {
    use nex_fault::advised;
    use nex_program::{BadScript, NotAProgram};

    use super::*;

    #[test]
    fn errors_say_what_is_wrong_and_programs_learn_what_to_do() {
        let script = NotAProgram::Script(BadScript::Crlf(b"/bin/sh\r".to_vec()));
        let unstarted =
            Unstarted::new(nex_contract::NOT_FOUND, "no-such-program is in none of the directories of PATH");
        let cases = [
            (
                Error::Unstarted { root: "a.ext4".into(), why: unstarted },
                "the program cannot be started in 'a.ext4': no-such-program is in none of the directories of PATH; --no-check tries it \
                 all the same",
                "workload-not-found",
            ),
            (
                Error::Agent { root: "a.ext4".into(), why: "is not nex's own".into() },
                "nex run cannot use the agent of 'a.ext4': /usr/local/bin/agent is not nex's own, and the agent has to run \
                 the program and report its end; give it nex's own: nex rootfs set-agent a.ext4 NEX-AGENT; --no-check tries it all the same",
                "run-agent",
            ),
            (
                ProgramError::NotAProgram { path: "tool".into(), cause: script }.into(),
                "'tool' is no program: its first line ends with CRLF, as on Windows, so that the CR becomes a part of '/bin/sh\\r'; end \
                 its lines with LF alone: sed -i 's/\\r$//' FILE; or name a static Linux binary",
                "program-script",
            ),
            (
                CommandError::Restart.into(),
                "the image's program is process 1 in this root filesystem, and the guest ends with it; leave --restart out, or make the \
                 root filesystem without --pid1 image",
                "run-restart",
            ),
        ];
        for (error, line, code) in cases {
            let said = advised(&error, Setting::flag);
            assert_eq!((said.as_str(), error.code().id()), (line, code));
        }
    }
}
