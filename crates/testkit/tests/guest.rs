//! A guest tells what its script did, and every other end is a failure.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use nex_testkit::Result;
use nex_testkit::guest::Guest;

#[test]
fn a_guest_gives_back_output_and_exit_code_and_writes_its_drives() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let drive = directory.path().join("a drive, with a comma");
    fs::write(&drive, vec![b'.'; 1 << 20])?;
    let script = "resize2fs 2>&1 | head -1; printf 'no newline' | tee /dev/vda; echo message >/dev/kmsg; exit 3";
    let Some(finished) = Guest::new(script).drive(&drive).programs(&["resize2fs"]).run()? else { return Ok(()) };
    assert_eq!(finished.status, 3);
    let (version, rest) = finished.output.split_once('\n').unwrap_or_default();
    assert!(version.starts_with("resize2fs 1."), "{version}");
    assert_eq!(rest, "no newline");
    assert!(finished.console.contains("message"));
    assert!(finished.success().unwrap_err().to_string().contains("no newline"));
    let mut start = [0; 11];
    File::open(&drive)?.read_exact_at(&mut start, 0)?;
    assert_eq!(&start, b"no newline.");
    Ok(())
}

#[test]
fn a_panic_is_a_failure_that_shows_the_console() -> Result<()> {
    match Guest::new("echo before; echo c >/proc/sysrq-trigger; sleep 100").run() {
        Ok(None) => Ok(()),
        Ok(Some(finished)) => panic!("{finished:?}"),
        Err(failure) => {
            let text = failure.to_string();
            assert!(text.contains("without its script's exit code"), "{text}");
            assert!(text.contains("before") && text.contains("Kernel panic"), "{text}");
            Ok(())
        }
    }
}

#[test]
#[ignore = "slow: waits until a guest has hung for long enough"]
fn a_guest_that_hangs_is_killed() -> Result<()> {
    let script = "echo before; sleep 1000";
    let Some(mut running) = Guest::new(script).time_limit(Duration::from_secs(15)).start()? else { return Ok(()) };
    running.wait_for_line("before")?;
    let text = running.wait_for_line("after").unwrap_err().to_string();
    assert!(text.contains("longer than 15 s") && text.contains("before"), "{text}");
    Ok(())
}
