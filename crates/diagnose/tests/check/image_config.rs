//! The image's own program.

use nex_contract::Pid1;

use crate::tree::{Tree, evidence, expect};

const FILE: &str = "etc/nex/image.json";

fn tree(json: &str) -> Tree {
    Tree::busybox().file(FILE, json).program("usr/bin/serve")
}

#[test]
fn programs_that_start() {
    for json in [
        "{}",
        r#"{"later":null}"#,
        r#"{"entrypoint":["/bin/sh","-c"],"cmd":["true"]}"#,
        r#"{"cmd":["serve"],"env":["A=","B==","PATH=/usr/bin"],"stopSignal":"quit","user":"nex:nex","workingDir":"/home/nex"}"#,
        r#"{"cmd":["./bin/serve"],"user":"4711:4712","stopSignal":"9","workingDir":"/usr"}"#,
        // What is there only in the guest.
        r#"{"cmd":["/run/tool"],"workingDir":"/dev/shm"}"#,
        // What nothing runs.
        r#"{"user":"nobody-here","workingDir":"/none","stopSignal":"SIGNONE"}"#,
    ] {
        expect(&tree(json).checked(), &[]);
    }
}

#[test]
fn files_that_cannot_be_read() {
    for (json, why) in [
        ("", "EOF"),
        ("{\"cmd\":[\"a\"", "EOF"),
        (r#"{"cmd":null}"#, "invalid type: null, expected a sequence"),
        (r#"{"entrypoint":"/bin/sh"}"#, "expected a sequence"),
        ("\u{1b}[2J", "expected value"),
    ] {
        let report = tree(json).checked();
        expect(&report, &["image-config"]);
        assert!(evidence(&report, "image-config").starts_with("/etc/nex/image.json: "));
        assert!(evidence(&report, "image-config").contains(why), "{:?}", report.findings);
    }
    expect(&Tree::busybox().file("etc/nex/image.json/x", "").checked(), &["image-config"]);
    let long = format!("{{\"cmd\":[\"{}\"]}}", "x".repeat(4 << 20));
    assert!(evidence(&tree(&long).checked(), "image-config").contains("longer than 4194304 bytes"));
}

#[test]
fn programs_that_do_not_start() {
    for (fields, id, why) in [
        (r#""stopSignal":"SIGNOVA""#, "image-stop-signal", "'SIGNOVA' is not known"),
        (r#""user":"web""#, "image-user", "no user 'web' in /etc/passwd"),
        (r#""user":"nex:wheel""#, "image-user", "no group 'wheel' in /etc/group"),
        (r#""workingDir":"/none""#, "image-workdir", "/none is not there"),
        (r#""workingDir":"/etc/passwd""#, "image-workdir", "/etc/passwd is no directory"),
        (r#""env":["A"]"#, "image-env", "has 'A' among"),
        (r#""env":["=x\u001b"]"#, "image-env", r#"has '=x\u{1b}' among"#),
    ] {
        let report = tree(&format!(r#"{{"cmd":["/usr/bin/serve"],{fields}}}"#)).checked();
        expect(&report, &[id]);
        assert!(evidence(&report, id).contains(why), "{:?}", report.findings);
    }
    let program = |tree: Tree, why: &str| {
        let report = tree.checked();
        expect(&report, &["image-program"]);
        assert!(evidence(&report, "image-program").contains(why), "{:?}", report.findings);
    };
    program(tree(r#"{"cmd":["/none\u001b"]}"#), r"there is no /none\u{1b}");
    program(tree(r#"{"cmd":["none"],"env":["PATH=/bin"]}"#), "there is no 'none' in /bin");
    program(tree(r#"{"cmd":["/etc/passwd"]}"#), "/etc/passwd is not executable");
    program(tree(r#"{"cmd":["/usr"]}"#), "/usr is a directory");
    let serve = || tree(r#"{"cmd":["/usr/bin/serve"]}"#);
    program(serve().program_for_arm("usr/bin/serve"), "is for arm64");
    program(serve().file("usr/bin/serve", "echo").mode("usr/bin/serve", 0o755), "neither as an ELF file nor with #!");
    program(serve().file("usr/bin/serve", "#!/bin/bash\n").mode("usr/bin/serve", 0o755), "/bin/bash is not there");
}

#[test]
fn a_boot_script_may_make_what_is_missing() {
    let json = r#"{"cmd":["/none"],"user":"web","workingDir":"/none"}"#;
    expect(&tree(json).checked(), &["image-user", "image-workdir"]);
    let script = "etc/nex/boot-script";
    expect(&tree(json).file(script, "#!/bin/sh\n").mode(script, 0o755).checked(), &[]);
}

#[test]
fn programs_that_run_as_process_one_alone() {
    const S6: &str = "#!/bin/sh -e\nexec s6-overlay-suexec ' /package/x' '' \"$@\"\n";
    let tree = |program: &str, more: &str| {
        let tree = tree(&format!(r#"{{"entrypoint":["{program}"]{more}}}"#)).file("init", S6).mode("init", 0o755);
        tree.program("usr/lib/systemd/systemd").link("usr/sbin/init", "../lib/systemd/systemd").checked()
    };
    for (program, init) in
        [("/init", "/init is s6-overlay"), ("/usr/sbin/init", "is systemd"), ("/sbin/init", "BusyBox")]
    {
        let report = tree(program, "");
        expect(&report, &["image-process-one"]);
        assert!(evidence(&report, "image-process-one").contains(init), "{:?}", report.findings);
        let handed_over = tree(program, r#","pid1":"image""#);
        expect(&handed_over, &[]);
        assert_eq!((report.pid1, handed_over.pid1), (Pid1::Agent, Pid1::Image));
    }
    expect(&tree("/usr/bin/serve", ""), &[]);
    expect(&tree("/bin/sh", ""), &[]);
}
