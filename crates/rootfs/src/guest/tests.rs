//! The wiring of the shapes that images come in.

mod agent_service;
mod users;

use nex_inspect::{Kind, Stat, View};

use super::memory::Image;
use super::{AGENT, AgentUser};
use super::{BootScript, Init, Options, Wiring, wire};
use crate::codes::tests::said;

const ALPINE_INITTAB: &str = "::sysinit:/sbin/openrc sysinit\n::sysinit:/sbin/openrc boot\n::wait:/sbin/openrc default\n\
                              tty1::respawn:/sbin/getty 38400 tty1\n#ttyS0::respawn:/sbin/getty -L 115200 ttyS0 vt100\n";

/// What makes a program an init that reads the table.
const INIT_PROGRAM: &str = "\x7fELF ... /etc/inittab ...";

/// The base that Alpine's root file systems share: BusyBox under every name.
fn alpine() -> Image {
    Image::default()
        .file("/bin/busybox", 0o755, INIT_PROGRAM)
        .link("/sbin/init", "/bin/busybox")
        .link("/sbin/getty", "/bin/busybox")
        .link("/bin/sh", "/bin/busybox")
        .link("/sbin/nologin", "/bin/busybox")
        .file("/etc/inittab", 0o644, ALPINE_INITTAB)
        .file("/etc/passwd", 0o644, "root:x:0:0:root:/root:/bin/ash\nguest:x:405:100:guest:/dev/null:/sbin/nologin")
        .file("/etc/group", 0o644, "root:x:0:root\nshadow:x:42:\n")
        .file("/etc/shadow", 0o640, "root:*::0:::::\nguest:!::0:::::\n")
        .owned("/etc/shadow", 0, 42)
        .file("/etc/hostname", 0o644, "localhost\n")
        .file("/etc/hosts", 0o644, "127.0.0.1\tlocalhost\n")
        .file("/etc/securetty", 0o640, "console\ntty1")
}

fn alpine_with_openrc() -> Image {
    ["devfs", "procfs", "sysfs"]
        .into_iter()
        .fold(alpine(), |image, service| image.file(&format!("/etc/init.d/{service}"), 0o755, "#!/sbin/openrc-run\n"))
        .file("/sbin/openrc", 0o755, "")
        .link("/etc/runlevels/sysinit/devfs", "/etc/init.d/devfs")
}

/// Debian's minbase: `/usr` merged, no init.
fn debian() -> Image {
    ["bin", "sbin", "lib"]
        .into_iter()
        .fold(Image::default(), |image, name| {
            image.directory(&format!("/usr/{name}")).link(&format!("/{name}"), &format!("usr/{name}"))
        })
        .file("/usr/bin/dash", 0o755, "")
        .link("/usr/bin/sh", "dash")
        .file("/usr/sbin/nologin", 0o755, "")
        .file("/usr/sbin/agetty", 0o755, "")
        .link("/usr/sbin/getty", "agetty")
        .file("/etc/passwd", 0o644, "root:x:0:0:root:/root:/bin/bash\n")
        .file("/etc/group", 0o644, "root:x:0:\nshadow:x:42:\n")
        .file("/etc/shadow", 0o640, "root:*:19000:0:99999:7:::\n")
        .file("/etc/gshadow", 0o640, "root:*::\nshadow:*::\n")
}

fn debian_with_systemd() -> Image {
    debian()
        .file("/usr/lib/systemd/systemd", 0o755, "\x7fELF")
        .file("/usr/lib/systemd/systemd-udevd", 0o755, "\x7fELF")
        .file("/usr/lib/systemd/system/serial-getty@.service", 0o644, "[Unit]\n")
        .link("/usr/sbin/init", "/lib/systemd/systemd")
        .file("/etc/machine-id", 0o444, "0123456789abcdef0123456789abcdef\n")
}

/// System V's init with Debian's table; `rcS` is whoever's script handles the boot.
fn debian_with_sysvinit(boot_script: &str) -> Image {
    debian()
        .file("/usr/sbin/init", 0o755, INIT_PROGRAM)
        .file("/etc/inittab", 0o644, "id:2:initdefault:\nsi::sysinit:/etc/init.d/rcS\nl2:2:wait:/etc/init.d/rc 2\n")
        .file("/etc/init.d/rcS", 0o755, boot_script)
        .file("/etc/init.d/rc", 0o755, boot_script)
}

fn wired(image: Image) -> (Image, Wiring) {
    wired_with(image, &Options::default())
}

fn wired_with(image: Image, options: &Options) -> (Image, Wiring) {
    let wiring = wire(&image, options).expect("wires");
    (image.apply(&wiring.changes), wiring)
}

fn target(image: &Image, path: &str) -> String {
    let target = image.read_link(path.as_bytes()).unwrap_or_else(|| panic!("{path} is no symlink"));
    String::from_utf8(target).expect("text")
}

/// An agent that runs as root: nobody else can change it.
const ROOTS: Stat = Stat { kind: Kind::File, mode: 0o755, uid: 0, gid: 0 };
/// One that runs as its own user.
const ITS_OWN: Stat = Stat { kind: Kind::File, mode: 0o775, uid: 1000, gid: 1000 };

/// The agent's file belongs to whom it runs as, and what is dressed tells that as well.
fn belongs_to(guest: &Image, user: AgentUser, stat: Stat) {
    assert_eq!(guest.stat(AGENT), Some(stat));
    assert_eq!(AgentUser::of(guest).expect("reads"), user);
}

#[test]
fn scratch_gets_everything_and_the_agent_is_its_init() {
    let (guest, wiring) = wired(Image::default());
    assert_eq!(wiring.init, Init::Agent);
    assert_eq!(target(&guest, "/sbin/init"), "/usr/local/bin/agent");
    assert_eq!(guest.stat(b"/sbin/init"), Some(ROOTS));
    belongs_to(&guest, AgentUser::Root, ROOTS);
    assert_eq!(target(&guest, "/etc/resolv.conf"), "/proc/net/pnp");
    for directory in [b"/dev".as_slice(), b"/proc", b"/run", b"/sys", b"/var"] {
        assert_eq!(guest.stat(directory), Some(Stat { kind: Kind::Directory, mode: 0o755, uid: 0, gid: 0 }));
    }
    assert_eq!(guest.stat(b"/tmp").unwrap().mode, 0o1777);
    assert_eq!(guest.stat(b"/home/nex"), Some(Stat { kind: Kind::Directory, mode: 0o755, uid: 1000, gid: 1000 }));
    let passwd = "root:x:0:0:root:/root:/sbin/nologin\nnex:x:1000:1000:nex:/home/nex:/sbin/nologin\n";
    assert_eq!(guest.text("/etc/passwd"), passwd);
    assert_eq!(guest.text("/etc/group"), "root:x:0:\nnex:x:1000:\n");
    assert_eq!(guest.text("/etc/shadow"), "root:*::0:99999:7:::\nnex:!::0:99999:7:::\n");
    assert_eq!(guest.stat(b"/etc/shadow").unwrap().mode, 0o640);
    assert!(guest.stat(b"/etc/gshadow").is_none() && guest.stat(b"/etc/machine-id").is_none());
    assert_eq!(guest.text("/etc/hostname"), "nex\n");
    assert!(guest.text("/etc/hosts").starts_with("127.0.0.1\tlocalhost\n"));
    assert_eq!(guest.text("/etc/nex/image.json"), "{}\n");
}

#[test]
fn alpine_with_openrc_runs_the_agent_as_a_service() {
    let (guest, wiring) = wired(alpine_with_openrc());
    assert_eq!(wiring.init, Init::OpenRc);
    assert_eq!(wiring.notes, Vec::new());
    assert_eq!(target(&guest, "/sbin/init"), "/bin/busybox");
    assert_eq!(target(&guest, "/etc/runlevels/boot/agent"), "/etc/init.d/agent");
    assert_eq!(guest.stat(b"/etc/init.d/agent").unwrap().mode, 0o755);
    assert_eq!(target(&guest, "/etc/runlevels/boot/procfs"), "/etc/init.d/procfs");
    assert!(guest.at("/etc/runlevels/boot/devfs").is_none(), "it is in sysinit already");
    let inittab = format!("{ALPINE_INITTAB}ttyS0::respawn:/sbin/getty -L 115200 ttyS0 vt100\n");
    assert_eq!(guest.text("/etc/inittab"), inittab);
    assert_eq!(guest.text("/etc/securetty"), "console\ntty1\nttyS0\n");
    assert_eq!(guest.stat(b"/etc/securetty").unwrap().mode, 0o640, "the image's own mode stays");
    assert_eq!(guest.text("/etc/hostname"), "localhost\n");
}

#[test]
fn openrc_with_agetty_logs_in_by_its_own_service() {
    let image = alpine_with_openrc().file("/etc/init.d/agetty", 0o755, "").file("/sbin/agetty", 0o755, "");
    let (guest, _) = wired(image);
    assert_eq!(target(&guest, "/etc/init.d/agetty.ttyS0"), "agetty");
    assert_eq!(target(&guest, "/etc/runlevels/default/agetty.ttyS0"), "/etc/init.d/agetty.ttyS0");
    assert_eq!(guest.text("/etc/inittab"), ALPINE_INITTAB);
}

#[test]
fn a_login_in_the_table_is_not_doubled_by_a_service() {
    let table = format!("{ALPINE_INITTAB}ttyS0::respawn:/sbin/getty -L 115200 ttyS0 vt100\n");
    let image = alpine_with_openrc().file("/etc/init.d/agetty", 0o755, "").file("/sbin/agetty", 0o755, "");
    let (guest, _) = wired(image.file("/etc/inittab", 0o644, &table));
    assert_eq!(guest.text("/etc/inittab"), table);
    assert!(guest.at("/etc/init.d/agetty.ttyS0").is_none());
}

#[test]
fn alpine_without_openrc_boots_the_agent_instead_of_a_busybox_that_would_fail() {
    let (guest, wiring) = wired(alpine());
    assert_eq!(wiring.init, Init::Agent);
    assert_eq!(target(&guest, "/sbin/init"), "/usr/local/bin/agent");
    let [note] = wiring.notes.as_slice() else { panic!("one note in {:?}", wiring.notes) };
    assert!(note.fact().contains("/sbin/init (/bin/busybox)") && note.fact().contains("/sbin/openrc"), "{note:?}");
    assert_eq!(guest.text("/etc/inittab"), ALPINE_INITTAB);
    assert_eq!(guest.text("/bin/busybox"), INIT_PROGRAM, "the link is replaced, not what it leads to");
}

#[test]
fn debian_without_init_keeps_its_merged_usr() {
    let (guest, wiring) = wired(debian());
    assert_eq!(wiring.init, Init::Agent);
    assert_eq!(target(&guest, "/sbin"), "usr/sbin");
    assert_eq!(target(&guest, "/usr/sbin/init"), "/usr/local/bin/agent");
    assert_eq!(guest.text("/etc/gshadow"), "root:*::\nshadow:*::\nnex:!::\n");
    assert!(guest.text("/etc/passwd").ends_with("\nnex:x:1000:1000:nex:/home/nex:/sbin/nologin\n"));
}

#[test]
fn systemd_gets_a_unit_a_login_and_an_empty_machine_id() {
    let (guest, wiring) = wired(debian_with_systemd());
    assert_eq!(wiring.init, Init::Systemd);
    let unit = target(&guest, "/etc/systemd/system/multi-user.target.wants/agent.service");
    assert!(guest.text(&unit).contains("\nUser=nex\n"));
    let getty = target(&guest, "/etc/systemd/system/getty.target.wants/serial-getty@ttyS0.service");
    assert!(guest.stat(getty.as_bytes()).is_some());
    assert_eq!(guest.text("/etc/machine-id"), "");
    assert!(wiring.notes[0].fact().contains("machine-id"), "{:?}", wiring.notes);
}

#[test]
fn systemd_without_udev_logs_in_on_the_console_instead_of_waiting_for_a_device() {
    let image = debian()
        .file("/usr/lib/systemd/systemd", 0o755, "\x7fELF")
        .file("/usr/lib/systemd/system/serial-getty@.service", 0o644, "[Unit]\n")
        .file("/usr/lib/systemd/system/console-getty.service", 0o644, "[Unit]\n")
        .link("/usr/sbin/init", "/lib/systemd/systemd");
    let (guest, wiring) = wired(image);
    assert_eq!(target(&guest, "/etc/systemd/system/serial-getty@ttyS0.service"), "/dev/null");
    let getty = target(&guest, "/etc/systemd/system/getty.target.wants/console-getty.service");
    assert!(guest.stat(getty.as_bytes()).is_some());
    assert_eq!(wiring.notes, Vec::new());
}

#[test]
fn sysvinit_whose_scripts_call_openrc_is_openrc_without_a_boot_runlevel() {
    let image =
        debian_with_sysvinit("#!/bin/sh\nset -e\nexec /sbin/openrc default\n").file("/usr/sbin/openrc", 0o755, "");
    let (guest, wiring) = wired(image);
    assert_eq!(wiring.init, Init::OpenRc);
    assert_eq!(wiring.started_by, "OpenRC (service agent in the default runlevel)");
    assert_eq!(target(&guest, "/etc/runlevels/default/agent"), "/etc/init.d/agent");
    belongs_to(&guest, AgentUser::Nex, ITS_OWN);
    assert!(guest.at("/etc/runlevels/boot/agent").is_none());
    assert!(guest.text("/etc/inittab").ends_with("\nS0:2345:respawn:/sbin/getty -L 115200 ttyS0 vt100\n"));
}

#[test]
fn sysvinit_alone_respawns_the_agent_as_its_user() {
    let image = debian_with_sysvinit("#!/bin/sh\n").file("/usr/sbin/start-stop-daemon", 0o755, "\x7fELF");
    let (guest, wiring) = wired(image);
    assert_eq!(wiring.init, Init::Inittab);
    let command = "/sbin/start-stop-daemon -S -q -c nex:nex -x /usr/local/bin/agent";
    assert!(guest.text("/etc/inittab").ends_with(&format!("\nnex:2345:respawn:{command}\n")));
    assert_eq!(wiring.notes, Vec::new());
    belongs_to(&guest, AgentUser::Nex, ITS_OWN);
}

#[test]
fn sysvinit_without_a_way_to_change_the_user_respawns_the_agent_as_root() {
    let (guest, wiring) = wired(debian_with_sysvinit("#!/bin/sh\n"));
    assert_eq!(wiring.init, Init::Inittab);
    assert!(guest.text("/etc/inittab").ends_with("\nnex:2345:respawn:/usr/local/bin/agent\n"));
    assert!(wiring.notes.iter().any(|note| note.fact().contains("as root")), "{:?}", wiring.notes);
    belongs_to(&guest, AgentUser::Root, ROOTS);
}

fn boot_script(content: &str) -> Options {
    let script = BootScript { name: "boot.sh".into(), content: content.into() };
    Options { boot_script: Some(script), ..Options::default() }
}

#[test]
fn the_boot_script_is_started_by_whom_the_image_has() {
    let options = boot_script("#!/bin/sh\necho hello\n");
    let with_shell = |image: Image| wired_with(image.file("/bin/sh", 0o755, "\x7fELF"), &options).0;
    let script = Some(Stat { kind: Kind::File, mode: 0o755, uid: 0, gid: 0 });

    let guest = with_shell(Image::default());
    assert_eq!(guest.text("/etc/nex/boot-script"), "#!/bin/sh\necho hello\n");
    assert_eq!(guest.stat(b"/etc/nex/boot-script"), script);

    let guest = with_shell(alpine_with_openrc());
    assert_eq!(target(&guest, "/etc/runlevels/boot/nex-boot-script"), "/etc/init.d/nex-boot-script");
    assert!(guest.text("/etc/init.d/nex-boot-script").contains("\n\tbefore agent\n"));

    let guest = with_shell(debian_with_systemd());
    let unit = "/etc/systemd/system/nex-boot-script.service";
    assert_eq!(target(&guest, "/etc/systemd/system/multi-user.target.wants/nex-boot-script.service"), unit);
    assert!(guest.text(unit).contains("\nBefore=agent.service\n"));

    let guest = with_shell(debian_with_sysvinit("#!/bin/sh\n"));
    assert!(guest.text("/etc/inittab").contains("\nnexb:2345:wait:/etc/nex/run-boot-script\nnex:2345:respawn:"));
}

#[test]
fn a_boot_script_that_would_not_run_is_refused() {
    let refused = |content: &str| {
        let image = Image::default().file("/bin/sh", 0o755, "\x7fELF");
        said(&wire(&image, &boot_script(content)).unwrap_err())
    };
    assert!(refused("echo hello\n").contains("boot.sh is a text without #!"), "{}", refused("echo hello\n"));
    assert!(refused("").contains("#!/bin/sh"));
    assert!(refused("#!/bin/bash\n").contains("boot.sh needs what the image lacks: /bin/bash"));
    assert!(refused("\x7fELF").contains("program in place of a script"));
}

#[test]
fn openrc_init_needs_no_table() {
    let image = Image::default()
        .file("/sbin/openrc-init", 0o755, "\x7fELF")
        .file("/sbin/openrc", 0o755, "")
        .link("/sbin/init", "openrc-init");
    assert_eq!(wired(image).1.init, Init::OpenRc);
}

#[test]
fn an_unknown_init_is_replaced_and_named() {
    let (guest, wiring) = wired(Image::default().file("/sbin/init", 0o755, "#!/bin/sh\nexec s6-svscan\n"));
    assert_eq!(wiring.init, Init::Agent);
    assert_eq!(target(&guest, "/sbin/init"), "/usr/local/bin/agent");
    assert!(wiring.notes[0].fact().contains("/sbin/init"), "{:?}", wiring.notes);
}

#[test]
fn the_kernels_order_decides_and_skips_what_it_cannot_execute() {
    let image = debian_with_systemd().file("/usr/sbin/init", 0o644, "").link("/etc/init", "/usr/lib/systemd/systemd");
    assert_eq!(wired(image).1.init, Init::Systemd);
}

#[test]
fn a_hostname_is_written() {
    let options = Options { hostname: "web-1.example".parse().ok(), ..Options::default() };
    let (guest, _) = wired_with(alpine(), &options);
    assert_eq!(guest.text("/etc/hostname"), "web-1.example\n");
}

#[test]
fn empty_files_of_docker_export_are_filled() {
    let (guest, _) = wired(alpine().file("/etc/hosts", 0o644, "").file("/etc/hostname", 0o644, ""));
    assert_eq!(guest.text("/etc/hostname"), "nex\n");
    assert!(guest.text("/etc/hosts").contains("127.0.1.1\tnex\n"));
}

#[test]
fn a_loop_of_symlinks_is_no_init() {
    let image = Image::default().link("/sbin/init", "init").link("/bin/init", "/bin/init2").link("/bin/init2", "init");
    assert_eq!(wired(image).1.init, Init::Agent);
}
