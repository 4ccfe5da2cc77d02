//! Scripts that try to get out: each attempt is refused, and nothing happens on the host.

use std::fs;
use std::process::{Command, Stdio};

use nex_testkit::nex::script::{World, text};
use nex_testkit::{Result, command, nex};

/// What the host has that a script could have changed.
fn host() -> Result<Vec<String>> {
    let files = ["/proc/sys/kernel/hostname", "/proc/sys/kernel/core_pattern", "/proc/swaps"];
    Ok(files.iter().map(fs::read_to_string).collect::<std::io::Result<_>>()?)
}

#[test]
fn every_attempt_to_get_out_is_refused() -> Result<()> {
    let world = World::new()?;
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/script/probe.c");
    command::run(Command::new("cc").args(["-static", "-w", "-o"]).arg(world.base().join("bin/probe")).arg(source))?;
    let marker = world.path("marker");
    fs::write(&marker, "of the host")?;
    let before = host()?;
    let outside = std::process::id();
    let script =
        format!("probe {} {outside} > /seen 2>&1; su user -c 'probe {0} {outside}' >> /seen 2>&1\n", marker.display());
    let mut run = world.command("image", &script)?;
    // Files that the caller has open by accident.
    let mut command = Command::new("bash");
    command.args(["-c", "exec \"$@\" 7</etc/passwd 8</ 9<>/dev/null", "bash"]).arg(nex::program()).args(run.get_args());
    command.env_clear().envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
    run.stdin(Stdio::null());
    command::run(command.stdin(Stdio::null()))?;
    assert_eq!(text(&world.path("image"), "/seen")?, "tried\ntried\n");
    assert_eq!(host()?, before);
    world.has_no_mounts()?;
    world.is_clean("work")
}

/// The probe sees what is granted: outside, a good deal is.
#[test]
fn the_probe_notices_what_is_granted() -> Result<()> {
    let world = World::new()?;
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/script/probe.c");
    let probe = world.path("probe");
    command::run(Command::new("cc").args(["-static", "-w", "-o"]).arg(&probe).arg(source))?;
    let marker = world.write("marker", "of the host")?;
    // In namespaces of its own, so that it does the host no harm.
    let mut alone = Command::new("unshare");
    alone
        .args(["--user", "--map-root-user", "--mount", "--pid", "--fork", "--net", "--uts", "--ipc"])
        .arg(&probe)
        .arg(&marker)
        .arg("1");
    let said = String::from_utf8_lossy(&command::run(&mut alone)?).into_owned();
    for granted in ["a file of the host", "unshare", "signal to the host"] {
        assert!(said.contains(&format!("granted: {granted}\n")), "{granted}: {said}");
    }
    Ok(())
}

#[test]
fn nothing_outlives_a_script() -> Result<()> {
    let world = World::new()?;
    // The name of a process that cannot be mistaken.
    let script = "cp /bin/busybox /bin/nex-test-daemon; ln -s nex-test-daemon /bin/x
        setsid sh -c 'exec -a x sleep 1000' & (setsid nex-test-daemon sleep 1000 &) & sleep 0.2; echo done > /seen\n";
    command::run(&mut world.command("image", script)?)?;
    assert_eq!(text(&world.path("image"), "/seen")?, "done\n");
    let alive = command::run(Command::new("ps").args(["-eo", "args"]))?;
    assert!(!String::from_utf8_lossy(&alive).contains("nex-test-daemon"));
    Ok(())
}

#[test]
fn a_script_sees_its_own_processes_only() -> Result<()> {
    let world = World::new()?;
    let script = "ls /proc | grep -c '^[0-9]' > /seen; ls /dev > /devices; cat /proc/timer_list | wc -c >> /seen; ls /sys | wc -l >> /seen\n";
    command::run(&mut world.command("image", script)?)?;
    let seen = text(&world.path("image"), "/seen")?;
    let mut numbers = seen.lines().map(|line| line.trim().parse::<u32>());
    assert!(numbers.next().is_some_and(|processes| processes.is_ok_and(|count| count <= 5)), "{seen}");
    assert!(seen.ends_with("\n0\n0\n"), "{seen}");
    let devices = text(&world.path("image"), "/devices")?;
    let devices: Vec<_> = devices.lines().collect();
    let expected =
        ["fd", "full", "null", "ptmx", "pts", "random", "shm", "stderr", "stdin", "stdout", "tty", "urandom", "zero"];
    assert_eq!(devices, expected);
    Ok(())
}
