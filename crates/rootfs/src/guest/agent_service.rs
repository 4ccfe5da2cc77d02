//! How the agent is started: by what name, with what arguments and variables, and as whom.
//!
//! systemd takes all of it in its unit. For everybody else, arguments and variables stand in a shell script in front of the agent,
//! since OpenRC expands words once more, an entry of an inittab has no quotes, and the kernel gives an init its own arguments.

use nex_contract::{AGENT, RUN_AGENT};
use nex_inspect::{Kind, View, is_executable};
use nex_text::short_name;

use super::Error;
use super::change::Layer;
use super::init::Init;

/// What a service of nex's own making is, and may be otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AgentService {
    /// The name by which it is started, a link to the agent's file; without one, that file's.
    pub path: Option<String>,
    /// Its arguments. None has a control character.
    pub args: Vec<String>,
    /// Its variables, names and values. A name is one of a shell, and no value has a control character.
    pub env: Vec<(String, String)>,
    /// `USER` or `USER:GROUP`, by name or number, as whom it runs; without it, `nex`.
    pub user: Option<String>,
}

impl AgentService {
    /// The name by which it is started.
    pub fn path(&self) -> &str {
        self.path.as_deref().unwrap_or(AGENT)
    }

    /// What a service manager starts that has no quotes of its own.
    pub(crate) fn command(&self) -> &str {
        if self.needs_launcher() { RUN_AGENT } else { self.path() }
    }

    fn needs_launcher(&self) -> bool {
        !self.args.is_empty() || !self.env.is_empty()
    }

    /// Adds the link by which the agent is started, and the script in front of it where the init wants one.
    ///
    /// # Errors
    /// When the link's place is taken, or nobody could run the script.
    pub(crate) fn add_to(&self, view: &dyn View, init: Init, layer: &mut Layer) -> Result<(), Error> {
        if let Some(path) = &self.path {
            self.add_link(path, view, layer)?;
        }
        if !self.needs_launcher() || init == Init::Systemd {
            return Ok(());
        }
        if !is_executable(view, SHELL) {
            return Err(Error::AgentLauncher);
        }
        layer.file(RUN_AGENT.as_bytes(), 0o755, self.launcher());
        Ok(())
    }

    fn add_link(&self, path: &str, view: &dyn View, layer: &mut Layer) -> Result<(), Error> {
        if path == AGENT {
            return Ok(());
        }
        if let Some(stat) = view.lstat(path.as_bytes()) {
            let what = match stat.kind {
                Kind::Directory => Some("a directory"),
                // Scripts would run the agent in its place, the one with the agent's arguments as well.
                _ => SHELLS.contains(&path).then_some("the shell"),
            };
            if let Some(what) = what {
                return Err(Error::AgentPath { path: short_name(path), what });
            }
            layer.note(format!("the agent takes the place of the image's {}", short_name(path)));
        }
        layer.symlink(path.as_bytes(), AGENT.as_bytes());
        Ok(())
    }

    /// The shell script in front of the agent. As process 1 it hands on what the kernel gives it.
    fn launcher(&self) -> String {
        let exports: String =
            self.env.iter().map(|(name, value)| format!("export {name}={}\n", quoted(value))).collect();
        let words: String = self.args.iter().map(|word| format!(" {}", quoted(word))).collect();
        let path = self.path();
        format!("#!/bin/sh\n# The agent with its variables and arguments.\n{exports}exec {path}{words} \"$@\"\n")
    }
}

const SHELL: &[u8] = b"/bin/sh";

/// Names of the shell: `/bin` may be a link.
const SHELLS: [&str; 2] = ["/bin/sh", "/usr/bin/sh"];

/// A text as a shell takes it for one word.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
pub(crate) mod tests {
    use std::process::Command;

    use super::*;

    /// What is hard in a shell, in a unit of systemd, or in both.
    pub(crate) const WORDS: [&str; 14] = [
        "plain",
        "",
        "a  b",
        "'",
        "\"",
        "\\",
        "\\n",
        "$HOME",
        "${HOME}",
        "$$",
        "%n%%",
        "`id`;&|<>*?~#",
        ";",
        "\u{e9}\u{1f980}",
    ];

    #[test]
    fn a_shell_gives_the_agent_the_words_and_values_as_they_are() {
        let shell = ["-c", "printf '%s\\0' \"$@\" \"$A\" \"$B_1\"", "sh"];
        let service = AgentService {
            path: Some("/bin/sh".into()),
            args: shell.into_iter().chain(WORDS).map(str::to_owned).collect(),
            env: vec![("A".into(), "'$(id)\"`\\ ".into()), ("B_1".into(), String::new())],
            user: None,
        };
        let output = output_of(Command::new("sh").args(["-c", &service.launcher()]));
        let given: Vec<&str> = output.split_terminator('\0').collect();
        assert_eq!(given, [&WORDS[..], &["'$(id)\"`\\ ", ""]].concat());
    }

    pub(crate) fn output_of(command: &mut Command) -> String {
        let output = command.output().expect("a shell");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    #[test]
    fn what_the_kernel_gives_an_init_stands_behind() {
        let service =
            AgentService { path: Some("/bin/echo".into()), args: vec!["a b".into()], ..AgentService::default() };
        let mut shell = Command::new("sh");
        assert_eq!(output_of(shell.args(["-c", &service.launcher(), "sh", "splash", "3"])), "a b splash 3\n");
    }
}
