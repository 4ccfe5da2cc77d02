//! The kernel starts the init, and sees it end (`init/main.c`, `kernel/exit.c`).

use nex_contract::AGENT;
use nex_fault::{Remedy, Setting};

use super::boot::Boot;
use super::exit::Status;
use super::rules::{
    INIT_EXITED, INIT_INTERPRETER_MISSING, INIT_MISSING, INIT_NOT_EXECUTABLE, INIT_UNSTARTABLE, INIT_WRONG_FORMAT,
    LIBRARY_MISSING, NO_DEV_CONSOLE, NO_INIT, PROGRAM_MISSING,
};
use super::symptom::Symptom;
use super::text::Message;
use super::{Known, disk, errno, init_program};

const NOT_FOUND: u32 = 2;
const FORMAT: u32 = 8;
const PERMISSION: u32 = 13;

/// What the kernel starts from its initramfs (`rdinit=`).
const INITRAMFS_INIT: &str = "/init";

/// Reads a message about the init.
pub fn read(message: &Message, boot: &Boot, known: &Known) -> Option<Symptom> {
    if let Some((path, error)) = unstartable(message) {
        return Some(not_started(message, path, error, boot, known));
    }
    if message.after("Kernel panic - not syncing: No working init found").is_some()
        || message.after("Kernel panic - not syncing: No init found").is_some()
    {
        let words =
            "the kernel has found no init: none of /sbin/init, /etc/init, /bin/init and /bin/sh could be started";
        return Some(Symptom::cause(&NO_INIT, message, words, init_program::name_another(known)));
    }
    if let Some(word) = message.after("Kernel panic - not syncing: Attempted to kill init!") {
        return Some(ended(message, word, boot));
    }
    if message.after("Warning: unable to open an initial console").is_some() {
        let words = "the root has no /dev/console, so what the init writes is lost until it mounts /dev";
        let remedy =
            "an image of nex's works without; else boot a kernel with CONFIG_DEVTMPFS_MOUNT, or put the node there";
        return Some(Symptom::suspect(&NO_DEV_CONSOLE, message, words, remedy));
    }
    library(message, boot).or_else(|| busybox(message))
}

/// The init that was not started, and why.
fn unstartable(message: &Message) -> Option<(&str, i32)> {
    let forms = [
        ("Kernel panic - not syncing: Requested init ", " failed (error "),
        ("Starting init: ", " exists but couldn't execute it (error "),
        ("Failed to execute ", " (error "),
    ];
    let (path, error) = forms.iter().find_map(|(prefix, middle)| message.after(prefix)?.split_once(middle))?;
    Some((path, errno::number(error)?))
}

/// What it means that the kernel has refused to execute an init with this error.
pub fn not_started(message: &Message, path: &str, error: i32, boot: &Boot, known: &Known) -> Symptom {
    // The initramfs' own init is not in the image.
    let known = &if path == INITRAMFS_INIT { Known { image: None, ..*known } } else { *known };
    if let Some((rule, words, remedy)) = disk::unreadable(path, error) {
        return Symptom::cause(rule, message, words, remedy);
    }
    match error.unsigned_abs() {
        NOT_FOUND => not_found(message, path, known),
        FORMAT => {
            let kernel = boot
                .processor
                .map_or_else(String::new, |processor| format!(" (this kernel runs those for {processor})"));
            let what = init_program::format(known, path, boot.processor)
                .unwrap_or_else(|| format!("it is for another machine, or a script without '#!'{kernel}"));
            let words = format!("the kernel cannot run {path}: {what}");
            let remedy = Remedy::say("make the image for the kernel's machine (")
                .set(Setting::Platform, "linux/amd64 or linux/arm64")
                .and("), with an agent for it; a script needs '#!' and its interpreter in the first line");
            Symptom::cause(&INIT_WRONG_FORMAT, message, words, remedy)
        }
        PERMISSION => {
            let what = init_program::permission(known, path).unwrap_or_else(|| "it has no right to be executed".into());
            let words = format!("the kernel may not execute {path}: {what}");
            Symptom::cause(&INIT_NOT_EXECUTABLE, message, words, format!("chmod 755 {path} where the image is made"))
        }
        _ => {
            let words = format!("the kernel cannot start {path}: {}", errno::words(error));
            Symptom::cause(&INIT_UNSTARTABLE, message, words, init_program::name_another(known))
        }
    }
}

/// `ENOENT` is said of a file that is missing and of one whose interpreter is.
fn not_found(message: &Message, path: &str, known: &Known) -> Symptom {
    const BUILD: &str = "install what it needs in the image, or use a static program (Go: CGO_ENABLED=0; Rust: -C \
                         target-feature=+crt-static; C: -static)";
    match init_program::is_there(known, path) {
        Some(false) => {
            let words = format!("the root filesystem has no {path}");
            Symptom::cause(&INIT_MISSING, message, words, init_program::name_another(known))
        }
        Some(true) => {
            let lacks =
                init_program::lacks(known, path).unwrap_or_else(|| "the interpreter or loader that it names".into());
            let words = format!("{path} is there, and what runs it is not: it needs {lacks}");
            Symptom::cause(&INIT_INTERPRETER_MISSING, message, words, BUILD)
        }
        None if path == INITRAMFS_INIT => {
            let words = "the initramfs has an /init, and the interpreter or loader that it names is not there";
            Symptom::cause(&INIT_INTERPRETER_MISSING, message, words, "make the initramfs again, with a static /init")
        }
        None => {
            let words =
                format!("{path} is not in the root filesystem, or the interpreter or loader that it names is not");
            let remedy = Remedy::say(format!("{}; or {BUILD}. With the image,", init_program::name_another(known)))
                .choose(Setting::Image)
                .and("FILE, it can be told which");
            Symptom::cause(&INIT_MISSING, message, words, remedy)
        }
    }
}

/// ` exitcode=0x00007f00`, which kernels give since 2.6.30.
fn ended(message: &Message, word: &str, boot: &Boot) -> Symptom {
    let init = boot.init.as_deref().unwrap_or("the init");
    let status = Status::in_panic(word);
    let how = status.map_or_else(|| "in a way that the kernel does not tell".into(), Status::words);
    let verb = if matches!(status, Some(Status::Signal(_))) { "was ended" } else { "ended" };
    let words = format!("{init} {verb} {how}");
    let remedy = match status {
        Some(Status::Signal(_)) => "what it wrote before is above; run the program elsewhere to see it fail",
        _ => {
            "an init must never end. What it wrote before is above; a program that does some work and ends is for \
             the agent to run: nex run, or the image's entrypoint"
        }
    };
    Symptom::outcome(&INIT_EXITED, message, words, remedy)
}

/// The loaders of glibc and musl, when a library is not there.
fn library(message: &Message, boot: &Boot) -> Option<Symptom> {
    let text = message.text();
    let (program, library) = if let Some((program, rest)) = text.split_once(": error while loading shared libraries: ")
    {
        (program, rest.split(": ").next().unwrap_or(rest))
    } else {
        let rest = message.after("Error loading shared library ")?;
        let (library, rest) = rest.split_once(": ")?;
        (rest.split_once("(needed by ").map_or("a program", |(_, by)| by.trim_end_matches(')')), library)
    };
    let words = format!("{program} needs the shared library {library}, which is not there");
    let remedy = "install the package that has it, or use a static program";
    // Any program may write this; the init's or the agent's ends the boot.
    let counts = boot.init.as_deref() == Some(program) || program.ends_with("/agent") || program.ends_with("/init");
    let symptom = if counts { Symptom::cause } else { Symptom::suspect };
    Some(symptom(&LIBRARY_MISSING, message, words, remedy.to_owned()))
}

/// busybox's init, when its inittab names what is not there: an image of Alpine's without its package openrc.
fn busybox(message: &Message) -> Option<Symptom> {
    let (program, why) = message.after("can't run '")?.split_once("': ")?;
    let words = format!("/etc/inittab starts {program}: {why}");
    let remedy =
        format!("install what has {program} (apk add openrc), or boot with the agent as the init: init={AGENT}");
    Some(Symptom::cause(&PROGRAM_MISSING, message, words, remedy))
}
