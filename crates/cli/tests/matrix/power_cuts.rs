//! The power is cut while a guest writes: the journal brings the file system back in order, each time.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use nex_testkit::{Result, command, nex};
use nex_vmm::Architecture;

use crate::guest::{Guest, after_a_cut, rootfs};

/// The moments are not chosen by chance, so that a failure can be had again; what the guest does then is.
const MOMENTS_MS: [u64; 3] = [150, 700, 1900];

/// An init that says when it has begun to write, and never stops.
const WRITES: &str = "#!/bin/busybox sh
/bin/busybox mount -t devtmpfs dev /dev
exec >/dev/console 2>&1
cd /root
i=0
while :; do
    i=$((i + 1))
    /bin/busybox seq $((i % 3000)) >file$((i % 40))
    /bin/busybox mv file$((i % 40)) moved$((i % 60))
    /bin/busybox rm -f moved$(((i + 11) % 60))
    [ $((i % 30)) != 0 ] || /bin/busybox sync
    [ $i != 30 ] || echo 'the guest writes'
done
";

#[test]
#[ignore = "slow: boots a guest several times"]
fn the_journal_brings_it_back() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let path = |name: &str| directory.path().join(name);
    let Some(parts) = nex_testkit::guest::Parts::find()? else { return Ok(()) };
    for name in ["tree/bin", "tree/root"] {
        fs::create_dir_all(path(name))?;
    }
    fs::copy(parts.busybox, path("tree/bin/busybox"))?;
    fs::write(path("tree/writes"), WRITES)?;
    command::run(Command::new("chmod").arg("755").arg(path("tree/writes")).arg(path("tree/bin/busybox")))?;
    let image = path("rootfs.ext4");
    command::run(&mut rootfs(&format!("rootfs:{}", path("tree").display()), nex::agent()?, &image))?;
    let mut replayed = 0;
    for moment in MOMENTS_MS {
        // From the second one on, the guest's kernel has a journal to replay first.
        let Some(mut guest) = Guest::start(Architecture::X86_64, &image, "init=/writes")? else { return Ok(()) };
        guest.wait_for("the guest writes")?;
        thread::sleep(Duration::from_millis(moment));
        guest.cut_power()?;
        replayed += i32::from(after_a_cut(&image)?);
    }
    assert!(replayed > 0, "the power was never cut while something was in the journal");
    Ok(())
}
