//! The arguments of `nex completion`.

use clap::Args;
use clap_complete::Shell;

/// `nex completion`.
#[derive(Debug, Args)]
pub struct CompletionArgs {
    /// The shell.
    pub shell: Shell,

    /// Write the script to where the shell looks for a user's own scripts, not to standard output.
    #[arg(long)]
    pub install: bool,
}

/// What `--help` says behind the flags.
pub const HELP: &str = "\
--install writes below $XDG_DATA_HOME (~/.local/share) or, for fish, $XDG_CONFIG_HOME (~/.config), and needs no root. It prints
what you still have to do: zsh has to know the directory, and bash needs the package bash-completion. The places for all users are:

  bash        /usr/share/bash-completion/completions/nex
  zsh         /usr/share/zsh/site-functions/_nex (Debian: vendor-completions)
  fish        /usr/share/fish/vendor_completions.d/nex.fish
  elvish      eval (nex completion elvish | slurp), in rc.elv
  powershell  nex completion powershell | Out-String | Invoke-Expression, in $PROFILE

Examples:
  nex completion bash --install
  nex completion fish > nex.fish
  source <(nex completion bash)";
