//! The agent itself, when something else is the init.

use nex_fault::Setting;
use nex_testkit::elf;

use crate::tree::{Tree, evidence, expect, ids};

const AGENT: &str = "usr/local/bin/agent";

#[test]
fn an_image_without_an_agent_is_told_so() {
    let table = "::sysinit:/bin/mount -a\nttyS0::respawn:/sbin/getty -L 115200 ttyS0 vt100\n";
    let report = Tree::busybox().without(AGENT).file("etc/inittab", table).checked();
    expect(&report, &["agent-none"]);
}

#[test]
fn an_agent_that_is_started_and_not_there() {
    for tree in [Tree::busybox(), Tree::openrc(), Tree::systemd()] {
        let report = tree.without(AGENT).checked();
        expect(&report, &["agent-missing"]);
        assert!(report.findings[0].evidence.contains("starts /usr/local/bin/agent, which is not there"));
    }
    let table = "::sysinit:/bin/mount -a\nttyS0::respawn:/sbin/getty -L 115200 ttyS0 vt100\n";
    let report = Tree::busybox().file("etc/inittab", table).link(AGENT, "/opt/agent").checked();
    expect(&report, &["agent-missing"]);
}

#[test]
fn an_agent_that_cannot_run() {
    expect(&Tree::busybox().mode(AGENT, 0o644).checked(), &["agent-not-executable"]);
    expect(&Tree::busybox().file(AGENT, "agent").mode(AGENT, 0o755).checked(), &["agent-no-program"]);
    expect(&Tree::busybox().file(AGENT, "#!/bin/bash\n").mode(AGENT, 0o755).checked(), &["agent-interpreter"]);
    let python = Tree::busybox().program("usr/bin/env").file(AGENT, "#!/usr/bin/env python3\n").mode(AGENT, 0o755);
    expect(&python.checked(), &["agent-libraries"]);
    let report = Tree::busybox().program_for_arm(AGENT).checked();
    expect(&report, &["agent-machine"]);
    assert_eq!(evidence(&report, "agent-machine"), "the agent is for arm64, and the init for amd64");
}

#[test]
fn an_agent_is_nex_s_own_or_somebody_s() {
    let agent = |content: &[u8]| Tree::busybox().file(AGENT, content).mode(AGENT, 0o755).checked();
    let own = |protocol: u32| elf::program(elf::X86_64, b"", &elf::mark(protocol));
    expect(&agent(&own(1)), &[]);
    let report = agent(&own(77));
    expect(&report, &["agent-protocol"]);
    let said = evidence(&report, "agent-protocol");
    assert!(said.contains("nex-agent 0.0.9") && said.contains("version 77") && said.contains("version 1"), "{said}");
    for other in [elf::program(elf::X86_64, b"", b""), b"#!/bin/sh\nsleep 1\n".to_vec()] {
        let report = agent(&other);
        expect(&report, &["agent-foreign"]);
        assert!(report.findings[0].remedy.words(Setting::flag).contains("--ready-after"), "{:?}", report.findings);
    }
    let report = agent(b"#!/bin/sh\necho '@nex1 ready ...'\n");
    expect(&report, &["agent-foreign"]);
    assert!(report.findings[0].remedy.words(Setting::flag).contains("waits for its report"), "{:?}", report.findings);
}

#[test]
fn an_agent_by_another_name_or_behind_a_script_is_found() {
    let launcher = "#!/bin/sh\nexec /opt/acme 'x' \"$@\"\n";
    let named = |tree: Tree| {
        let tree = tree.link("opt/acme", "/usr/local/bin/agent").file("etc/nex/run-agent", launcher);
        tree.mode("etc/nex/run-agent", 0o755)
    };
    for command in ["/opt/acme", "/etc/nex/run-agent"] {
        let unit = format!("[Service]\nExecStart={command} \"x\"\nUser=nobody-here\n");
        let tree = named(Tree::systemd()).file("etc/systemd/system/agent.service", unit);
        expect(&tree.checked(), &["agent-user"]);
        let service = format!("#!/sbin/openrc-run\ncommand=\"{command}\"\ncommand_user=\"nobody-here\"\n");
        let tree = named(Tree::openrc()).file("etc/init.d/agent", service).mode("etc/init.d/agent", 0o755);
        expect(&tree.checked(), &["agent-user"]);
        let table = format!("::sysinit:/bin/mount -a\nttyS0::respawn:/sbin/getty ttyS0\n::respawn:{command}\n");
        expect(&named(Tree::busybox()).file("etc/inittab", table).checked(), &[]);
    }
    let init = named(Tree::new().program("bin/sh").program(AGENT)).link("sbin/init", "/etc/nex/run-agent");
    expect(&init.checked(), &[]);
    expect(&init.without(AGENT).checked(), &["agent-missing"]);
}

#[test]
fn an_agent_that_nobody_starts() {
    let table = "::sysinit:/bin/mount -a\nttyS0::respawn:/sbin/getty -L 115200 ttyS0 vt100\n";
    let nobody = |tree: Tree| {
        let report = tree.checked();
        assert_eq!(ids(&report), ["agent-not-started"], "{:?}", report.findings);
        report.findings[0].evidence.clone()
    };
    assert!(nobody(Tree::busybox().file("etc/inittab", table)).contains("neither /etc/inittab nor a script"));
    // A script of the boot may start it; who calls that is not followed.
    let scripts = Tree::busybox().file("etc/inittab", table).file("etc/init.d/S99agent", "/usr/local/bin/agent &\n");
    expect(&scripts.checked(), &[]);

    let wants = "etc/systemd/system/multi-user.target.wants/agent.service";
    let evidence = nobody(Tree::systemd().without(wants));
    assert_eq!(evidence, "/etc/systemd/system/agent.service starts /usr/local/bin/agent, and no link enables it");
    assert!(nobody(Tree::systemd().link("etc/systemd/system/agent.service", "/dev/null")).contains("no enabled unit"));

    let link = "etc/runlevels/boot/agent";
    assert_eq!(nobody(Tree::openrc().without(link)), "/etc/init.d/agent is in no runlevel of the boot");
    assert_eq!(nobody(Tree::openrc().mode("etc/init.d/agent", 0o644)), "/etc/runlevels/boot/agent may not be executed");
    let gone = nobody(Tree::openrc().without("etc/init.d/agent"));
    assert_eq!(gone, "/etc/runlevels/boot/agent leads nowhere");
}
