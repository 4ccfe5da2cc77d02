//! The host keys of SSH servers, where the image has none: each guest makes its own at its first boot, by who makes them there.
//!
//! Our agent does it as the init, and most distributions do it before they start the server. Debian and Ubuntu make the keys when the
//! package is installed, and never again.

use nex_fault::{Note, Remedy, Setting};
use nex_inspect::View;
use nex_program::SshServer;

use super::change::Layer;
use super::init::Init;
use super::ssh_keygen::makes_keys;
use super::systemd;

/// What starts a server.
const SCRIPTS: [&str; 3] = ["sshd", "ssh", "dropbear"];

/// Has somebody make the keys; `agent_makes` tells whether the agent does it as the init.
pub(crate) fn wire(view: &dyn View, init: Init, agent_makes: bool, layer: &mut Layer) {
    for server in SshServer::ALL {
        let Some((program, maker)) = server.programs(view).filter(|_| server.host_keys(view).is_empty()) else {
            continue;
        };
        let is_made = match init {
            Init::Agent => agent_makes,
            Init::Systemd if systemd::makes_ssh_keys(view) => true,
            Init::Systemd if server == SshServer::OpenSsh => {
                systemd::add_ssh_keys(&maker, layer);
                true
            }
            Init::Systemd | Init::OpenRc | Init::Inittab => {
                SCRIPTS.iter().any(|name| makes_keys(view, &format!("/etc/init.d/{name}")))
            }
        };
        if !is_made {
            let [program, maker] = [&program, &maker].map(|path| super::lossy(path));
            let fact = format!(
                "the image has {program} and no host keys for it, and nex knows nobody there who makes them at boot"
            );
            layer.note(Note::new(fact).advising(Remedy::say(format!("run {maker} in")).choose(Setting::BootScript)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::guest::memory::Image;

    const UNIT: &str = "/etc/systemd/system/nex-ssh-host-keys.service";

    fn with_sshd() -> Image {
        let image = Image::default().file("/usr/sbin/sshd", 0o755, "").file("/usr/bin/ssh-keygen", 0o755, "");
        image.file("/etc/ssh/sshd_config", 0o644, "")
    }

    /// Whether there is our unit, and how many notes.
    fn wired(image: Image, init: Init, agent_makes: bool) -> (bool, usize) {
        let mut layer = Layer::default();
        wire(&image, init, agent_makes, &mut layer);
        let guest = image.apply(&layer.changes);
        let is_enabled = guest.at("/etc/systemd/system/multi-user.target.wants/nex-ssh-host-keys.service").is_some();
        assert_eq!(guest.at(UNIT).is_some(), is_enabled);
        (is_enabled, layer.notes.len())
    }

    #[test]
    fn somebody_makes_the_keys() {
        let key = |image: Image| image.file("/etc/ssh/ssh_host_rsa_key", 0o600, "");
        assert_eq!(wired(with_sshd(), Init::Agent, true), (false, 0));
        assert_eq!(wired(with_sshd(), Init::Agent, false), (false, 1), "another agent");
        let debian = || with_sshd().file("/usr/lib/systemd/system/ssh.service", 0o644, "ExecStart=/usr/sbin/sshd -D\n");
        assert_eq!(wired(debian(), Init::Systemd, true), (true, 0));
        assert_eq!(wired(key(debian()), Init::Systemd, true), (false, 0));
        let fedora = || with_sshd().file("/usr/lib/systemd/system/sshd-keygen@.service", 0o644, "");
        assert_eq!(wired(fedora(), Init::Systemd, true), (false, 0));
        let arch = || with_sshd().file("/usr/lib/systemd/system/sshdgenkeys.service", 0o644, "");
        assert_eq!(wired(arch(), Init::Systemd, true), (false, 0));
        let suse = "ExecStartPre=/usr/sbin/sshd-gen-keys-start\n";
        let suse = with_sshd().file("/usr/lib/systemd/system/sshd.service", 0o644, suse);
        assert_eq!(wired(suse, Init::Systemd, true), (false, 0));
        let alpine = with_sshd().file("/etc/init.d/sshd", 0o755, "generate_host_keys() { ssh-keygen -A; }\n");
        assert_eq!(wired(alpine, Init::OpenRc, true), (false, 0));
        let devuan = with_sshd().file("/etc/init.d/ssh", 0o755, "start-stop-daemon --exec /usr/sbin/sshd\n");
        assert_eq!(wired(devuan, Init::Inittab, true), (false, 1));
        for init in [Init::Agent, Init::Systemd, Init::OpenRc] {
            let client = Image::default().file("/usr/bin/ssh-keygen", 0o755, "").file("/etc/ssh/ssh_config", 0o644, "");
            assert_eq!(wired(client, init, true), (false, 0), "no server");
        }
    }

    #[test]
    fn the_unit_comes_before_the_server_and_makes_them_once() {
        let mut layer = Layer::default();
        wire(&with_sshd(), Init::Systemd, true, &mut layer);
        let unit = with_sshd().apply(&layer.changes).text(UNIT);
        for line in [
            "DefaultDependencies=no",
            "Before=ssh.service sshd.service ssh.socket sshd.socket shutdown.target",
            "ConditionPathExistsGlob=!/etc/ssh/ssh_host_*_key",
            "ExecStart=/usr/bin/ssh-keygen -A",
        ] {
            assert!(unit.lines().any(|other| other == line), "{line} in {unit}");
        }
    }
}
