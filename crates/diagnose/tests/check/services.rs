//! Users, and whom the agent's service runs as.

use crate::tree::{Tree, checked, debugfs, evidence, expect};

const ROOT: &str = "root:x:0:0:root:/root:/bin/sh\n";
const NEX: &str = "nex:x:1000:1000:nex:/home/nex:/sbin/nologin\n";

#[test]
fn the_service_runs_as_nobody_that_exists() {
    for tree in [Tree::openrc(), Tree::systemd()] {
        let report = tree.file("etc/passwd", ROOT).file("etc/group", "root:x:0:\n").checked();
        expect(&report, &["agent-user", "agent-user"]);
        assert!(
            report.findings[1].evidence.contains("runs the agent as the group nex, which /etc/group does not have")
        );
    }
    let numbers = "[Service]\nExecStart=!/usr/local/bin/agent --flag\nUser=1000\n";
    expect(&Tree::systemd().file("etc/systemd/system/agent.service", numbers).checked(), &[]);
}

#[test]
fn the_home_of_the_agent_s_user() {
    let report = Tree::openrc().without("home/nex").checked();
    expect(&report, &["agent-home"]);
    let image = Tree::openrc();
    let image = image.image(&[]);
    debugfs(&image, "set_inode_field /home/nex uid 0");
    let report = checked(&image);
    assert!(evidence(&report, "agent-home").contains("belongs to 0"), "{report:?}");
}

#[test]
fn databases_that_disagree() {
    expect(&Tree::systemd().file("etc/shadow", "root:*::0:::::\n").checked(), &["user-shadow"]);
    expect(&Tree::busybox().without("etc/shadow").checked(), &["user-shadow"]);
    expect(&Tree::busybox().file("etc/group", "nex:x:1000:\n").checked(), &["user-group"]);
}

#[test]
fn root_s_line() {
    expect(&Tree::busybox().file("etc/passwd", NEX).checked(), &["user-root"]);
    let bash = ROOT.replace("/bin/sh", "/bin/bash") + NEX;
    expect(&Tree::busybox().file("etc/passwd", bash).checked(), &["user-shell"]);
    expect(&Tree::busybox().file("etc/shadow", "root:::0:::::\nnex:!::::::\n").checked(), &["user-open"]);
    expect(&Tree::busybox().file("etc/passwd", ROOT.replace(":x:", "::") + NEX).checked(), &["user-open"]);
}

#[test]
fn a_password_that_is_no_hash_is_told_and_not_shown() {
    for shadow in ["root:*::0:::::\nnex:secret::::::\n", "root:secret::0:::::\nnex:!::::::\n"] {
        let report = Tree::busybox().file("etc/shadow", shadow).checked();
        expect(&report, &["user-hash"]);
        assert!(report.findings.iter().all(|finding| !finding.evidence.contains("secret")));
    }
    // Made by `openssl passwd -1 -salt salt`.
    let hash = "root:$1$salt$ez2vlPGdaLYkJam5pWs/Y1::0:::::\nnex:!::::::\n";
    expect(&Tree::busybox().file("etc/shadow", hash).checked(), &[]);
}

#[test]
fn scripts_with_the_line_ends_of_windows() {
    let tree = |path: &str, text: &str| Tree::busybox().file(path, text).mode(path, 0o755);
    let boot_script = "etc/nex/boot-script";
    expect(&tree(boot_script, "#!/bin/sh\necho\n").checked(), &[]);
    let report = tree(boot_script, "#!/bin/sh\r\necho\r\n").checked();
    expect(&report, &["boot-script"]);
    assert!(report.findings.iter().any(|finding| finding.evidence.contains("CRLF")));
    for script in ["#!/bin/sh\r\n", "#!/bin/sh -e\r\n", "#!\n"] {
        expect(&tree("usr/local/bin/agent", script).checked(), &["agent-no-program"]);
    }
}
