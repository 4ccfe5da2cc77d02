//! What runs in the guest, put together from the image's words and the user's, as docker does it.

use std::io;

use nex_program::View;
use nex_workload::{IMAGE_FILE, ImageConfig, MAX_FILE, Restart, Workload};

use crate::program::OwnProgram;

/// What the user asks for.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// Arguments: of the program, or, without one, in place of the image's own.
    pub args: Vec<String>,
    /// Environment, each `NAME=value`, on top of the image's.
    pub env: Vec<String>,
    /// User, or user and group, in place of the image's.
    pub user: Option<String>,
    /// The directory to start in, in place of the image's.
    pub working_dir: Option<String>,
    /// Whether it is started again.
    pub restart: Restart,
}

/// Why it is not known what to run.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The image's configuration cannot be read.
    #[error("cannot read {IMAGE_FILE} of the image: {0}")]
    Read(#[from] io::Error),
    /// It is longer than any such file, or something else.
    #[error(
        "{IMAGE_FILE} of the image is no image's configuration: {0}; make the root filesystem again with nex rootfs"
    )]
    Configuration(String),
    /// Nobody names a program.
    #[error(
        "the image names no program (no entrypoint and no command); name a BINARY, or one of the image: -- /bin/sh -c 'uname -a'"
    )]
    Nothing,
}

/// What the image says about its workload; nothing, where nex has not made the root filesystem.
///
/// # Errors
/// When it cannot be read.
pub fn image_config(root: &dyn View) -> Result<ImageConfig, CommandError> {
    let Some(json) = root.read(IMAGE_FILE.as_bytes(), MAX_FILE)? else { return Ok(ImageConfig::default()) };
    ImageConfig::from_json(&json).map_err(|error| CommandError::Configuration(error.to_string()))
}

/// The workload: the user's program, or the image's own.
///
/// # Errors
/// When neither the image nor the user names a program.
pub fn workload(config: ImageConfig, wishes: Wishes, program: Option<&OwnProgram>) -> Result<Workload, CommandError> {
    let ImageConfig { cmd, entrypoint, mut env, stop_signal, user, working_dir, .. } = config;
    let Wishes { args, env: own_env, user: own_user, working_dir: own_directory, restart } = wishes;
    env.extend(own_env);
    let mut workload = Workload {
        args,
        env,
        user: own_user.unwrap_or(user),
        working_dir: own_directory.unwrap_or(working_dir),
        stop_signal,
        restart,
        ..Workload::default()
    };
    match program {
        Some(program) => workload.argv0.clone_from(&program.name),
        None => {
            let arguments = if workload.args.is_empty() { cmd } else { workload.args };
            let mut words = entrypoint.into_iter().chain(arguments);
            workload.program = words.next().filter(|name| !name.is_empty()).ok_or(CommandError::Nothing)?;
            workload.args = words.collect();
        }
    }
    Ok(workload)
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
    fn arguments_take_the_place_of_the_image_s_command_behind_its_entrypoint() {
        let run = |args: &[&str]| {
            let wishes = Wishes { args: strings(args), ..Wishes::default() };
            let workload = workload(config(), wishes, None).unwrap();
            (workload.program, workload.args)
        };
        assert_eq!(run(&[]), ("/entry".into(), strings(&["-x", "serve"])));
        assert_eq!(run(&["test", ""]), ("/entry".into(), strings(&["-x", "test", ""])));
        let without = ImageConfig { entrypoint: Vec::new(), ..config() };
        let wishes = Wishes { args: strings(&["uname", "-a"]), ..Wishes::default() };
        let workload = workload(without, wishes, None).unwrap();
        assert_eq!((workload.program.as_str(), workload.args), ("uname", strings(&["-a"])));
    }

    #[test]
    fn the_user_s_words_win_over_the_image_s() {
        let workload = workload(config(), Wishes::default(), None).unwrap();
        assert_eq!(
            (workload.user.as_str(), workload.working_dir.as_str(), workload.stop_signal.as_str()),
            ("web", "/srv", "SIGQUIT")
        );
        let wishes = Wishes {
            env: strings(&["A=2"]),
            user: Some("0".into()),
            working_dir: Some("/".into()),
            ..Wishes::default()
        };
        let workload = super::workload(config(), wishes, None).unwrap();
        assert_eq!(workload.env, strings(&["PATH=/bin", "A=1", "A=2"]));
        assert_eq!((workload.user.as_str(), workload.working_dir.as_str()), ("0", "/"));
    }

    #[test]
    fn without_any_program_there_is_nothing_to_run() {
        for config in [ImageConfig::default(), ImageConfig { cmd: strings(&[""]), ..ImageConfig::default() }] {
            assert!(matches!(workload(config, Wishes::default(), None), Err(CommandError::Nothing)));
        }
    }
}
