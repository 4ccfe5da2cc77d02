//! What the agent itself says.

use nex_protocol::{Event, Role};

use super::boot::Boot;
use super::rules::{
    AGENT_FAILED, DRIVE_READ_ONLY, INITRAMFS_BROKEN, INITRAMFS_WITHOUT_ROOT, NO_INIT, NO_ROOT_DEVICE, ROOT_UNMOUNTABLE,
};
use super::symptom::Symptom;
use super::text::{Content, Message};
use super::{Known, errno, init, init_program, root};

const PERMISSION: i32 = -13;
const READ_ONLY: i32 = -30;

/// Reads an event of the agent's.
pub fn read(message: &Message, boot: &Boot, known: &Known) -> Option<Symptom> {
    let Content::Event(Event::Fail(fail)) = &message.content else { return None };
    let text = String::from_utf8_lossy(&fail.text);
    if let Some(rest) = text.strip_prefix("cannot start the init ") {
        let (path, error) = rest.split_once(": ").unwrap_or((rest, ""));
        return Some(init::not_started(message, path, errno::named(error).unwrap_or_default(), boot, known));
    }
    if boot.role == Some(Role::Initramfs) {
        return Some(initramfs(message, &text, boot, known));
    }
    let words = format!("the agent says: {text}");
    Some(Symptom::cause(&AGENT_FAILED, message, words, "mend what it names, in the image or on the command line"))
}

/// The agent in the initramfs, which loads modules and goes on to the root.
fn initramfs(message: &Message, text: &str, boot: &Boot, known: &Known) -> Symptom {
    if text.starts_with("the root has no init") {
        let words = "the root filesystem has no init: none of /sbin/init, /etc/init, /bin/init and /bin/sh is there";
        return Symptom::cause(&NO_INIT, message, words, init_program::name_another(known));
    }
    if text.contains(" module ") {
        let remedy = "the modules have to be those of this very kernel: give the directory that came with it";
        return Symptom::suspect(&INITRAMFS_BROKEN, message, text, remedy);
    }
    let name = boot.parameter("root").unwrap_or("the root");
    if text.contains(" is not there after ") || text.starts_with("root=") {
        let words = format!("the root filesystem was not found: {text}");
        return Symptom::cause(&NO_ROOT_DEVICE, message, words, root::remedy_for_name(name, boot));
    }
    match errno::named(text) {
        Some(PERMISSION | READ_ONLY) => {
            let words = format!("the root on {name} has to be written, and its drive is read only: {text}");
            let remedy = "boot with 'ro' in place of 'rw', or give the guest a drive that it may write";
            Symptom::cause(&DRIVE_READ_ONLY, message, words, remedy)
        }
        Some(_) => {
            // The kernel's own words before this line are the cause, where it has any.
            let words = format!("the root filesystem on {name} cannot be mounted: {text}");
            Symptom::outcome(&ROOT_UNMOUNTABLE, message, words, init_program::which_file(known))
        }
        None => {
            let words = format!("the root filesystem was not reached: {text}");
            Symptom::cause(&INITRAMFS_WITHOUT_ROOT, message, words, "see root= and the kernel's lines before this one")
        }
    }
}
