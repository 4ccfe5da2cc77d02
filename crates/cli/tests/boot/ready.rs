//! The agent reports, the guest ends, and the file is what it was.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use nex_testkit::loop_device::LoopDevice;
use nex_testkit::nex::boot::{Place, console, report};
use nex_testkit::{Failure, Result, command, nex, places};

#[test]
fn a_boot_shows_the_console_reports_and_changes_no_byte() -> Result<()> {
    let Some(place) = Place::scratch()? else { return Ok(()) };
    let before = fs::read(place.file())?;
    fs::set_permissions(place.file(), fs::Permissions::from_mode(0o444))?;
    // Somebody else boots it at the same time.
    let other = place.boot()?.arg("--quiet").stdout(Stdio::null()).spawn()?;
    let result = command::output(&mut place.boot()?)?;
    let (said, shown) = (String::from_utf8_lossy(&result.stdout).into_owned(), console(&result));
    assert!(result.status.success(), "{said}{shown}");
    for word in
        ["ready       yes: agent ", " as init\n", "vmm         QEMU ", "emulation was asked for", "512.0 MiB given, "]
    {
        assert!(said.contains(word), "{word}: {said}");
    }
    for word in ["kernel at ", "init at ", "agent at ", "initramfs ", "virtio_blk", "end         powered off\n"] {
        assert!(said.contains(word), "{word}: {said}");
    }
    for word in ["Linux version ", "Run /init as init process", "@nex1 ready "] {
        assert!(shown.contains(word), "{word}: {shown}");
    }
    let other = other.wait_with_output()?;
    assert!(other.status.success());
    assert!(fs::read(place.file())? == before, "the file changed");
    assert!(place.is_clean()?);
    Ok(())
}

#[test]
fn a_block_device_is_checked_and_booted_and_only_read() -> Result<()> {
    if !places::is_root() {
        eprintln!("LEFT OUT: only root can make block devices");
        return Ok(());
    }
    let Some(place) = Place::scratch()? else { return Ok(()) };
    let before = fs::read(place.file())?;
    // Such as a logical volume. Who wrote to this one would fail.
    let device = LoopDevice::attach(&place.file(), true)?;
    let checked = command::run(Command::new(nex::program()).args(["rootfs", "check"]).arg(device.path()))?;
    let checked = String::from_utf8_lossy(&checked).into_owned();
    let size = format!("file        {} ({}.0 MiB)\n", device.path().display(), before.len() >> 20);
    assert!(checked.starts_with(&size), "{checked}");
    let mut boot = Command::new(nex::program());
    boot.args(["rootfs", "boot", "--quiet", "--accel", "emulation"]).arg(device.path());
    boot.arg("--kernel").arg(&place.parts.kernel).arg("--agent").arg(nex::agent()?);
    command::run(&mut boot)?;
    assert!(fs::read(place.file())? == before, "the file changed");
    Ok(())
}

#[test]
fn alpine_boots_and_the_report_is_one_json_object() -> Result<()> {
    let Some(place) = Place::alpine()? else { return Ok(()) };
    let result =
        command::output(place.boot()?.args(["--quiet", "--format", "json", "--memory", "256MiB", "--vcpus", "2"]))?;
    assert!(result.status.success(), "{}", console(&result));
    assert_eq!(console(&result), "");
    let report: serde_json::Value = serde_json::from_slice(&result.stdout)?;
    assert_eq!(report["schemaVersion"], 1);
    assert_eq!(report["ready"], true);
    assert_eq!(report["outcome"], "ready");
    assert_eq!(report["agent"]["role"], "init");
    assert_eq!(report["end"], "powered-off");
    assert_eq!(report["vcpus"], 2);
    assert_eq!(report["memory"]["given"], 256 << 20);
    assert!(report["memory"]["peak"].as_u64() > Some(16 << 20), "{report}");
    assert_eq!(report["kernel"]["architecture"], "x86_64");
    assert!(report["kernel"]["release"].as_str().is_some_and(|release| release.ends_with("-cloud-amd64")), "{report}");
    assert!(report["kernel"]["commandLine"].as_str().is_some_and(|line| line.contains("root=/dev/vda rw")), "{report}");
    let modules = report["kernel"]["initramfs"]["modules"].as_array().map(Vec::len);
    assert!(modules > Some(2), "{report}");
    let names: Vec<_> = report["stages"].as_array().into_iter().flatten().map(|stage| stage["name"].clone()).collect();
    assert_eq!(names, ["kernel", "init", "agent"]);
    let clock = &report["guestClock"];
    assert!(clock["initMs"].as_u64() <= clock["agentStartMs"].as_u64(), "{report}");
    assert!(clock["agentStartMs"].as_u64() <= clock["readyMs"].as_u64(), "{report}");
    assert!(report["explanation"].is_null() && report["failure"].is_null(), "{report}");
    Ok(())
}

#[test]
fn kvm_is_used_where_it_works_and_left_where_it_does_not() -> Result<()> {
    let Some(place) = Place::scratch()? else { return Ok(()) };
    let kernel = place.parts.kernel.clone();
    let found = report(place.boot_with(&kernel)?.arg("--quiet"))?;
    let (name, why) = (found["vmm"]["name"].as_str(), found["vmm"]["why"].as_str());
    let (Some(name), Some(why)) = (name, why) else { return Err(Failure::new(found.to_string())) };
    let insisted = command::output(place.boot_with(&kernel)?.args(["--quiet", "--accel", "kvm"]))?;
    if name.ends_with(", KVM") {
        assert!(insisted.status.success(), "{}", console(&insisted));
    } else {
        assert!(why.starts_with("no KVM: "), "{why}");
        assert_eq!(insisted.status.code(), Some(1));
        assert!(console(&insisted).starts_with("error: KVM does not work here: "), "{}", console(&insisted));
    }
    // The answer is kept, if there is a device to ask.
    if fs::File::options().read(true).write(true).open("/dev/kvm").is_ok() {
        let kept = fs::read_to_string(place.path("cache/nex/kvm"))?;
        let expected = if name.ends_with(", KVM") { "KVM\tworks" } else { "KVM\tfails: " };
        assert!(kept.contains(expected), "{kept}");
        let again = report(place.boot_with(&kernel)?.arg("--quiet"))?;
        assert_eq!(again["vmm"]["name"], found["vmm"]["name"]);
    }
    Ok(())
}
