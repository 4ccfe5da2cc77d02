//! What runs in the guest, put together from the image's words and the user's, as docker does it.

use nex_contract::{IMAGE_FILE, ImageConfig, Pid1, Restart, Stdin, Terminal, Workload};
use nex_diagnose::ImageRoot;
use nex_fault::{Code, Fault, Remedy, Setting};
use nex_inspect::View;

use crate::codes;
use crate::program::OwnProgram;

/// What the user asks for.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Arguments: of the program, or, without one, in place of the image's own.
    pub args: Vec<String>,
    /// Environment, each `NAME=value`, on top of the image's.
    pub env: Vec<String>,
    /// User, or user and group, in place of the image's.
    pub user: Option<String>,
    /// The directory to start in, in place of the image's.
    pub working_dir: Option<String>,
    /// How many files it may have open.
    pub open_files: Option<u64>,
    /// Whether it is started again.
    pub restart: Restart,
    /// Where its standard input comes from.
    pub stdin: Stdin,
    /// Its terminal, if it has one.
    pub terminal: Option<Terminal>,
}

impl Overrides {
    /// Whether there is no way to do it but by the guest's channel.
    pub fn are_interactive(&self) -> bool {
        self.stdin == Stdin::Stream || self.terminal.is_some()
    }
}

/// Why it is not known what to run.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The image's configuration cannot be read, or is something else.
    #[error("{IMAGE_FILE} of the image is no image's configuration: {0}")]
    Configuration(String),
    /// Nobody names a program.
    #[error("the image names no program (no entrypoint and no command)")]
    Nothing,
    /// Who would start it again is gone.
    #[error("the image's program is process 1 in this root filesystem, and the guest ends with it")]
    Restart,
}

impl Fault for CommandError {
    fn code(&self) -> Code {
        match self {
            Self::Configuration(_) => codes::CONFIGURATION,
            Self::Nothing => codes::NO_PROGRAM,
            Self::Restart => codes::RESTART,
        }
    }

    fn remedy(&self) -> Option<Remedy> {
        Some(match self {
            Self::Configuration(_) => Remedy::say("make the root filesystem again with nex rootfs"),
            Self::Nothing => Remedy::say("name a BINARY, or one of the image: -- /bin/sh -c 'uname -a'"),
            Self::Restart => Remedy::say("leave")
                .omit(Setting::Restart)
                .and("out, or make the root filesystem without")
                .omit(Setting::Pid1)
                .and("image"),
        })
    }
}

/// What the image says about its workload; nothing, where nex has not made the root filesystem.
///
/// # Errors
/// When it cannot be read.
pub fn image_config(root: &dyn View) -> Result<ImageConfig, CommandError> {
    let config = ImageConfig::of(&ImageRoot::new(root)).map_err(CommandError::Configuration)?;
    Ok(config.unwrap_or_default())
}

/// The workload: the user's program, or the image's own.
///
/// # Errors
/// When neither the image nor the user names a program.
pub fn workload(
    config: ImageConfig,
    overrides: Overrides,
    program: Option<&OwnProgram>,
) -> Result<Workload, CommandError> {
    let Overrides { args, env, user, working_dir, open_files, restart, .. } = overrides;
    let mut workload = match program {
        Some(program) => {
            let (program, argv0) = (String::new(), program.name.clone());
            // Process 1 is for the image's own program.
            Workload { program, argv0, args, pid1: Pid1::Agent, ..config.workload(Vec::new()) }
        }
        None => Some(config.workload(args)).filter(|own| !own.program.is_empty()).ok_or(CommandError::Nothing)?,
    };
    workload.env.extend(env);
    workload.user = user.unwrap_or(workload.user);
    workload.working_dir = working_dir.unwrap_or(workload.working_dir);
    workload.open_files = open_files;
    workload.restart = restart;
    match (workload.pid1, workload.restart) {
        (Pid1::Image, Restart::OnFailure { .. } | Restart::Always) => Err(CommandError::Restart),
        _ => Ok(workload),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strings(words: &[&str]) -> Vec<String> {
        words.iter().map(ToString::to_string).collect()
    }

    fn config() -> ImageConfig {
        ImageConfig {
            entrypoint: strings(&["/entry", "-x"]),
            cmd: strings(&["serve"]),
            env: strings(&["PATH=/bin", "A=1"]),
            user: "web".into(),
            working_dir: "/srv".into(),
            stop_signal: "SIGQUIT".into(),
            ..ImageConfig::default()
        }
    }

    #[test]
    fn the_user_s_words_win_over_the_image_s() {
        let workload = workload(config(), Overrides::default(), None).unwrap();
        assert_eq!(
            (workload.user.as_str(), workload.working_dir.as_str(), workload.stop_signal.as_str()),
            ("web", "/srv", "SIGQUIT")
        );
        let overrides = Overrides {
            env: strings(&["A=2"]),
            user: Some("0".into()),
            working_dir: Some("/".into()),
            open_files: Some(64),
            ..Overrides::default()
        };
        let workload = super::workload(config(), overrides, None).unwrap();
        assert_eq!(workload.env, strings(&["PATH=/bin", "A=1", "A=2"]));
        assert_eq!((workload.user.as_str(), workload.working_dir.as_str()), ("0", "/"));
        assert_eq!(workload.open_files, Some(64));
    }

    #[test]
    fn the_image_s_program_alone_is_process_one() {
        let config = ImageConfig { pid1: Pid1::Image, ..config() };
        let own = workload(config.clone(), Overrides { args: strings(&["x"]), ..Overrides::default() }, None).unwrap();
        assert_eq!((own.pid1, own.args), (Pid1::Image, strings(&["-x", "x"])));
        let file = std::fs::File::open("/dev/null").unwrap();
        let program = OwnProgram { file, name: "tool".into() };
        assert_eq!(workload(config.clone(), Overrides::default(), Some(&program)).unwrap().pid1, Pid1::Agent);
        let again = Overrides { restart: Restart::Always, ..Overrides::default() };
        assert!(matches!(workload(config, again, None), Err(CommandError::Restart)));
    }

    #[test]
    fn without_any_program_there_is_nothing_to_run() {
        for config in [ImageConfig::default(), ImageConfig { cmd: strings(&[""]), ..ImageConfig::default() }] {
            assert!(matches!(workload(config, Overrides::default(), None), Err(CommandError::Nothing)));
        }
    }
}
