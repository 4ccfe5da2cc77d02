//! Name servers, machine-id and fstab.

use std::process::Command;

use nex_testkit::{command, elf};

use crate::tree::{Tree, checked, evidence, expect, program};

#[test]
fn name_servers() {
    let tree = |content: &str| Tree::busybox().file("etc/resolv.conf", content).checked();
    expect(&tree("search example\nnameserver 192.0.2.1\n"), &[]);
    expect(&tree(""), &["resolver-none"]);
    expect(&tree("nameserver 127.0.0.11\noptions ndots:0\n"), &["resolver-dead"]);
    expect(&tree("nameserver 127.0.0.53\n"), &["resolver-dead"]);
    expect(&Tree::busybox().without("etc/resolv.conf").checked(), &["resolver-none"]);
    let link = |target: &str| Tree::systemd().link("etc/resolv.conf", target);
    let stub = "../run/systemd/resolve/stub-resolv.conf";
    expect(&link(stub).checked(), &["resolver-dead"]);
    expect(&link(stub).program("usr/lib/systemd/systemd-resolved").checked(), &[]);
    expect(&link("/run/NetworkManager/resolv.conf").checked(), &[]);
    expect(&link("/mnt/wsl/resolv.conf").checked(), &["resolver-dead"]);
    expect(&link("/usr/own").file("usr/own", "nameserver 192.0.2.1\n").checked(), &[]);
    expect(&link("/usr/own").file("usr/own", "nameserver 127.0.0.11\n").checked(), &["resolver-dead"]);
}

#[test]
fn our_agent_s_file_needs_our_agent_as_the_init() {
    let tree = |tree: Tree, agent: Vec<u8>| {
        let tree = tree.file("usr/local/bin/agent", agent).mode("usr/local/bin/agent", 0o755);
        tree.link("etc/resolv.conf", "/run/nex/resolv.conf").checked()
    };
    let init = || Tree::new().link("sbin/init", "/usr/local/bin/agent");
    let another = || elf::program(elf::X86_64, b"/run/nex/resolv.conf", b"");
    expect(&tree(init(), program()), &[]);
    expect(&tree(init(), another()), &["resolver-dead", "agent-foreign"]);
    expect(&tree(Tree::busybox(), program()), &["resolver-dead"]);
}

#[test]
fn machine_ids() {
    let tree = |content: &str| Tree::systemd().file("etc/machine-id", content).checked();
    expect(&tree("0123456789abcdef0123456789abcdef\n"), &["machine-id-shared"]);
    expect(&tree("uninitialized\n"), &["machine-id-first-boot"]);
    expect(&tree("0123\n"), &["machine-id-invalid"]);
    expect(&Tree::systemd().without("etc/machine-id").checked(), &["machine-id-first-boot"]);
    // Nobody else asks for one.
    expect(&Tree::openrc().file("etc/machine-id", "0123456789abcdef0123456789abcdef\n").checked(), &[]);
}

#[test]
fn ssh_host_keys() {
    let public = |tree: Tree| tree.file("etc/ssh/ssh_host_rsa_key.pub", "ssh-rsa").file("etc/ssh/sshd_config", "");
    expect(&public(Tree::busybox()).checked(), &[]);
    let keys = public(Tree::busybox()).file("etc/ssh/ssh_host_rsa_key", "k").file("etc/ssh/ssh_host_ed25519_key", "k");
    let report = keys.checked();
    expect(&report, &["ssh-keys-shared"]);
    let said = evidence(&report, "ssh-keys-shared");
    assert!(said.contains("/etc/ssh/ssh_host_ed25519_key") && said.contains("1 more"), "{said}");
    expect(&Tree::openrc().file("etc/dropbear/dropbear_rsa_host_key", "k").checked(), &["ssh-keys-shared"]);
}

#[test]
fn mounts_that_cannot_be() {
    let tree = |line: &str| Tree::busybox().file("etc/fstab", format!("# <file system>\n{line}\n")).checked();
    for line in [
        "/dev/sda1 / ext4 defaults 0 1",
        "/dev/vda1 / ext4 defaults 0 1",
        "UUID=01234567-89ab-cdef-0123-456789abcdef / ext4 defaults 0 1",
        "LABEL=other\t/\text4",
        "/dev/mapper/vg-swap none swap sw 0 0",
    ] {
        expect(&tree(line), &["fstab-device"]);
    }
    expect(&tree("/dev/vdb /data ext4 defaults 0 2"), &["fstab-drive"]);
    expect(&tree("UUID=01234567-89ab-cdef-0123-456789abcdef /data ext4 defaults 0 2"), &["fstab-drive"]);
    for line in [
        "/dev/root / ext2 rw,noauto 0 1",
        "/dev/vda / ext4 defaults 0 1",
        "/dev/sda1 /boot ext4 noauto 0 0",
        "/dev/vdb /data ext4 defaults,nofail 0 2",
        "proc /proc proc defaults 0 0",
        "tmpfs /tmp tmpfs mode=1777 0 0",
        "# UNCONFIGURED FSTAB FOR BASE SYSTEM",
        "nonsense",
    ] {
        expect(&tree(line), &[]);
    }
}

#[test]
fn the_image_s_own_names_are_known() {
    let uuid = "01234567-89ab-cdef-0123-456789abcdef";
    for line in [format!("UUID=\"{uuid}\" / ext4"), "LABEL=root\\040fs / ext4".into()] {
        let image = Tree::busybox().file("etc/fstab", line);
        let image = image.image(&["-U", uuid, "-L", "root fs"]);
        let named = command::run(Command::new("dumpe2fs").arg("-h").arg(&image)).expect("dumpe2fs");
        assert!(String::from_utf8_lossy(&named).contains(uuid));
        expect(&checked(&image), &[]);
    }
    let other = Tree::busybox().file("etc/fstab", format!("UUID={uuid} / ext4"));
    assert!(evidence(&other.checked(), "fstab-device").contains("the image has another name"));
}
