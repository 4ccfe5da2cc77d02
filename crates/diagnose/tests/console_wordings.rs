//! Wordings that no recorded console has: of other kernels, programs and machines, as their sources have them, and the
//! agent's own.

use nex_diagnose::console::{End, Known, explain};
use nex_fault::Setting;
use nex_protocol::{Encoder, EndBy, Event, MachineEnd, Ready, Role, Start, Text};

/// A console up to the moment when the init is started.
const UP: &str = "[    0.000000] Linux version 4.14.336 (root@builder)\n\
                  [    0.000000] Kernel command line: console=ttyS0 root=/dev/vda rw\n\
                  [    0.500000] VFS: Mounted root (ext4 filesystem) on device 254:0.\n\
                  [    0.600000] Run /sbin/init as init process\n";

/// The cause's id and words, of a console that goes on with these lines.
fn cause(lines: &str) -> (&'static str, String) {
    let explanation = explain(format!("{UP}{lines}\n").as_bytes(), &Known::default());
    explanation.cause.map_or(("none", String::new()), |symptom| (symptom.finding.id, symptom.finding.evidence))
}

#[test]
fn lines_of_others_are_known() {
    for (line, id, words) in [
        (
            "[    1.0] x\n[    1.000000] Kernel panic - not syncing: No init found.  Try passing init=",
            "no-init",
            "/sbin/init",
        ),
        (
            "[    1.000000] print_req_error: I/O error, dev vda, sector 2048",
            "io-error",
            "the drive vda cannot be read at sector 2048",
        ),
        (
            "[    1.000000] blk_update_request: I/O error, dev vda, sector 8 op 0x1:(WRITE) flags 0x800",
            "io-error",
            "vda cannot be written at sector 8",
        ),
        (
            "[    1.000000] EXT4-fs (vda): Filesystem with casefold feature cannot be mounted without CONFIG_UNICODE",
            "unsupported-feature",
            "CONFIG_UNICODE",
        ),
        (
            "[    1.000000] EXT4-fs (vda): write access unavailable, cannot proceed (try mounting with noload)",
            "drive-read-only",
            "its journal has to be replayed",
        ),
        ("[    1.000000] EXT4-fs (vda): unable to read superblock", "io-error", "the first block of vda"),
        (
            "[    1.000000] device-mapper: verity: 254:0: data block 17 is corrupted",
            "verity-mismatch",
            "data block 17 is corrupted",
        ),
        (
            "[    1.000000] device-mapper: table: 254:0: verity: unknown target type",
            "verity-unavailable",
            "unknown target",
        ),
        (
            "[    1.000000] Unable to handle kernel NULL pointer dereference at virtual address 0000000000000010\n\
             [    1.100000] Kernel panic - not syncing: Oops: Fatal exception",
            "kernel-bug",
            "NULL pointer",
        ),
        (
            "[    1.000000] Internal error: synchronous external abort: 96000210 [#1] SMP",
            "kernel-bug",
            "external abort",
        ),
        ("[    1.000000] watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [agent:1]", "stalled", "soft lockup"),
        ("[    1.000000] INFO: task agent:1 blocked for more than 120 seconds.", "stalled", "blocked for more than"),
        (
            "[    1.000000] Out of memory: Kill process 1234 (agent) score 900 or sacrifice child",
            "out-of-memory",
            "killed agent (process 1234)",
        ),
        (
            "Error loading shared library libstdc++.so.6: No such file or directory (needed by /sbin/init)",
            "library-missing",
            "/sbin/init needs the shared library libstdc++.so.6",
        ),
        (
            "[\u{1b}[0;1;31mFAILED\u{1b}[0m] Failed to start \u{1b}[0;1;39magent.service\u{1b}[0m - Nex agent.",
            "agent-failed",
            "failed to start",
        ),
        (
            "[    9.000000] systemd[1]: agent.service: Failed with result 'exit-code'.",
            "agent-failed",
            "Failed with result 'exit-code'",
        ),
        ("[    1.000000] systemd[1]: Freezing execution.", "kernel-panic", "stands still"),
        (
            "[   95.000000] dracut-initqueue[302]: Warning: /dev/vdz does not exist",
            "initramfs-without-root",
            "has found no /dev/vdz",
        ),
        (
            "Mounting root failed.\ninitramfs emergency recovery shell launched.",
            "initramfs-without-root",
            "has given up",
        ),
        (" OpenRC 0.54 is starting up Linux\n * ERROR: agent failed to start", "agent-failed", "agent failed to start"),
        (
            " OpenRC 0.54 is starting up Linux\n * ERROR: cannot start agent as localmount would not start",
            "service-failed",
            "localmount",
        ),
        ("mkdir: can't create directory '/var/lib/x': Read-only file system", "root-read-only", "'rw'"),
        (
            "[    2.000000] traps: agent[77] trap invalid opcode ip:4000 sp:7ffe error:0 in agent[400000+1000]",
            "agent-crashed",
            "signal 4 (SIGILL",
        ),
    ] {
        let (found, evidence) = cause(line);
        let remedy = explain(format!("{UP}{line}").as_bytes(), &Known::default()).cause;
        let told = format!(
            "{evidence} {}",
            remedy.map_or_else(String::new, |symptom| symptom.finding.remedy.words(Setting::flag))
        );
        assert!(found == id && told.contains(words), "{line:?}: {found}: {told}");
    }
}

/// Lines that boots go well with.
#[test]
fn what_is_harmless_is_not_the_cause() {
    for line in [
        "[    1.000000] EXT4-fs (vda): couldn't mount as ext3 due to feature incompatibilities",
        "[    1.000000] EXT4-fs (vda): INFO: recovery required on readonly filesystem",
        "[    1.000000] EXT4-fs (vda): recovery complete",
        "[    1.000000] EXT4-fs (vda): re-mounted. Quota mode: none.",
        "[    1.000000] device-mapper: ioctl: 4.47.0-ioctl (2022-07-28) initialised: dm-devel@redhat.com",
        "[    1.000000] RAS: Correctable Errors collector initialized.",
        "can't open /dev/tty1: No such file or directory",
        " * Starting agent ...",
    ] {
        let (id, words) = cause(line);
        assert_eq!(id, "agent-silent", "{line:?}: {words}");
    }
}

fn event(encoder: &mut Encoder, event: Event) -> Vec<u8> {
    let mut line = Vec::new();
    encoder.encode(&event, &mut line);
    line
}

/// The agent in an initramfs, which says that it failed.
fn initramfs_fails(text: &str) -> (String, String) {
    let mut encoder = Encoder::new();
    let start = Start { version: "0.1.0".into(), role: Role::Initramfs, uptime_ms: 700 };
    let console = [
        b"[    0.000000] Linux version 6.1.0 (x@y)\n[    0.000000] Kernel command line: root=/dev/vda rw\n".to_vec(),
        event(&mut encoder, Event::Start(start)),
        event(&mut encoder, Event::Fail(Text { uptime_ms: 800, text: text.into() })),
        event(&mut encoder, Event::End(MachineEnd { by: EndBy::PowerOff, uptime_ms: 900 })),
    ]
    .concat();
    let known = Known { end: Some(End::Itself), ..Known::default() };
    let cause = explain(&console, &known).cause;
    cause.map_or_else(Default::default, |symptom| (symptom.finding.id.to_owned(), symptom.finding.evidence))
}

#[test]
fn the_agent_in_an_initramfs_tells_what_the_kernel_would() {
    for (text, id) in [
        ("cannot start the init /sbin/x: ENOEXEC: Exec format error", "init-wrong-format"),
        ("cannot start the init /sbin/x: ENOENT: No such file or directory", "init-missing"),
        ("cannot start the init /sbin/x: No such file or directory (os error 2)", "init-missing"),
        ("cannot start the init /sbin/x: EACCES: Permission denied", "init-not-executable"),
        ("the root has no init: none of /sbin/init, /etc/init, /bin/init, /bin/sh", "no-init"),
        ("/dev/vda is not there after 10 s; there are: ttyS0", "no-root-device"),
        ("cannot mount /dev/vda as ext4: EROFS: Read-only file system", "drive-read-only"),
        ("cannot mount /dev/vda as ext4: EINVAL: Invalid argument", "root-unmountable"),
    ] {
        let (found, words) = initramfs_fails(text);
        assert_eq!(found, id, "{text}: {words}");
    }
}

#[test]
fn what_was_before_the_report_is_not_why_it_ended() {
    let mut encoder = Encoder::new();
    let ready = Ready { version: "0.1.0".into(), role: Role::Init, start_ms: 900, uptime_ms: 1000 };
    let line = String::from_utf8(event(&mut encoder, Event::Ready(ready))).unwrap_or_default();
    let damage = "[    0.700000] EXT4-fs error (device vda): ext4_lookup:1: inode #2: comm x: bad\n";
    let up = explain(format!("{UP}{damage}{line}").as_bytes(), &Known::default());
    assert!(up.ready && up.cause.is_none() && up.others.len() == 1, "{up:?}");
    let panic = "[    9.000000] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100\n";
    let ended = explain(format!("{UP}{damage}{line}{panic}").as_bytes(), &Known::default());
    assert_eq!(ended.cause.map(|symptom| symptom.finding.id), Some("init-exited"));
}

/// The kernel's lines as somebody else's log has taken them in, or what is left of them.
#[test]
fn a_console_that_went_through_another_log() {
    let told = |console: &str| {
        let explanation = explain(console.as_bytes(), &Known::default());
        let others: Vec<_> = explanation.others.iter().map(|symptom| symptom.finding.id).collect();
        let cause = explanation.cause.expect("a cause");
        (cause.finding.id, cause.finding.evidence, others)
    };
    let open = "VFS: Cannot open root device \"vdc\" or unknown-block(0,0): error -6";
    let panic = "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)";
    let quoted = open.replace('"', "\\\"");
    for console in [
        format!("[Mon Jan  5 10:20:30 2026] {open}\n[Mon Jan  5 10:20:31 2026] {panic}\n"),
        format!("Jan 05 10:20:30 guest kernel: {open}\nJan 05 10:20:30 guest kernel: {panic}\n"),
        format!(
            "level=info msg=\"[    0.712345] {quoted}\\n\" pid=12\nlevel=info msg=\"[    0.812345] {panic}\\n\" pid=12\n"
        ),
        format!(
            "level=debug vmconsole=\"[    0.712345] {quoted}\"\nlevel=debug vmconsole=\"[    0.812345] {panic}\"\n"
        ),
        format!("[guest1/uart0] [    0.712345] {open}\r\r\n[guest1/uart0] [    0.812345] {panic}\r\r\n"),
    ] {
        let (cause, words, others) = told(&console);
        assert_eq!((cause, others.as_slice()), ("no-root-device", &["root-unmountable"][..]), "{console}");
        assert!(words.contains("no drive vdc"), "{words}");
    }
    for console in [format!("[    9.123456] ---[ end {panic} ]---\n"), format!("---[ end {panic}\n")] {
        assert_eq!(told(&console).0, "root-unmountable", "{console}");
    }
    let whole = format!("[    0.812345] {panic}\n[    0.912345] ---[ end {panic} ]---\n");
    assert_eq!(told(&whole).2, [""; 0]);
}

/// Programs of other distributions that look for the root, and kernels that have no memory to begin with.
#[test]
fn what_comes_before_the_root() {
    for (lines, id, words) in [
        ("[    1.000000] RAMDISK: EOF while reading compressed data", "initramfs-broken", "EOF"),
        (
            "[    1.000000] VFS: Cannot open root device \"/dev/ram0\" or unknown-block(1,0): error -6",
            "no-root-device",
            "no drive /dev/ram0",
        ),
        ("Warning: /dev/mapper/system-root does not exist", "initramfs-without-root", "system-root"),
        ("ERROR: device 'UUID=0a1b' not found. Skipping fsck.", "initramfs-without-root", "UUID=0a1b"),
        ("!! Block device /dev/sdq1 is not a valid root device...", "initramfs-without-root", "/dev/sdq1"),
        (
            "[    0.010000] Kernel panic - not syncing: some_init: Failed to allocate 8192 bytes align=0x40",
            "out-of-memory",
            "for the kernel itself",
        ),
        (
            "[   40.000000] Memory cgroup out of memory: Killed process 77 (agent) total-vm:1kB, anon-rss:1kB",
            "out-of-memory",
            "killed agent (process 77)",
        ),
        ("[    1.000000] end_request: I/O error, dev vda, sector 512", "io-error", "at sector 512"),
        ("Cannot open access to console, the root account is locked.", "emergency-mode", "nobody can"),
    ] {
        let (cause, evidence) = cause(lines);
        assert_eq!(cause, id, "{lines}");
        assert!(evidence.contains(words), "{lines}: {evidence}");
    }
}

#[test]
fn who_welcomes_its_user_need_not_be_systemd() {
    let came = |lines: &str| match cause(lines) {
        ("agent-silent", words) => words,
        other => panic!("{lines:?}: {other:?}"),
    };
    assert!(came("\nWelcome to Debian GNU/Linux 12 (bookworm)!\n").starts_with("systemd runs"));
    let openrc = "   OpenRC 0.54 is starting up Linux 6.6.49-0-virt (x86_64)";
    // As `/etc/issue` of Alpine has it, and `/etc/motd`.
    for lines in [format!("{openrc}\nWelcome to Alpine Linux 3.20\n"), format!("{openrc}\nWelcome to Alpine!\n")] {
        assert!(came(&lines).starts_with("OpenRC runs"), "{lines}");
    }
    assert!(came("Welcome to Alpine Linux 3.20\n").starts_with("the kernel has started /sbin/init"));
    assert!(
        came("localhost login: root\nWelcome to Alpine!\n").starts_with("the guest has come up to its login prompt")
    );
}

/// What to do, of a console and how it ended.
fn advice(console: &str, end: Option<End>) -> String {
    let explanation = explain(console.as_bytes(), &Known { end, ..Known::default() });
    explanation.cause.map_or_else(String::new, |symptom| symptom.finding.remedy.words(Setting::flag))
}

#[test]
fn a_silent_guest_that_was_stopped_may_need_more_time() {
    assert!(advice("", Some(End::Stopped)).starts_with("give it more time (--timeout); if it stays silent: "));
    for end in [None, Some(End::Itself)] {
        assert!(!advice("", end).contains("--timeout"));
    }
}

#[test]
fn a_kernel_that_sees_no_drive_is_told_where_its_modules_would_be_found() {
    let console = "[    0.000000] Linux version 6.1.0-9-cloud-amd64 (debian)\n\
                   [    0.000000] Kernel command line: console=ttyS0 root=/dev/vda rw\n\
                   [    0.500000] VFS: Cannot open root device \"vda\" or unknown-block(0,0): error -6\n\
                   [    0.600000] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)\n";
    let advice = advice(console, None);
    for words in
        ["lib/modules/6.1.0-9-cloud-amd64 near the kernel", "/lib/modules/6.1.0-9-cloud-amd64 or in", "--modules"]
    {
        assert!(advice.contains(words), "{words}: {advice}");
    }
}
