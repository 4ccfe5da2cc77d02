//! The agent as a service of systemd.

use nex_contract::SYSTEMD_UNIT;
use nex_inspect::{View, exists};

use super::change::Layer;
use super::ssh_keygen::makes_keys;
use super::{AgentService, AgentUser};

/// The service, with a word in capitals for what it starts and as whom. The journal forwards its output to the console, which the
/// host reads.
const UNIT: &str = "\
[Unit]
Description=Nex agent

[Service]
STARTRestart=always
RestartSec=1
StandardOutput=journal+console
StandardError=journal+console

[Install]
WantedBy=multi-user.target
";

/// The service that runs the boot script, with lines for variables in the place of the word in capitals. Whatever its end, the agent
/// starts behind it.
const BOOT_SCRIPT: &str = "\
[Unit]
Description=Boot script of Nex
Before=agent.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/etc/nex/boot-script
ENVIRONMENTStandardOutput=journal+console
StandardError=journal+console

[Install]
WantedBy=multi-user.target
";

/// The service that makes SSH host keys, with the path of `ssh-keygen` in the place of the word in capitals. The socket comes before
/// services with the usual dependencies, so this one has none of them.
const SSH_KEYS: &str = "\
[Unit]
Description=SSH host keys of this guest
DefaultDependencies=no
After=local-fs.target systemd-remount-fs.service
Conflicts=shutdown.target
Before=ssh.service sshd.service ssh.socket sshd.socket shutdown.target
ConditionPathExistsGlob=!/etc/ssh/ssh_host_*_key

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=KEYGEN -A

[Install]
WantedBy=multi-user.target
";

/// What distributions call the units that make SSH host keys, and the beginning of the units that start the server.
const SSH_KEY_UNITS: [&[u8]; 2] = [b"sshd-keygen", b"sshdgenkeys"];
const SSH_UNITS: [&[u8]; 3] = [b"ssh.service", b"sshd.service", b"dropbear.service"];

/// Where distributions keep their units: before and after the merge of `/usr`.
const UNIT_DIRECTORIES: [&str; 2] = ["/usr/lib/systemd", "/lib/systemd"];

/// Adds the service, enables it, and lets every guest of this image make an identity of its own.
pub(crate) fn wire(view: &dyn View, service: &AgentService, user: &AgentUser, layer: &mut Layer) {
    let path = format!("/etc/systemd/system/{SYSTEMD_UNIT}");
    layer.file(path.as_bytes(), 0o644, UNIT.replace("START", &start(service, user)));
    enable("multi-user.target", SYSTEMD_UNIT, &path, layer);
    // An empty file, see machine-id(5): systemd fills it at boot, even when the root is read-only.
    layer.file(b"/etc/machine-id", 0o444, "");
    if view.read(b"/etc/machine-id", 1).is_ok_and(|id| id.is_some_and(|id| !id.is_empty())) {
        layer.note("the image's machine-id is emptied, so that each guest makes its own");
    }
}

/// Adds the service of the boot script, and enables it.
pub(crate) fn add_boot_script(env: &[String], layer: &mut Layer) {
    const NAME: &str = "nex-boot-script.service";
    let path = format!("/etc/systemd/system/{NAME}");
    let environment: String = env.iter().map(|variable| environment(variable)).collect();
    layer.file(path.as_bytes(), 0o644, BOOT_SCRIPT.replace("ENVIRONMENT", &environment));
    enable("multi-user.target", NAME, &path, layer);
}

/// Whether a unit makes SSH host keys, or the one that starts the server does.
pub(crate) fn makes_ssh_keys(view: &dyn View) -> bool {
    let own = "/etc/systemd/system".to_owned();
    let directories = UNIT_DIRECTORIES.iter().map(|directory| format!("{directory}/system")).chain([own]);
    directories.into_iter().any(|directory| {
        view.list(directory.as_bytes()).unwrap_or_default().iter().any(|name| {
            let path = || format!("{directory}/{}", String::from_utf8_lossy(name));
            SSH_KEY_UNITS.iter().any(|unit| name.starts_with(unit))
                || (SSH_UNITS.contains(&name.as_slice()) && makes_keys(view, &path()))
        })
    })
}

/// Adds the service that makes SSH host keys with this program, and enables it.
pub(crate) fn add_ssh_keys(keygen: &[u8], layer: &mut Layer) {
    const NAME: &str = "nex-ssh-host-keys.service";
    let path = format!("/etc/systemd/system/{NAME}");
    layer.file(path.as_bytes(), 0o644, SSH_KEYS.replace("KEYGEN", &String::from_utf8_lossy(keygen)));
    enable("multi-user.target", NAME, &path, layer);
}

/// What a unit starts, with what variables, and as whom.
fn start(service: &AgentService, user: &AgentUser) -> String {
    // Behind the program, a dollar begins the name of a variable.
    let words: String = service.args.iter().map(|word| format!(" {}", quoted(&word.replace('$', "$$")))).collect();
    let variables: String = service.env.iter().map(|(name, value)| environment(&format!("{name}={value}"))).collect();
    let (name, group) = user.names();
    let group = group.map(|group| format!("Group={group}\n")).unwrap_or_default();
    format!("ExecStart={}{words}\n{variables}User={name}\n{group}", service.path())
}

/// A line that sets a variable, with what systemd.syntax(7) and systemd.exec(5) would replace in it kept from that.
fn environment(variable: &str) -> String {
    let equals = if variable.contains('=') { "" } else { "=" };
    format!("Environment={}\n", quoted(&format!("{variable}{equals}")))
}

/// A word between quotes, with what systemd.syntax(7) and systemd.unit(5) would replace in it kept from that.
fn quoted(word: &str) -> String {
    let mut quoted = String::from("\"");
    for character in word.chars() {
        match character {
            '\\' | '"' => quoted.extend(['\\', character]),
            '%' => quoted.push_str("%%"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            character => quoted.push(character),
        }
    }
    quoted.push('"');
    quoted
}

/// Enables a login on the serial console, where the image has what it needs. Returns whether it has.
///
/// The unit for serial ports waits for its device, which only udev announces. Without udev it would keep the boot waiting
/// until its time is over, since systemd starts it by itself for the kernel's console; so it is masked, and the unit for
/// the console, whatever that is, takes its place.
pub(crate) fn add_getty(view: &dyn View, layer: &mut Layer) -> bool {
    const SERIAL: &str = "serial-getty@ttyS0.service";
    const CONSOLE: &str = "console-getty.service";
    let find = |name: &str| {
        let paths = UNIT_DIRECTORIES.map(|directory| format!("{directory}/{name}"));
        paths.into_iter().find(|path| exists(view, path.as_bytes()))
    };
    let has_udev = find("systemd-udevd").is_some();
    let (name, template) = if has_udev { (SERIAL, "serial-getty@.service") } else { (CONSOLE, CONSOLE) };
    if !has_udev {
        layer.symlink(format!("/etc/systemd/system/{SERIAL}").as_bytes(), b"/dev/null");
    }
    let unit = find(&format!("system/{template}")).filter(|_| exists(view, b"/sbin/agetty"));
    if let Some(unit) = &unit {
        enable("getty.target", name, unit, layer);
    }
    unit.is_some()
}

/// Does what `systemctl enable` does.
fn enable(target: &str, name: &str, unit: &str, layer: &mut Layer) {
    let link = format!("/etc/systemd/system/{target}.wants/{name}");
    layer.symlink(link.as_bytes(), unit.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_stand_in_a_unit_as_they_are() {
        for (variable, line) in [
            ("PATH=/a:/b c", "Environment=\"PATH=/a:/b c\"\n"),
            (
                "A=%n \\ \"x\" $HOME\nExecStart=/bin/evil",
                "Environment=\"A=%%n \\\\ \\\"x\\\" $HOME\\nExecStart=/bin/evil\"\n",
            ),
            ("EMPTY", "Environment=\"EMPTY=\"\n"),
        ] {
            assert_eq!(environment(variable), line);
        }
    }
}
