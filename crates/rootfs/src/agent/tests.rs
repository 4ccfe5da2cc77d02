//! Real programs of this machine, against images made of its own libraries.

use std::io::Cursor;
use std::path::Path;
use std::process::Command;

use nex_testkit::noise::Random;

use super::*;
use crate::codes::tests::said;
use crate::guest::memory::Image;

/// A dynamic program that every machine with a test harness has: this one.
fn dynamic() -> Agent {
    Agent::open(&std::env::current_exe().expect("a path")).expect("a program")
}

fn inspect(bytes: &[u8]) -> Result<Agent, Error> {
    Agent::inspect("./agent".into(), Cursor::new(bytes.to_vec()))
}

/// The files that ldd(1) finds for this program, at the paths where it finds them.
fn image_of_ldd() -> Image {
    let output =
        Command::new("ldd").arg(std::env::current_exe().expect("a path")).output().expect("ldd, from libc-bin");
    let text = String::from_utf8(output.stdout).expect("text");
    let paths = text.split_whitespace().filter(|word| word.starts_with('/'));
    paths.fold(Image::default(), |image, path| image.file(path, 0o755, std::fs::read(path).expect("readable")))
}

/// Compiles C, or says that there is no compiler.
fn compile(directory: &Path, source: &str, arguments: &[&str]) -> bool {
    std::fs::write(directory.join("source.c"), source).expect("writable");
    let compiler = Command::new("cc").current_dir(directory).arg("source.c").args(arguments).status();
    let compiled = compiler.is_ok_and(|status| status.success());
    if !compiled {
        eprintln!("skipped: no C compiler (cc)");
    }
    compiled
}

#[test]
fn a_dynamic_program_runs_where_ldd_finds_its_libraries() {
    let agent = dynamic();
    assert!(matches!(agent.linkage(), Linkage::Dynamic { .. }));
    agent.check_in(&image_of_ldd()).expect("all is there");
}

#[test]
fn an_empty_image_lacks_the_loader_and_the_message_says_how_to_build() {
    let error = dynamic().check_in(&Image::default()).expect_err("nothing is there");
    let Error::Missing { missing, libc: Libc::None, .. } = &error else { panic!("{error}") };
    assert!(matches!(missing.as_slice(), [Missing::Loader(_)]), "{error}");
    let message = said(&error);
    for part in ["the image has no C library", "CGO_ENABLED=0", "-unknown-linux-musl", "crt-static", "-static"] {
        assert!(message.contains(part), "{part} in {message}");
    }
}

#[test]
fn a_missing_library_is_named_with_who_needs_it() {
    let Linkage::Dynamic { loader } = dynamic().linkage() else { panic!("dynamic") };
    let only_loader = Image::default().file(&loader, 0o755, std::fs::read(&loader).expect("readable"));
    let error = dynamic().check_in(&only_loader).expect_err("libc is missing");
    assert!(error.to_string().contains("libc.so.6 (for /usr/local/bin/agent)"), "{error}");
}

#[test]
fn musl_cannot_load_what_glibc_built() {
    let database = "C:Q1\nP:busybox\nV:1.36.1-r29\n\nP:musl\nV:1.2.5-r0\n";
    let alpine =
        Image::default().file("/lib/ld-musl-x86_64.so.1", 0o755, "").file("/lib/apk/db/installed", 0o644, database);
    let error = dynamic().check_in(&alpine).expect_err("another libc");
    assert!(error.to_string().contains("the image has musl 1.2.5-r0"), "{error}");
}

#[test]
fn versions_of_libc_are_compared() {
    // A program that needs a version of a library, and an image where that library defines only an older one.
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path();
    std::fs::write(path.join("new.map"), "THING_1.0 { global: old; };\nTHING_2.0 { global: thing; };\n")
        .expect("writable");
    std::fs::write(path.join("old.map"), "THING_1.0 { global: old; thing; };\n").expect("writable");
    let library = "int old(void) { return 1; } int thing(void) { return 2; }";
    let built = ["new", "old"].into_iter().all(|name| {
        let (map, out) = (format!("-Wl,--version-script={name}.map"), format!("{name}.so"));
        compile(path, library, &["-shared", "-fPIC", "-Wl,-soname,libthing.so.1", &map, "-o", &out])
    });
    let program = "int thing(void); int main(void) { return thing(); }";
    if !built || !compile(path, program, &["new.so", "-Wl,-rpath,$ORIGIN/../lib/thing", "-o", "program"]) {
        return;
    }
    let agent = Agent::open(&path.join("program")).expect("a program");
    let library = |name: &str| std::fs::read(path.join(name)).expect("just built");
    let place = "/usr/local/lib/thing/libthing.so.1";
    let image = image_of_ldd();
    agent.check_in(&image.clone().file(place, 0o755, library("new.so"))).expect("the right version, found by $ORIGIN");
    let error = agent.check_in(&image.file(place, 0o755, library("old.so"))).expect_err("an older version");
    let expected = "THING_2.0 in libthing.so.1 (which goes up to THING_1.0)";
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn needs_of_needs_are_followed_and_found_by_ld_so_conf() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path();
    let built = compile(path, "int inner(void) { return 1; }", &["-shared", "-fPIC", "-o", "libinner.so"])
        && compile(
            path,
            "int inner(void); int outer(void) { return inner(); }",
            &["-shared", "-fPIC", "-L.", "-linner", "-o", "libouter.so"],
        )
        && compile(
            path,
            "int outer(void); int main(void) { return outer(); }",
            &["-L.", "-louter", "-Wl,--allow-shlib-undefined", "-o", "program"],
        );
    if !built {
        return;
    }
    let agent = Agent::open(&path.join("program")).expect("a program");
    let library = |name: &str| std::fs::read(path.join(name)).expect("just built");
    let image = image_of_ldd()
        .file("/etc/ld.so.conf", 0o644, "include /etc/ld.so.conf.d/*.conf\n")
        .file("/etc/ld.so.conf.d/a.conf", 0o644, "# ours\n/opt/lib\n")
        .file("/opt/lib/libouter.so", 0o755, library("libouter.so"));
    let error = agent.check_in(&image).expect_err("the inner one is missing");
    assert!(error.to_string().contains("libinner.so (for /opt/lib/libouter.so)"), "{error}");
    agent.check_in(&image.file("/opt/lib/libinner.so", 0o755, library("libinner.so"))).expect("both are there");
}

#[test]
fn a_static_program_needs_nothing_and_a_static_lookalike_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path();
    let program = "int main(void) { return 0; }";
    for arguments in [["-static", "-o", "static"], ["-static-pie", "-o", "static"]] {
        if !compile(path, program, &arguments) {
            return;
        }
        let agent = Agent::open(&path.join("static")).expect("a program");
        assert_eq!(agent.linkage(), Linkage::Static);
        agent.check_in(&Image::default()).expect("it needs nothing");
    }
    if compile(path, program, &["-shared", "-fPIC", "-Wl,--no-as-needed", "-lm", "-o", "lookalike"]) {
        let error = Agent::open(&path.join("lookalike")).expect_err("it would crash");
        assert!(error.to_string().contains("looks static, but needs libm.so.6"), "{error}");
    }
}

#[test]
fn another_machine_is_refused_with_the_way_to_build() {
    let mut bytes = std::fs::read(std::env::current_exe().expect("a path")).expect("readable");
    let machine_field = std::mem::offset_of!(object::elf::FileHeader64<object::Endianness>, e_machine);
    bytes[machine_field..][..2].copy_from_slice(&object::elf::EM_AARCH64.0.to_le_bytes());
    let agent = inspect(&bytes).expect("a program");
    agent.check_platform("arm64").expect("it is for arm64 now");
    let message = said(&agent.check_platform("amd64").expect_err("for arm64"));
    assert!(
        message.contains("is for arm64, but the root filesystem is for amd64") && message.contains("GOARCH=amd64"),
        "{message}"
    );
}

#[test]
fn a_script_needs_its_interpreter() {
    let image = Image::default().file("/bin/sh", 0o755, "").file("/usr/bin/env", 0o755, "");
    inspect(b"#! /bin/sh -e\nexit\n").unwrap().check_in(&image).expect("sh is there");
    let no_bash = inspect(b"#!/bin/bash\n").unwrap().check_in(&image).expect_err("no bash").to_string();
    assert!(no_bash.contains("a script for /bin/bash, which the image lacks"), "{no_bash}");
    let no_python = inspect(b"#!/usr/bin/env python3\n").unwrap().check_in(&image).expect_err("no python").to_string();
    assert!(no_python.contains("python3"), "{no_python}");
}

#[test]
fn what_is_no_program_is_refused() {
    assert!(matches!(inspect(b""), Err(Error::NoProgram { .. })));
    assert!(matches!(inspect(b"MZ\x90\0"), Err(Error::NoProgram { .. })));
    assert!(matches!(inspect(b"\x7fELF\x02\x01\x01"), Err(Error::Broken { cause: Broken::Header, .. })));
    // A segment that all of the file is too short for.
    let mut cut = std::fs::read(std::env::current_exe().expect("a path")).expect("readable");
    let headers = usize::try_from(u64::from_le_bytes(cut[32..40].try_into().expect("8 bytes"))).expect("small");
    let load = (headers..).step_by(56).find(|&at| cut[at..at + 4] == 1_u32.to_le_bytes()).expect("PT_LOAD");
    cut[load + 32..load + 40].copy_from_slice(&(1_u64 << 40).to_le_bytes());
    assert!(matches!(inspect(&cut), Err(Error::Broken { cause: Broken::CutShort, .. })));
}

#[test]
fn damaged_files_give_errors_never_panics() {
    let whole = std::fs::read("/bin/true").or_else(|_| std::fs::read("/bin/sh")).expect("a small program");
    for length in (0..whole.len()).step_by(97) {
        drop(inspect(&whole[..length]));
    }
    let image = image_of_ldd();
    let mut random = Random::new(1);
    // Half of the damage in the headers, where most of what is read stands.
    for round in 0..2000 {
        let mut bytes = whole.clone();
        for _ in 0..=random.below(8) {
            let at = random.below(if round % 2 == 0 { 1024.min(whole.len()) } else { whole.len() });
            bytes[at] = random.byte();
        }
        if let Ok(agent) = inspect(&bytes)
            && round % 50 == 0
        {
            drop(agent.check_in(&image));
        }
    }
}
