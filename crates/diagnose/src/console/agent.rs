//! What the agent itself says.

use nex_protocol::{Event, Role};

use super::Known;
use super::boot::Boot;
use super::rules::{AGENT_FAILED, INITRAMFS_WITHOUT_ROOT};
use super::symptom::Symptom;
use super::text::{Content, Message};

/// Reads an event of the agent's.
pub fn read(message: &Message, boot: &Boot, _known: &Known) -> Option<Symptom> {
    let Content::Event(Event::Fail(fail)) = &message.content else { return None };
    let text = String::from_utf8_lossy(&fail.text);
    if boot.role == Some(Role::Initramfs) {
        let words = format!("the root filesystem was not reached: {text}");
        let remedy = "see root= and the kernel's lines before this one";
        return Some(Symptom::cause(&INITRAMFS_WITHOUT_ROOT, message, words, remedy));
    }
    let words = format!("the agent says: {text}");
    Some(Symptom::cause(&AGENT_FAILED, message, words, "mend what it names, in the image or on the command line"))
}
