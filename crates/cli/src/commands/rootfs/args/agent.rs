//! The flags that say how the agent is started in the guest.

use clap::{Args, ValueEnum};
use nex_rootfs::guest::{AgentService, Pid1};

/// The service that starts the agent.
#[derive(Debug, Args)]
#[command(next_help_heading = "Agent")]
pub struct AgentArgs {
    /// An argument for an agent that is not nex's own; may be given several times.
    #[arg(long, value_name = "WORD", value_parser = plain, allow_hyphen_values = true)]
    pub agent_arg: Vec<String>,

    /// A variable for an agent that is not nex's own; may be given several times.
    ///
    /// Everybody in the guest can read it.
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    pub agent_env: Vec<(String, String)>,

    /// The user that the agent runs as when it is a service: a user of the image [default: nex, which nex adds].
    #[arg(long, value_name = "USER[:GROUP]", value_parser = user)]
    pub agent_user: Option<String>,

    /// Process 1 of the guest after its start: the agent, or the image's program.
    ///
    /// The flag matters if the agent starts as process 1. The image's program is for images whose program is an init
    /// (s6-overlay, systemd).
    #[arg(long, value_enum, default_value_t = Pid1Arg::Agent)]
    pub pid1: Pid1Arg,

    /// The path by which the guest starts the agent, a link to the agent's file [default: that itself, /usr/local/bin/agent].
    #[arg(long, value_name = "PATH", value_parser = path)]
    pub agent_path: Option<String>,
}

/// The value of `--pid1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Pid1Arg {
    /// The agent; the image's program is a child of it.
    Agent,
    /// The image's program; no agent runs then, so nothing reports the program's end.
    Image,
}

impl AgentArgs {
    /// Who is process 1.
    pub fn pid1(&self) -> Pid1 {
        match self.pid1 {
            Pid1Arg::Agent => Pid1::Agent,
            Pid1Arg::Image => Pid1::Image,
        }
    }

    /// How it is started.
    pub fn service(&self) -> AgentService {
        AgentService {
            path: self.agent_path.clone(),
            args: self.agent_arg.clone(),
            env: self.agent_env.clone(),
            user: self.agent_user.clone(),
        }
    }
}

/// The longest word, in bytes: a line of a unit must not come near what systemd reads of one.
const LONGEST: usize = 32 << 10;

fn plain(text: &str) -> Result<String, String> {
    if text.chars().any(char::is_control) {
        return Err("it has a control character, such as a line break, which no service manager takes".into());
    }
    if text.len() > LONGEST {
        return Err(format!("it has more than {LONGEST} bytes"));
    }
    Ok(text.into())
}

/// Shells set it, so its name is one of theirs.
fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("a variable is NAME=VALUE")?;
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    if name.is_empty() || name.starts_with(|first: char| first.is_ascii_digit()) || !name.chars().all(is_letter) {
        return Err("the name of a variable has letters, digits and underscores, and no digit in front".into());
    }
    Ok((name.into(), plain(value)?))
}

fn user(text: &str) -> Result<String, String> {
    let text = plain(text)?;
    let is_there = |part: &str| !part.is_empty() && !part.contains(':');
    let is_user = text.split_once(':').map_or(is_there(&text), |(user, group)| is_there(user) && is_there(group));
    if is_user { Ok(text) } else { Err("a user is USER or USER:GROUP".into()) }
}

fn path(text: &str) -> Result<String, String> {
    /// What a guest mounts something over.
    const MOUNTED: [&str; 5] = ["dev", "proc", "run", "sys", "tmp"];
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "._-+/".contains(letter);
    let names: Vec<&str> = text.strip_prefix('/').map(|rest| rest.split('/').collect()).unwrap_or_default();
    if names.is_empty() || names.iter().any(|name| matches!(*name, "" | "." | "..")) || !text.chars().all(is_plain) {
        return Err("the path is absolute, without '..' and '//', of letters, digits, and '.', '_', '-' and '+'".into());
    }
    if text.len() > 255 || MOUNTED.contains(&names[0]) {
        return Err("the path has at most 255 bytes, and is not in /dev, /proc, /run, /sys or /tmp".into());
    }
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_path_is_where_the_agent_stands() {
        let command = AgentArgs::augment_args(clap::Command::new("nex"));
        let argument = command.get_arguments().find(|argument| argument.get_id() == "agent_path");
        let help = argument.and_then(clap::Arg::get_help).map(ToString::to_string).unwrap_or_default();
        assert!(help.ends_with(&format!("[default: that itself, {}]", nex_contract::AGENT)), "{help}");
    }

    #[test]
    fn words_and_variables_are_plain() {
        for text in ["", "--flag=a b", "'\"\\$%;", "\u{1f980}"] {
            assert_eq!(plain(text).as_deref(), Ok(text));
        }
        for text in ["a\nb", "\t", "\x1b[2J", "\u{9b}x", "\0", &"x".repeat(LONGEST + 1)] {
            assert!(plain(text).is_err(), "{text:?}");
        }
        assert_eq!(variable("A_1==b"), Ok(("A_1".into(), "=b".into())));
        for text in ["", "A", "=b", "1A=b", "A.B=c", "A=b\nc", "\u{e9}=a", "A =b"] {
            assert!(variable(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn users_and_paths_have_forms() {
        assert!(["web", "0", "web:www", "1:2"].iter().all(|text| user(text).is_ok()));
        assert!(["", ":", "a:", ":b", "a:b:c", "a\n"].iter().all(|text| user(text).is_err()));
        assert!(["/agent", "/opt/acme/agent-1.2+x"].iter().all(|text| path(text).is_ok()));
        for text in ["", "agent", "/", "/a/", "/a//b", "/a/../b", "/a b", "/a%n", "/tmp/agent", "/run/x", "/a\"b"] {
            assert!(path(text).is_err(), "{text}");
        }
    }
}
