//! `/etc/resolv.conf`: what the image or its script says about name servers stays, as far as that can work in the guest. Else the
//! kernel's `ip=` gives them, by the kernel itself or by our agent.

use nex_contract::AGENT_RESOLV_CONF;
use nex_fault::{Note, Remedy, Setting};
use nex_inspect::View;
use nex_program::{KERNEL_RESOLV_CONF, RESOLV_CONF, ResolvConf as Found, has_resolved, is_dead_server, name_servers};
use nex_sandbox::without_lent;
use serde::Serialize;

use super::change::{FileContent, Layer};
use super::init::Init;
use super::text::{Attributes, Text};
use super::{Error, lossy};

/// What the user wants `/etc/resolv.conf` to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ResolvConfSource {
    /// The image's, where it can work in the guest; else the kernel's.
    #[default]
    Auto,
    /// The image's, whatever it is.
    Keep,
    /// The kernel's, whatever the image has.
    Kernel,
    /// This file.
    File {
        /// What messages call it.
        name: String,
        /// Its text.
        content: Vec<u8>,
    },
}

/// What became of `/etc/resolv.conf`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ResolvConf {
    /// What was done.
    pub action: ResolvConfAction,
    /// Where the link leads, escaped; or the file on the host.
    pub path: Option<String>,
    /// Why, in words.
    pub why: String,
}

/// What was done with `/etc/resolv.conf`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ResolvConfAction {
    /// It stays as the image or a script has it.
    Kept,
    /// It is a link to what the kernel writes.
    Kernel,
    /// It is a link to what our agent writes at boot.
    Agent,
    /// It is the file that the user has named.
    File,
}

/// Whom the guest has.
#[derive(Clone, Copy)]
pub(crate) struct Who {
    /// The init.
    pub(crate) init: Init,
    /// Whether the agent is nex's own, which writes [`AGENT_RESOLV_CONF`] where it is the init.
    pub(crate) agent_is_ours: bool,
}

/// Decides what the file is, and adds that.
pub(crate) fn wire(
    view: &dyn View,
    source: &ResolvConfSource,
    who: Who,
    layer: &mut Layer,
) -> Result<ResolvConf, Error> {
    match source {
        ResolvConfSource::File { name, content } => {
            layer.file(RESOLV_CONF, 0o644, content.clone());
            let (action, why) = (ResolvConfAction::File, "it was asked for".into());
            return Ok(ResolvConf { action, path: Some(name.clone()), why });
        }
        ResolvConfSource::Kernel => return Ok(link(who, layer, "it was asked for")),
        ResolvConfSource::Auto | ResolvConfSource::Keep => {}
    }
    let keep = *source == ResolvConfSource::Keep;
    let kept = |path: Option<&[u8]>, why: &str| {
        let why = if keep { "it was asked for" } else { why };
        Ok(ResolvConf { action: ResolvConfAction::Kept, path: path.map(lossy), why: why.into() })
    };
    let resolved = who.init == Init::Systemd && has_resolved(view);
    match Found::of(view) {
        Found::File { servers } => {
            let servers = take_back(view, servers, keep, layer)?;
            if let Some(dead) = servers.iter().find(|server| is_dead_server(server, resolved)) {
                let fact = format!("/etc/resolv.conf names {}, where nobody answers in the guest", lossy(dead));
                let replaces = Remedy::say("").set(Setting::ResolvConf, "kernel").and("replaces it");
                layer.note(Note::new(fact).advising(replaces));
            }
            match servers.is_empty() && !keep {
                true => Ok(link(who, layer, "the image's file names no server")),
                false => kept(None, "it names a server"),
            }
        }
        Found::Resolved(path) if resolved || keep => kept(Some(&path), "systemd-resolved writes it"),
        Found::MadeLater(path) | Found::Dangling(path) | Found::Resolved(path) if keep => kept(Some(&path), ""),
        Found::MadeLater(path) if path == AGENT_RESOLV_CONF.as_bytes() => {
            Ok(link(who, layer, "the image has no file of its own"))
        }
        Found::MadeLater(path) | Found::Dangling(path) | Found::Resolved(path) => {
            let path = lossy(&path);
            let fact = format!(
                "/etc/resolv.conf was a link to {path}, which nex does not know anybody to make, and is replaced"
            );
            let keeps = Remedy::say("").set(Setting::ResolvConf, "keep").and("keeps it");
            layer.note(Note::new(fact).advising(keeps));
            Ok(link(who, layer, "the image's link leads to no file of the image"))
        }
        Found::Missing | Found::Kernel | Found::NoFile if keep => kept(None, ""),
        Found::Missing | Found::Kernel => Ok(link(who, layer, "the image has no file of its own")),
        Found::NoFile => {
            layer.note("/etc/resolv.conf is no file, and stays; name servers are not found by it");
            kept(None, "it is no file")
        }
    }
}

/// Takes what was lent to the scripts out of the file, and gives the servers that are left.
fn take_back(view: &dyn View, servers: Vec<Vec<u8>>, keep: bool, layer: &mut Layer) -> Result<Vec<Vec<u8>>, Error> {
    let text = Text::load(view, RESOLV_CONF, Attributes::PUBLIC)?;
    let Some(own) = without_lent(text.bytes()) else { return Ok(servers) };
    let servers: Vec<_> = name_servers(&own).map(<[u8]>::to_vec).collect();
    if keep || !servers.is_empty() {
        let Attributes { mode, owner } = text.attributes();
        layer.owned_file(RESOLV_CONF, mode, owner, FileContent::Bytes(own));
    }
    Ok(servers)
}

fn link(who: Who, layer: &mut Layer, why: &str) -> ResolvConf {
    let (action, target) = match who {
        Who { init: Init::Agent, agent_is_ours: true } => (ResolvConfAction::Agent, AGENT_RESOLV_CONF.as_bytes()),
        _ => (ResolvConfAction::Kernel, KERNEL_RESOLV_CONF),
    };
    layer.symlink(RESOLV_CONF, target);
    ResolvConf { action, path: Some(lossy(target)), why: why.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::memory::Image;

    const SERVER: &str = "# own\nnameserver 192.0.2.1\n";

    fn wired(image: &Image, source: &ResolvConfSource, init: Init) -> (Image, ResolvConf, Vec<Note>) {
        let mut layer = Layer::default();
        let who = Who { init, agent_is_ours: true };
        let done = wire(image, source, who, &mut layer).unwrap();
        (image.clone().apply(&layer.changes), done, layer.notes)
    }

    /// The link after a build, and the number of notes; no link for what stays.
    fn auto(image: Image, init: Init) -> (Option<String>, usize) {
        let before = image.at("/etc/resolv.conf").cloned();
        let (guest, done, notes) = wired(&image, &ResolvConfSource::Auto, init);
        let kept = done.action == ResolvConfAction::Kept;
        if kept {
            assert_eq!(guest.at("/etc/resolv.conf"), before.as_ref());
        }
        let target = guest.read_link(b"/etc/resolv.conf").filter(|_| !kept);
        assert_eq!(target.is_some(), !kept);
        (target.map(|target| String::from_utf8(target).unwrap()), notes.len())
    }

    #[test]
    fn a_server_of_the_image_stays() {
        let file = |text: &str| Image::default().file("/etc/resolv.conf", 0o600, text).owned("/etc/resolv.conf", 7, 8);
        let kernel = || Some("/proc/net/pnp".to_owned());
        assert_eq!(auto(file(SERVER), Init::OpenRc), (None, 0));
        for text in ["", "search example\n", "#nameserver 192.0.2.1\n"] {
            assert_eq!(auto(file(text), Init::OpenRc), (kernel(), 0), "{text}");
        }
        assert_eq!(auto(Image::default(), Init::OpenRc), (kernel(), 0));
        assert_eq!(auto(file("nameserver 127.0.0.11\n"), Init::OpenRc), (None, 1), "it stays, with a note");
        assert_eq!(auto(Image::default().directory("/etc/resolv.conf"), Init::OpenRc).1, 1);
    }

    #[test]
    fn links_stay_where_somebody_makes_what_they_lead_to() {
        let link = |target: &str| Image::default().link("/etc/resolv.conf", target);
        let kernel = || Some("/proc/net/pnp".to_owned());
        assert_eq!(auto(link("/usr/own").file("/usr/own", 0o644, SERVER), Init::Systemd), (None, 0));
        assert_eq!(auto(link("/usr/own").file("/usr/own", 0o644, "\n"), Init::Systemd), (kernel(), 0));
        let stub = "../run/systemd/resolve/stub-resolv.conf";
        let with_resolved = || link(stub).file("/usr/lib/systemd/systemd-resolved", 0o755, "");
        assert_eq!(auto(with_resolved(), Init::Systemd), (None, 0));
        // Nobody starts it.
        assert_eq!(auto(with_resolved(), Init::OpenRc), (kernel(), 1));
        for target in [stub, "/run/NetworkManager/resolv.conf", "/nowhere", "resolv.conf"] {
            assert_eq!(auto(link(target), Init::Systemd), (kernel(), 1), "{target}");
        }
        for target in ["/proc/net/pnp", "/run/nex/resolv.conf"] {
            assert_eq!(auto(link(target), Init::Systemd), (kernel(), 0), "{target}");
            assert_eq!(auto(link(target), Init::Agent), (Some("/run/nex/resolv.conf".into()), 0));
        }
    }

    #[test]
    fn another_agent_does_not_write_ours() {
        let mut layer = Layer::default();
        let who = Who { init: Init::Agent, agent_is_ours: false };
        let done = wire(&Image::default(), &ResolvConfSource::Auto, who, &mut layer).unwrap();
        assert_eq!((done.action, done.path.as_deref()), (ResolvConfAction::Kernel, Some("/proc/net/pnp")));
    }

    #[test]
    fn what_was_lent_to_a_script_is_taken_back() {
        let lent = "# Lent by nex while the image is made: the name servers of the machine that makes it.\n\
                    nameserver 10.0.0.1\n# End of what nex has lent.\n";
        let image = |own: &str| Image::default().file("/etc/resolv.conf", 0o640, format!("{lent}{own}"));
        let (guest, done, _) = wired(&image(SERVER), &ResolvConfSource::Auto, Init::OpenRc);
        assert_eq!((guest.text("/etc/resolv.conf").as_str(), done.action), (SERVER, ResolvConfAction::Kept));
        assert_eq!(guest.stat(b"/etc/resolv.conf").map(|stat| stat.mode), Some(0o640));
        let (guest, done, _) = wired(&image("search x\n"), &ResolvConfSource::Auto, Init::OpenRc);
        assert!(done.action == ResolvConfAction::Kernel && guest.read_link(b"/etc/resolv.conf").is_some());
        let (guest, ..) = wired(&image("search x\n"), &ResolvConfSource::Keep, Init::OpenRc);
        assert_eq!(guest.text("/etc/resolv.conf"), "search x\n");
    }

    #[test]
    fn the_user_decides() {
        let image = Image::default().file("/etc/resolv.conf", 0o600, SERVER);
        let (guest, done, _) = wired(&image, &ResolvConfSource::Kernel, Init::Agent);
        assert_eq!(guest.read_link(b"/etc/resolv.conf").as_deref(), Some(&b"/run/nex/resolv.conf"[..]));
        assert_eq!(done.action, ResolvConfAction::Agent);
        let own = ResolvConfSource::File { name: "mine".into(), content: b"nameserver 192.0.2.2\n".into() };
        let linked = Image::default().link("/etc/resolv.conf", "/usr/other").file("/usr/other", 0o644, SERVER);
        let (guest, done, _) = wired(&linked, &own, Init::Agent);
        assert_eq!(guest.at("/etc/resolv.conf").map(|node| &node.bytes[..]), Some(&b"nameserver 192.0.2.2\n"[..]));
        assert_eq!((done.path.as_deref(), guest.text("/usr/other").as_str()), (Some("mine"), SERVER));
        for image in [Image::default(), Image::default().link("/etc/resolv.conf", "/nowhere")] {
            let (guest, done, notes) = wired(&image, &ResolvConfSource::Keep, Init::Agent);
            assert_eq!((guest.at("/etc/resolv.conf"), notes.len()), (image.at("/etc/resolv.conf"), 0));
            assert_eq!(done.action, ResolvConfAction::Kept);
        }
    }
}
