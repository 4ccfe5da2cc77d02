//! The login on the serial console.

use crate::tree::{Tree, expect};

#[test]
fn no_login() {
    let table = "::sysinit:/bin/mount -a\ntty1::respawn:/sbin/getty 38400 tty1\n::respawn:/usr/local/bin/agent\n";
    expect(&Tree::busybox().file("etc/inittab", table).checked(), &["getty-none"]);
    let commented = "#ttyS0::respawn:/sbin/getty ttyS0\n::respawn:/usr/local/bin/agent\n";
    expect(&Tree::busybox().file("etc/inittab", commented).checked(), &["getty-none"]);
    expect(&Tree::systemd().without("usr/lib/systemd/system/serial-getty@.service").checked(), &["getty-none"]);
}

#[test]
fn a_shell_on_the_console_is_a_login() {
    for entry in ["::askfirst:-/bin/sh", "console::respawn:/sbin/getty -L console 0 vt100"] {
        let table = format!("::sysinit:/bin/mount -a\n{entry}\n::respawn:/usr/local/bin/agent\n");
        expect(&Tree::busybox().file("etc/inittab", table).checked(), &[]);
    }
}

#[test]
fn a_login_without_its_program() {
    expect(&Tree::busybox().without("sbin/getty").checked(), &["getty-program"]);
    expect(&Tree::systemd().without("sbin/agetty").checked(), &["getty-program"]);
    let openrc = |logins: &str| {
        let table = format!("::sysinit:/sbin/openrc sysinit\n{logins}");
        let tree = Tree::openrc().file("etc/inittab", table).file("etc/init.d/agetty", "#!/sbin/openrc-run\n");
        tree.link("etc/init.d/agetty.ttyS0", "agetty")
            .link("etc/runlevels/default/agetty.ttyS0", "/etc/init.d/agetty.ttyS0")
    };
    expect(&openrc("").checked(), &["getty-program"]);
    expect(&openrc("").program("sbin/agetty").checked(), &[]);
    // The inittab's own line is a login, whatever becomes of the service.
    let getty = "ttyS0::respawn:/sbin/getty -L ttyS0 115200 vt100\n";
    expect(&openrc(getty).program("sbin/getty").checked(), &[]);
}

#[test]
fn systemd_waits_for_a_port_that_nobody_announces() {
    expect(&Tree::systemd().without("usr/lib/systemd/systemd-udevd").checked(), &["getty-waits"]);
    let console = Tree::systemd()
        .without("usr/lib/systemd/systemd-udevd")
        .link("etc/systemd/system/serial-getty@ttyS0.service", "/dev/null")
        .file("usr/lib/systemd/system/console-getty.service", "[Service]\nExecStart=-/sbin/agetty console\n")
        .link(
            "etc/systemd/system/getty.target.wants/console-getty.service",
            "/lib/systemd/system/console-getty.service",
        );
    expect(&console.checked(), &[]);
}

#[test]
fn a_list_of_terminals_for_root() {
    expect(&Tree::busybox().file("etc/securetty", "tty1\n#ttyS0\n").checked(), &["securetty"]);
    expect(&Tree::busybox().file("etc/securetty", "tty1\nttyS0\n").checked(), &[]);
}
