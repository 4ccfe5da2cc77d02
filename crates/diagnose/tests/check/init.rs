//! What the kernel makes of the init.

use std::path::Path;
use std::process::Command;

use nex_diagnose::{CheckOptions, architecture, check_file};
use nex_inspect::RootFs;
use nex_kernel::Architecture;
use nex_testkit::command;

use crate::tree::{Tree, evidence, expect, ids};

#[test]
fn sound_images_have_no_findings() {
    for tree in [Tree::busybox(), Tree::openrc(), Tree::systemd()] {
        expect(&tree.checked(), &[]);
    }
    let scratch = Tree::new().program("usr/local/bin/agent").link("sbin/init", "/usr/local/bin/agent");
    let report = scratch.checked();
    expect(&report, &[]);
    assert_eq!(report.init.as_deref(), Some("/sbin/init (/usr/local/bin/agent)"));
    assert_eq!(report.architecture.as_deref(), Some("amd64"));
}

#[test]
fn no_init_at_all() {
    let report = Tree::busybox().without("sbin/init").without("bin/sh").checked();
    assert_eq!(ids(&report), ["init-missing"]);
    assert!(evidence(&report, "init-missing").contains("/sbin/init is not there, /etc/init is not there"));
}

#[test]
fn a_shell_in_its_place() {
    let report = Tree::busybox().without("sbin/init").checked();
    assert_eq!(ids(&report), ["agent-not-started", "init-shell"]);
    let report = Tree::systemd().without("usr/lib/systemd/systemd").checked();
    let evidence = evidence(&report, "init-shell");
    assert!(evidence.contains("/sbin/init leads to ../lib/systemd/systemd, which is not there"), "{evidence}");
}

#[test]
fn an_init_that_cannot_be_executed() {
    let report = Tree::busybox().program("sbin/init").mode("sbin/init", 0o644).checked();
    assert_eq!(ids(&report)[0], "init-not-executable");
    assert_eq!(
        evidence(&report, "init-not-executable"),
        "the mode of /sbin/init is 644; the kernel goes on to /bin/sh"
    );
    let tree = Tree::busybox().without("sbin/init");
    std::fs::create_dir(tree.path("sbin/init")).expect("writable");
    let report = tree.checked();
    assert!(evidence(&report, "init-not-executable").contains("/sbin/init is a directory"));
}

#[test]
fn an_init_that_is_no_program() {
    let report = Tree::busybox().file("sbin/init", "exec sh\n").mode("sbin/init", 0o755).checked();
    assert!(evidence(&report, "init-no-program").contains("neither as an ELF file nor with #!"));
    let report = Tree::busybox().file("sbin/init", "").mode("sbin/init", 0o755).checked();
    assert!(evidence(&report, "init-no-program").contains("is empty"));
    let report = Tree::busybox().file("sbin/init", b"\x7fELF\x02\x01\x01").mode("sbin/init", 0o755).checked();
    assert!(evidence(&report, "init-no-program").contains("cut short or damaged"));
}

#[test]
fn an_init_among_programs_for_another_processor() {
    let report = Tree::busybox().program_for_arm("sbin/init").checked();
    assert!(evidence(&report, "init-machine").contains("/sbin/init is for arm64, and /bin/sh for amd64"));
}

#[test]
fn a_dynamic_init_needs_its_loader_and_libraries() {
    let directory = tempfile::tempdir().expect("a directory");
    let program = directory.path().join("program");
    let source = directory.path().join("program.c");
    std::fs::write(&source, "int main(void) { return 0; }").expect("writable");
    command::run(Command::new("cc").arg(&source).arg("-o").arg(&program)).expect("a compiler");
    let linked = command::run(Command::new("ldd").arg(&program)).expect("ldd");
    let linked = String::from_utf8(linked).expect("text");
    let libraries: Vec<_> = linked.split_whitespace().filter(|word| word.starts_with('/')).collect();
    assert!(libraries.len() >= 2, "{linked}");

    let with = |wanted: &dyn Fn(&str) -> bool| {
        let tree = Tree::new().program_of("sbin/init", &program).program("usr/local/bin/agent");
        let tree = libraries
            .iter()
            .filter(|path| wanted(path))
            .fold(tree, |tree, path| tree.program_of(path.trim_start_matches('/'), Path::new(path)));
        tree.checked()
    };
    assert!(ids(&with(&|_| true)).is_empty());
    let report = with(&|path| !path.contains("ld-"));
    assert!(evidence(&report, "init-interpreter").contains("which is not there"));
    let report = with(&|path| path.contains("ld-"));
    assert!(evidence(&report, "init-libraries").contains("libc.so.6 (for /sbin/init)"));
}

#[test]
fn a_script_as_init_needs_its_interpreter() {
    let script = |text: &str| Tree::busybox().file("sbin/init", text).mode("sbin/init", 0o755).checked();
    assert!(ids(&script("#!/bin/sh\nexec /usr/local/bin/agent\n")).is_empty());
    let report = script("#!/bin/bash\n");
    assert_eq!(
        evidence(&report, "init-interpreter"),
        "/sbin/init is a script for /bin/bash: /bin/bash is not there; the kernel goes on to /bin/sh"
    );
    let report = script("#!/sbin/init\n");
    assert!(evidence(&report, "init-interpreter").contains("a script whose interpreter is a script, and so on"));
    let report = Tree::busybox()
        .program("usr/bin/env")
        .file("sbin/init", "#!/usr/bin/env python3\n")
        .mode("sbin/init", 0o755)
        .checked();
    assert!(evidence(&report, "init-libraries").contains("python3, which is not there"));
}

#[test]
fn the_init_asked_for_is_the_only_one_tried() {
    let image = Tree::busybox().program("opt/init");
    let image = image.image(&[]);
    let asked = |init: &str| {
        check_file(&image, &CheckOptions { init: Some(init.into()), ..CheckOptions::default() }).expect("readable")
    };
    assert_eq!(asked("/opt/init").init.as_deref(), Some("/opt/init"));
    assert_eq!(ids(&asked("/opt/nothing")), ["init-missing"]);
}

#[test]
fn a_table_that_starts_what_is_not_there() {
    let report = Tree::openrc().without("sbin/openrc").checked();
    assert_eq!(evidence(&report, "inittab-program"), "/etc/inittab starts /sbin/openrc, which the image lacks");
}

#[test]
fn systemd_without_an_aim() {
    expect(&Tree::systemd().without("usr/lib/systemd/system/default.target").checked(), &["systemd-target"]);
    let aimed = Tree::systemd().without("usr/lib/systemd/system/default.target");
    expect(&aimed.link("etc/systemd/system/default.target", "/lib/systemd/system/multi-user.target").checked(), &[]);
}

#[test]
fn directories_that_are_mounted_on() {
    let tree = Tree::busybox().without("dev").without("proc");
    expect(&tree.checked(), &["dev-missing", "mount-point-missing"]);
    expect(&Tree::systemd().without("run").checked(), &["mount-point-missing"]);
    expect(&Tree::busybox().without("run").checked(), &[]);
}

/// A kernel is chosen by it.
#[test]
fn programs_ask_for_a_kernel_of_their_kind() {
    let asks_for = |tree: Tree| architecture(&RootFs::open(&tree.image(&[])).expect("readable"));
    assert_eq!(asks_for(Tree::busybox()), Some(Architecture::X86_64));
    assert_eq!(asks_for(Tree::busybox().program_for_arm("bin/busybox")), Some(Architecture::Aarch64));
    assert_eq!(asks_for(Tree::new().program_for_arm("usr/local/bin/agent")), Some(Architecture::Aarch64));
    assert_eq!(asks_for(Tree::new()), None);
}
