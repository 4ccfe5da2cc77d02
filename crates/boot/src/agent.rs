//! Whether the root filesystem's agent can tell that its guest is up, before anybody waits for that.

use nex_contract::AGENT;
use nex_program::Speech;

use crate::error::Error;
use crate::options::Options;
use crate::ready::ReadyWhen;

/// Refuses a root filesystem whose guest nobody would know to be up. One that cannot be read is left to the guest's kernel.
pub(crate) fn check(options: &Options) -> Result<(), Error> {
    let path = options.root.path();
    let Ok(root) = options.root.read() else { return Ok(()) };
    let speech = Speech::of(&root, AGENT.as_bytes());
    if root.take_trouble().is_some() {
        return Ok(());
    }
    let unfit = match &speech {
        Some(speech) => speech.unfit(),
        None => Some("is not there".into()),
    };
    let Some(why) = unfit else { return Ok(()) };
    if options.machine.overlay.is_some() {
        return Err(Error::OverlayAgent { path: path.into(), why });
    }
    let is_told = !matches!(options.ready, ReadyWhen::Agent);
    if is_told || speech == Some(Speech::Lines) {
        return Ok(());
    }
    let why = match &speech {
        Some(Speech::None) => format!("{why}, and does not speak to the host"),
        _ => why,
    };
    let remedy = match speech {
        None => "make it anew with nex rootfs, which adds an agent".into(),
        _ => format!("give it an agent that reports: nex rootfs set-agent {} NEX-AGENT", nex_text::shell_word(path)),
    };
    Err(Error::SilentAgent { path: path.into(), why, remedy })
}
