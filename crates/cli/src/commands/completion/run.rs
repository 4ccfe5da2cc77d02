//! `nex completion`: a shell's script for completing what is typed behind `nex`.

use std::path::PathBuf;

use clap::CommandFactory;
use clap_complete::Shell;
use nex_contract::Document;
use nex_file::whole;
use nex_text::shell_word;
use serde_json::json;

use super::args::CompletionArgs;
use crate::args::common::CommonArgs;
use crate::args::format::Format;
use crate::cli::Cli;
use crate::codes::{ENVIRONMENT, OUTPUT};
use crate::diagnostic::Diagnostic;
use crate::output;

/// Prints the script, or writes it to where the shell finds it.
///
/// # Errors
/// When it cannot be written, or the shell has no place for it.
pub fn run(args: &CompletionArgs, common: &CommonArgs) -> Result<(), Diagnostic> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "nex", &mut script);
    let is_json = common.format == Format::Json;
    let schema_version = Document::Completion.schema_version();
    let shell = args.shell.to_string();
    if !args.install {
        let script = String::from_utf8_lossy(&script);
        let text = match is_json {
            true => output::in_json(&json!({ "schemaVersion": schema_version, "shell": shell, "script": script }))?,
            false => script.into_owned(),
        };
        return output::print("the script", &text);
    }
    let place = place(args.shell, |name| std::env::var_os(name).map(PathBuf::from))?;
    whole::write(&place.file, &script).map_err(|error| {
        Diagnostic::new(OUTPUT, format!("cannot write '{}'", place.file.display()))
            .caused(&error)
            .hinting("print the script without --install, and put it elsewhere")
    })?;
    let file = place.file.display().to_string();
    let text = match is_json {
        true => output::in_json(
            &json!({ "schemaVersion": schema_version, "shell": shell, "file": file, "then": place.then }),
        )?,
        false if common.quiet => format!("{file}\n"),
        false => format!("{file}\n{}\n", place.then),
    };
    output::print("where the script is", &text)
}

/// Where a shell finds a user's script.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    file: PathBuf,
    /// What is left to do.
    then: String,
}

fn place(shell: Shell, variable: impl Fn(&str) -> Option<PathBuf>) -> Result<Place, Diagnostic> {
    // The XDG rules: what is no absolute path counts for nothing.
    let absolute = |name| variable(name).filter(|path| path.is_absolute());
    let home = || {
        absolute("HOME").ok_or_else(|| {
            Diagnostic::new(ENVIRONMENT, "there is no HOME to install into")
                .hinting("print the script without --install, and put it in a file")
        })
    };
    let below = |name, usual: &str| absolute(name).map_or_else(|| Ok(home()?.join(usual)), Ok::<_, Diagnostic>);
    let data = || below("XDG_DATA_HOME", ".local/share");
    match shell {
        Shell::Bash => {
            let own = absolute("BASH_COMPLETION_USER_DIR")
                .map_or_else(|| Ok(data()?.join("bash-completion")), Ok::<_, Diagnostic>)?;
            let then =
                "new shells complete nex if they load the package bash-completion, as ~/.bashrc does on most systems";
            Ok(Place { file: own.join("completions/nex"), then: then.into() })
        }
        Shell::Zsh => {
            let directory = data()?.join("zsh/site-functions");
            let then = format!(
                "if it is not there yet, put this line into ~/.zshrc, before 'compinit': fpath=({} $fpath)",
                shell_word(&directory)
            );
            Ok(Place { file: directory.join("_nex"), then })
        }
        Shell::Fish => {
            let file = below("XDG_CONFIG_HOME", ".config")?.join("fish/completions/nex.fish");
            Ok(Place { file, then: "new shells complete nex; nothing is left to do".into() })
        }
        other => Err(Diagnostic::usage(format!(
            "{other} looks for scripts of users in no directory: have its profile run 'nex completion {other}' (nex completion --help \
             tells how)"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_stand_where_xdg_says() {
        let file = |shell, variables: &[(&str, &str)]| {
            let variable =
                |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
            place(shell, variable).map(|place| place.file.display().to_string()).map_err(|error| error.text())
        };
        let home = [("HOME", "/home/u")];
        assert_eq!(file(Shell::Bash, &home), Ok("/home/u/.local/share/bash-completion/completions/nex".into()));
        assert_eq!(file(Shell::Zsh, &home), Ok("/home/u/.local/share/zsh/site-functions/_nex".into()));
        assert_eq!(file(Shell::Fish, &home), Ok("/home/u/.config/fish/completions/nex.fish".into()));
        let xdg = [("XDG_DATA_HOME", "/d"), ("XDG_CONFIG_HOME", "/c"), ("BASH_COMPLETION_USER_DIR", "relative")];
        assert_eq!(file(Shell::Bash, &xdg), Ok("/d/bash-completion/completions/nex".into()));
        assert_eq!(file(Shell::Fish, &xdg), Ok("/c/fish/completions/nex.fish".into()));
        assert_eq!(file(Shell::Bash, &[("BASH_COMPLETION_USER_DIR", "/b")]), Ok("/b/completions/nex".into()));
        assert!(file(Shell::Zsh, &[("XDG_DATA_HOME", "relative")]).is_err_and(|said| said.contains("HOME")));
        assert!(file(Shell::Elvish, &home).is_err_and(|said| said.contains("nex completion elvish")));
        let spaced = place(Shell::Zsh, |_| Some("/a b".into()));
        assert!(spaced.is_ok_and(|place| place.then.ends_with("fpath=('/a b/zsh/site-functions' $fpath)")));
    }
}
