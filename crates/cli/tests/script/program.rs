//! nex's own file: whatever the image's code is executed as, it finds no way to that file, nor to another of the machine.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nex_testkit::failure::Context;
use nex_testkit::nex::script::{World, messages};
use nex_testkit::terminal::Terminal;
use nex_testkit::{Failure, Result, command, nex};
use rustix::fs::StatVfsMountFlags;

use crate::callers::{Caller, ROOT_ALONE, again};

/// Where programs look for what loads them.
#[cfg(target_arch = "x86_64")]
const LOADER: &str = "lib64/ld-linux-x86-64.so.2";
#[cfg(target_arch = "aarch64")]
const LOADER: &str = "lib/ld-linux-aarch64.so.1";

/// An image whose shells are whatever executes them, which its own loader is then started for.
fn hostile_image() -> Result<World> {
    let world = World::new()?;
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/script/loader.c");
    let loader = world.base().join(LOADER);
    fs::create_dir_all(loader.parent().unwrap_or(&loader))?;
    let mut compiler = Command::new("cc");
    compiler.args(["-nostdlib", "-static", "-ffreestanding", "-fno-stack-protector", "-O1", "-o"]);
    command::run(compiler.arg(loader).arg(source))?;
    fs::remove_file(world.base().join("bin/sh"))?;
    symlink("/proc/self/exe", world.base().join("bin/sh"))?;
    Ok(world)
}

/// All of a file that somebody could change, but for its bytes, as one text.
fn state(path: &Path) -> Result<String> {
    let found = fs::metadata(path)?;
    let names = command::run(Command::new("getfattr").args(["--absolute-names", "-d", "-m", "-"]).arg(path))?;
    Ok(format!(
        "mode {:o}, owner {}:{}, {} names, {} bytes, modified {}.{}, changed {}.{}, attributes {}",
        found.mode(),
        found.uid(),
        found.gid(),
        found.nlink(),
        found.len(),
        found.mtime(),
        found.mtime_nsec(),
        found.ctime(),
        found.ctime_nsec(),
        String::from_utf8_lossy(&names),
    ))
}

/// What the image's loader has said: it ran, it was granted nothing, and of all that was mapped nothing was nex's file.
fn judge(said: &str, nex: &Path) -> Result<()> {
    let inode = format!(" {} ", fs::metadata(nex)?.ino());
    let has_run = said.contains("the program is open") && said.contains("tried");
    let fault = said.lines().find(|line| line.contains("granted: ") || line.contains(&inode));
    match fault {
        None if has_run => Ok(()),
        None => Err(Failure::new(format!("the loader did not run: {said}"))),
        Some(fault) => Err(Failure::new(format!("{fault}: {said}"))),
    }
}

#[test]
fn no_code_of_an_image_comes_to_the_program_s_own_file() -> Result<()> {
    let world = hostile_image()?;
    for caller in Caller::ALL.into_iter().chain([Caller::Container(ROOT_ALONE)]) {
        let nex = world.path(&format!("nex-{caller:?}"));
        caller.own_nex(&nex)?;
        let before = state(&nex)?;
        // By the image's shell, by a script's own interpreter, and by the shell of --shell.
        for (number, script) in ["true\n", "#!/proc/self/exe\n", "#!/bin/sh\n"].iter().enumerate() {
            let output = format!("{caller:?}-{number}");
            let run = again(&world.command_in(&output, script, &caller.work_dir())?, &nex);
            let Some(mut run) = caller.command(&run, &world)? else { return Ok(()) };
            let result = command::output(&mut run)?;
            judge(&messages(&result), &nex).context(format_args!("{caller:?}, {script:?}"))?;
            assert_eq!(state(&nex)?, before, "{caller:?}, {script:?}");
        }
        let run = again(&without_script(&world.command_in("shell", "", &caller.work_dir())?), &nex);
        let Some(mut run) = caller.command(&run, &world)? else { return Ok(()) };
        let mut terminal = Terminal::new(24, 80)?;
        let mut shell = terminal.start(run.arg("--shell"))?;
        let said = terminal.until("tried")? + "tried";
        shell.wait()?;
        judge(&said, &nex).context(format_args!("{caller:?}, --shell"))?;
        assert_eq!(state(&nex)?, before, "{caller:?}, --shell");
        command::run(Command::new("cmp").arg(&nex).arg(nex::program()))?;
        world.is_clean(&caller.work_dir())?;
    }
    Ok(())
}

/// Whatever nex is, and however it is linked: what scripts and shells are started from is not its file, and stands where
/// nobody writes.
#[test]
fn init_is_executed_from_a_copy_that_cannot_be_changed() -> Result<()> {
    let world = World::new()?;
    for caller in Caller::ALL {
        let nex = world.path(&format!("nex-{caller:?}"));
        caller.own_nex(&nex)?;
        // The script waits until it was seen, or for a minute.
        let input = world.path("input");
        fs::create_dir_all(&input)?;
        let script = "i=0; while [ ! -e /input/seen ] && [ $i -lt 600 ]; do sleep 0.1; i=$((i+1)); done\n";
        let mut run = world.command_in("image", script, &caller.work_dir())?;
        run.arg("--mount").arg(format!("{}:/input", input.display()));
        let Some(mut run) = caller.command(&again(&run, &nex), &world)? else { return Ok(()) };
        let mut child = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let found = program_of_init(&child);
        fs::write(input.join("seen"), "")?;
        let (program, flags) = found?;
        assert!(child.wait()?.success());
        let own = fs::metadata(&nex)?;
        assert_ne!(program, (own.dev(), own.ino()), "{caller:?}");
        assert!(flags.contains(StatVfsMountFlags::RDONLY | StatVfsMountFlags::NOSUID | StatVfsMountFlags::NODEV));
        fs::remove_dir_all(&input)?;
        fs::remove_file(world.path("image"))?;
    }
    Ok(())
}

/// Device and inode of the program of init below this process, and how the file system is mounted that it is in.
fn program_of_init(nex: &Child) -> Result<((u64, u64), StatVfsMountFlags)> {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(50) {
        for monitor in command::children(nex.id()) {
            for init in command::children(monitor) {
                let name = fs::read(format!("/proc/{init}/cmdline")).unwrap_or_default();
                if name.starts_with(b"nex-sandbox-init\0") {
                    let program = File::open(format!("/proc/{init}/exe"))?;
                    let found = program.metadata()?;
                    return Ok(((found.dev(), found.ino()), rustix::fs::fstatvfs(&program)?.f_flag));
                }
            }
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Err(Failure::new("no init was started"))
}

/// The loader sees what is granted: outside, the file that it is of is its own.
#[test]
fn the_loader_notices_what_is_granted() -> Result<()> {
    let world = hostile_image()?;
    let loader = world.base().join(LOADER);
    let before = state(&loader)?;
    let result = command::output(&mut Command::new(&loader))?;
    let said = String::from_utf8_lossy(&result.stdout).into_owned();
    for granted in ["times", "a mode", "a mode by name"] {
        assert!(said.contains(&format!("granted: {granted}\n")), "{granted}: {said}");
    }
    assert!(judge(&said, &loader).is_err() && judge("tried", &loader).is_err());
    assert_ne!(state(&loader)?, before);
    Ok(())
}

/// The same command without its script.
fn without_script(run: &Command) -> Command {
    let arguments: Vec<_> = run.get_args().collect();
    let place = arguments.iter().position(|argument| *argument == "--script").unwrap_or(arguments.len());
    let mut command = Command::new(run.get_program());
    command.args(&arguments[..place]).args(arguments.iter().skip(place + 2));
    command
}
