//! What scripts find in `/proc` and `/dev`, and ask the kernel by sockets: of the machine no more than programs need.

use std::process::Command;

use nex_testkit::nex::script::{World, messages, text};
use nex_testkit::{Failure, Result, command, nex};

use crate::callers::{Caller, again};

/// What says something, and is known to be harmless.
const SHOWN: [&str; 8] = ["cgroups", "cpuinfo", "filesystems", "loadavg", "meminfo", "stat", "uptime", "version"];

/// Everything in `/proc` that is not about processes, and whether there is something in it.
const LOOK: &str = "cd /proc
    for name in *; do
        case $name in [0-9]*) continue;; esac
        if [ -L $name ]; then continue; fi
        if [ -d $name ]; then read=$(ls -A $name); else read=$(head -c 100 $name); fi
        if [ -n \"$read\" ]; then echo $name >> /shown; else echo $name >> /hidden; fi
        ! chmod 777 $name 2> /dev/null || echo \"$name gets another mode\" >> /changed
        ! touch -d @0 $name 2> /dev/null || echo \"$name gets another time\" >> /changed
        [ -d $name ] || ! (: >> $name) 2> /dev/null || echo \"$name is opened to write\" >> /changed
    done
    for name in null zero full random urandom tty; do
        ! chmod 600 /dev/$name 2> /dev/null || echo \"/dev/$name gets another mode\" >> /changed
        ! touch -d @0 /dev/$name 2> /dev/null || echo \"/dev/$name gets another time\" >> /changed
        [ $name = tty ] || echo x > /dev/$name || echo \"/dev/$name does not work\" >> /changed
    done 2> /dev/null
    grep -E '^(intr|softirq)' stat >> /shown; grep -c '^btime 1' stat >> /shown; grep -c ^processor cpuinfo >> /processors
    grep -c '^cpu[0-9]' stat >> /processors; : >> /changed\n";

#[test]
fn proc_shows_what_programs_need_and_no_more_of_the_machine() -> Result<()> {
    let world = World::new()?;
    for caller in Caller::ALL {
        let run = again(&world.command_in("image", LOOK, &caller.work_dir())?, nex::program());
        let Some(mut run) = caller.command(&run, &world)? else { return Ok(()) };
        command::run(&mut run)?;
        let image = world.path("image");
        // Writing to /dev/full fails, as it must.
        assert_eq!(text(&image, "/changed")?, "/dev/full does not work\n", "{caller:?}");
        let shown = text(&image, "/shown")?;
        let of_kernel = ["sys", "sysvipc", "intr 0", "softirq 0", "1"];
        let unknown = shown.lines().find(|name| !SHOWN.contains(name) && !of_kernel.contains(name));
        assert_eq!(unknown, None, "{caller:?} sees it");
        for needed in ["cpuinfo", "meminfo", "stat", "sys", "uptime", "version", "intr 0", "1"] {
            assert!(shown.lines().any(|name| name == needed), "{caller:?} does not see {needed}: {shown}");
        }
        let hidden = text(&image, "/hidden")?;
        for name in ["config.gz", "interrupts", "kallsyms", "keys", "kmsg", "modules", "partitions", "pressure"] {
            let is_there = std::path::Path::new("/proc").join(name).exists();
            assert!(!is_there || hidden.lines().any(|hidden| hidden == name), "{caller:?}: {hidden}");
        }
        let processors = text(&image, "/processors")?;
        let mut counts = processors.lines();
        assert!(counts.next() == counts.next() && processors.starts_with(|digit| ('1'..='9').contains(&digit)));
        std::fs::remove_file(image)?;
    }
    Ok(())
}

/// The machine's own file says all of this.
#[test]
fn outside_proc_shows_more() -> Result<()> {
    for path in ["/proc/interrupts", "/proc/kallsyms", "/proc/partitions"] {
        assert!(!std::fs::read(path)?.is_empty(), "{path}");
    }
    assert!(!std::fs::read_to_string("/proc/stat")?.contains("intr 0\n"));
    Ok(())
}

#[test]
fn nobody_gets_a_core_dump_to_see() -> Result<()> {
    let world = World::new()?;
    let script = "grep 'Max core' /proc/self/limits; ulimit -c unlimited; ulimit -Hc 0 && ulimit -Hc unlimited; true\n";
    for caller in Caller::ALL {
        let run = again(&world.command_in("image", script, &caller.work_dir())?, nex::program());
        let Some(run) = caller.command(&run, &world)? else { return Ok(()) };
        // Whatever limit it is started with.
        for limit in ["unlimited", "1"] {
            let mut limited = Command::new("bash");
            limited.args(["-c", "ulimit -c $0; exec \"$@\"", limit]).arg(run.get_program()).args(run.get_args());
            let result = command::output(&mut limited)?;
            let said = messages(&result);
            let line = said.lines().find(|line| line.contains("Max core file size"));
            let words: Vec<_> = line.unwrap_or(&said).split_whitespace().collect();
            assert_eq!(words[words.len() - 3..], ["1", "1", "bytes"], "{caller:?}, {limit}: {said}");
            std::fs::remove_file(world.path("image"))?;
        }
    }
    // Of a root who may raise limits, also where dumps are forbidden.
    let forbidden = |command: &Command| {
        let mut limited = Command::new("bash");
        limited.args(["-c", "ulimit -c 0; exec \"$@\"", "bash"]).arg(command.get_program()).args(command.get_args());
        limited
    };
    if !command::output(&mut forbidden(Command::new("bash").args(["-c", "ulimit -Hc 1"])))?.status.success() {
        eprintln!("LEFT OUT: nobody here may raise a limit");
        return Ok(());
    }
    let said = messages(&command::output(&mut forbidden(&again(&world.command("image", script)?, nex::program())))?);
    let is_one = said.lines().any(|line| line.split_whitespace().collect::<Vec<_>>().ends_with(&["1", "1", "bytes"]));
    if is_one { Ok(()) } else { Err(Failure::new(said)) }
}

#[test]
fn netlink_is_for_routes_only() -> Result<()> {
    let world = World::new()?;
    let source = world.write(
        "netlink.c",
        "#include <errno.h>\n#include <stdio.h>\n#include <string.h>\n#include <sys/socket.h>\nint main(void) {
            for (int protocol = 0; protocol < 32; protocol++)
                if (socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol) >= 0) printf(\"%d: open\\n\", protocol);
                else if (errno != EPROTONOSUPPORT) printf(\"%d: %s\\n\", protocol, strerror(errno));
        }\n",
    )?;
    let probe = world.base().join("bin/netlink");
    command::run(Command::new("cc").args(["-static", "-w", "-o"]).arg(&probe).arg(source))?;
    for caller in Caller::ALL {
        let run = world.command_in("image", "netlink > /seen\n", &caller.work_dir())?;
        let Some(mut run) = caller.command(&again(&run, nex::program()), &world)? else { return Ok(()) };
        command::run(&mut run)?;
        assert_eq!(text(&world.path("image"), "/seen")?, "0: open\n", "{caller:?}");
        std::fs::remove_file(world.path("image"))?;
    }
    // The probe sees others where there are others.
    assert!(String::from_utf8_lossy(&command::run(&mut Command::new(probe))?).lines().count() > 1);
    Ok(())
}
