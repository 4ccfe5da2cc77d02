//! Kernels are installed whole or not at all, under a name that says what they are, and the newest that fits is found.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use nex_testkit::made_kernel::{Entry, FIT, vmlinux};
use nex_testkit::{Failure, Result, command, elf, nex};
use serde_json::json;

use crate::place::{Place, report, said};

#[test]
fn nothing_is_installed_at_first_and_the_way_to_a_kernel_is_told() -> Result<()> {
    let place = Place::new()?;
    let listed = command::output(&mut place.kernel(&["ls"]))?;
    assert!(listed.status.success() && listed.stdout.is_empty() && listed.stderr.is_empty(), "{listed:?}");
    let listed = report(&command::output(&mut place.kernel(&["ls", "--format", "json"]))?, 0)?;
    assert_eq!(listed["kernels"], json!([]));
    assert_eq!((&listed["schemaVersion"], listed["directory"].as_str()), (&json!(1), place.store().to_str()));
    let ways = ["nex kernel build", "apt-get install linux-image-cloud-arm64", "nex kernel add FILE", "of aarch64"];
    nex::failed(&command::output(&mut place.kernel(&["path", "--platform", "linux/arm64"]))?, &ways)?;
    let refused = report(&command::output(&mut place.kernel(&["path", "--format", "json"]))?, 1)?;
    assert!(refused["error"]["hint"].as_str().is_some_and(|words| words.contains("nex kernel build")), "{refused}");
    assert!(!place.path("data").exists(), "nothing was made");
    let mut homeless = place.kernel(&["ls"]);
    nex::failed(&command::output(homeless.env_remove("XDG_DATA_HOME"))?, &["XDG_DATA_HOME", "HOME"])
}

#[test]
fn a_kernel_is_added_once_and_replaced_only_if_that_is_asked_for() -> Result<()> {
    let place = Place::new()?;
    let file = place.vmlinux("some file", "6.12.1-nex", Some(FIT), Entry::Pvh)?;
    let added = report(&place.about(&["add", "--format", "json"], &file)?, 0)?;
    let installed = place.store().join("vmlinux-6.12.1-nex-x86_64");
    let [kernel] = added["kernels"].as_array().map(Vec::as_slice).unwrap_or_default() else { panic!("{added}") };
    assert_eq!((&kernel["change"], kernel["kernel"]["path"].as_str()), (&json!("added"), installed.to_str()));
    assert_eq!(fs::read(&installed)?, fs::read(&file)?);
    assert!(said(&place.about(&["add"], &file)?.stdout).starts_with("unchanged "));

    let other = place.vmlinux("other", "6.12.1-nex", Some(FIT), Entry::None)?;
    nex::failed(&place.about(&["add"], &other)?, &["another kernel of this release", "vmlinux-6.12.1-nex-x86_64"])?;
    assert_eq!(fs::read(&installed)?, fs::read(&file)?);
    assert!(said(&place.about(&["add", "--replace"], &other)?.stdout).starts_with("replaced "));
    assert_eq!(fs::read(&installed)?, fs::read(&other)?);
    assert_eq!(nex::names(&place.store())?, ["vmlinux-6.12.1-nex-x86_64"]);
    Ok(())
}

#[test]
fn what_no_guest_can_have_is_not_added() -> Result<()> {
    let place = Place::new()?;
    let whole = fs::read(place.vmlinux("whole", "6.12.1", Some(FIT), Entry::Pvh)?)?;
    let unfit = FIT.replace("CONFIG_EXT4_FS=y", "# CONFIG_EXT4_FS is not set");
    place.vmlinux("unfit", "6.12.1", Some(&unfit), Entry::Pvh)?;
    fs::write(place.path("cut"), &whole[..whole.len() - 1])?;
    fs::write(place.path("text"), "vmlinux")?;
    place.vmlinux("escaping", "6/../../../../escaped", Some(FIT), Entry::Pvh)?;
    fs::create_dir(place.path("directory"))?;
    for (name, words) in [
        ("unfit", &["no guest starts with the kernel", "CONFIG_EXT4_FS"][..]),
        ("cut", &["cut'", "damaged"]),
        ("text", &["no Linux kernel"]),
        ("escaping", &["does not tell its release"]),
        ("directory", &["is a directory"]),
        ("missing", &["missing'", "No such file"]),
    ] {
        nex::failed(&place.about(&["add"], &place.path(name))?, words)?;
    }
    let large = place.about(&["add", "--max-kernel", "100"], &place.path("whole"))?;
    nex::failed(&large, &["more than 100 bytes", "--max-kernel"])?;
    assert!(!place.path("data").exists() && !place.path("escaped").exists(), "nothing was made");
    Ok(())
}

#[test]
fn the_newest_that_fits_is_found() -> Result<()> {
    let place = Place::new()?;
    let add = |release: &str, config: &str, entry| -> Result<()> {
        let file = place.vmlinux("file", release, Some(config), entry)?;
        let result = place.about(&["add"], &file)?;
        assert!(result.status.success(), "{}", said(&result.stderr));
        Ok(())
    };
    add("6.9.0", FIT, Entry::Pvh)?;
    add("6.12.1", FIT, Entry::Pvh)?;
    add("6.13.0-rc1", FIT, Entry::None)?;
    add("6.14.0", &FIT.replace("CONFIG_VIRTIO_MMIO=y", ""), Entry::None)?;
    let found = |arguments: &[&str]| -> Result<String> {
        let result = command::output(place.kernel(&["path", "--platform", "amd64"]).args(arguments))?;
        let path = said(&result.stdout);
        let name = path.trim_end().rsplit('/').next().unwrap_or_default().to_owned();
        Ok(if result.status.success() { name } else { said(&result.stderr) })
    };
    // QEMU finds no entry in the two newest, and Firecracker no drive by the newest.
    assert_eq!(found(&[])?, "vmlinux-6.13.0-rc1-x86_64");
    assert_eq!(found(&["--vmm", "firecracker"])?, "vmlinux-6.13.0-rc1-x86_64");
    assert_eq!(found(&["--vmm", "qemu"])?, "vmlinux-6.12.1-x86_64");
    // What else is in the directory is no reason to fail, and no reason to be silent.
    fs::write(place.store().join("vmlinux-9.9"), "no kernel")?;
    let arm = vmlinux(elf::AARCH64, "9.0", Some(FIT), Entry::None)?;
    fs::write(place.store().join("vmlinux-9.0-aarch64"), arm)?;
    assert_eq!(found(&["--vmm", "qemu"])?, "vmlinux-6.12.1-x86_64");
    let none = said(&command::output(&mut place.kernel(&["path", "--platform", "arm64"]))?.stderr);
    assert!(none.contains("vmlinux-9.0-aarch64' does not fit: ") && none.contains("an Image"), "{none}");
    // What helps is what this command finds then: no kernel in /boot, and it has no flag for another file.
    assert!(none.contains("nex kernel build") && none.contains("nex kernel add FILE"), "{none}");
    assert!(!none.contains("--kernel"), "{none}");
    let listed = said(&command::run(&mut place.kernel(&["ls"]))?);
    let lines: Vec<_> = listed.lines().map(|line| line.split_whitespace().take(2).collect::<Vec<_>>()).collect();
    let states: Vec<_> = lines.iter().map(|words| words[0]).collect();
    assert_eq!(states, ["damaged", "fit", "fit", "fit", "fit", "fit"], "{listed}");
    assert!(
        lines[2][1].ends_with("/vmlinux-6.14.0-x86_64") && lines[5][1].ends_with("/vmlinux-6.9.0-x86_64"),
        "{listed}"
    );
    Ok(())
}

#[test]
fn a_configuration_beside_a_kernel_goes_with_it() -> Result<()> {
    let place = Place::new()?;
    fs::create_dir(place.path("boot"))?;
    let file = place.vmlinux("boot/vmlinuz-6.1.0-9-cloud-amd64", "6.1.0-9-cloud-amd64", None, Entry::Pvh)?;
    let unknown = place.about(&["add"], &file)?;
    assert!(said(&unknown.stdout).contains("its configuration is unknown"), "{unknown:?}");
    fs::write(place.path("boot/config-6.1.0-9-cloud-amd64"), FIT)?;
    let again = report(&place.about(&["add", "--format", "json"], &file)?, 0)?;
    assert_eq!(again["kernels"][0]["kernel"]["verdict"], "fit", "{again}");
    let names = ["config-6.1.0-9-cloud-amd64-x86_64", "vmlinux-6.1.0-9-cloud-amd64-x86_64"];
    assert_eq!(nex::names(&place.store())?, names);
    fs::remove_dir_all(place.path("boot"))?;
    let listed = report(&command::output(&mut place.kernel(&["ls", "--format", "json"]))?, 0)?;
    assert_eq!(listed["kernels"][0]["verdict"], "fit", "{listed}");
    Ok(())
}

#[test]
fn what_others_could_have_put_there_is_no_kernel_of_the_callers() -> Result<()> {
    let place = Place::new()?;
    let file = place.vmlinux("vmlinux", "6.12.1", Some(FIT), Entry::Pvh)?;
    let installed = place.store().join("vmlinux-6.12.1-x86_64");
    // A umask that takes nothing leaves nothing open.
    let mut add = Command::new("sh");
    add.args(["-c", "umask 000; exec \"$@\"", "sh", nex::program(), "kernel", "add"]).arg(&file);
    command::run(add.env_clear().env("PATH", "/usr/bin:/bin").env("XDG_DATA_HOME", place.path("data")))?;
    let mode = |path: &Path| Ok::<_, Failure>(fs::metadata(path)?.permissions().mode() & 0o777);
    assert_eq!((mode(&place.store())?, mode(&place.path("data"))?, mode(&installed)?), (0o700, 0o700, 0o600));

    fs::set_permissions(place.store(), Permissions::from_mode(0o777))?;
    let words = ["cannot use the kernels in", "can be written to by others", "chmod go-w"];
    for arguments in [&["path"][..], &["ls"]] {
        nex::failed(&command::output(&mut place.kernel(arguments))?, &words)?;
    }
    nex::failed(&place.about(&["add"], &file)?, &words)?;
    fs::set_permissions(place.store(), Permissions::from_mode(0o700))?;
    fs::set_permissions(place.path("data"), Permissions::from_mode(0o777))?;
    nex::failed(&command::output(&mut place.kernel(&["path"]))?, &["it is reached through", "chmod go-w"])?;
    fs::set_permissions(place.path("data"), Permissions::from_mode(0o755))?;
    assert_eq!(
        said(&command::run(&mut place.kernel(&["path", "--platform", "amd64"]))?).trim_end(),
        installed.display().to_string()
    );
    Ok(())
}

#[test]
fn what_stands_in_a_kernels_place_keeps_nobody_waiting() -> Result<()> {
    let place = Place::new()?;
    let file = place.vmlinux("vmlinux", "6.12.1", Some(FIT), Entry::Pvh)?;
    command::run(place.kernel(&["add"]).arg(&file))?;
    let installed = place.store().join("vmlinux-6.12.1-x86_64");
    fs::remove_file(&installed)?;
    command::run(Command::new("mkfifo").arg(&installed))?;
    nex::failed(&place.about(&["add"], &file)?, &["cannot write", "it is a FIFO"])?;
    fs::remove_file(&installed)?;
    symlink("/dev/zero", &installed)?;
    nex::failed(&place.about(&["add"], &file)?, &["cannot write", "it is a device"])
}

#[test]
fn a_kernel_that_would_not_find_its_modules_is_refused_with_where_they_go() -> Result<()> {
    let place = Place::new()?;
    let release = "6.1.0-9-cloud-amd64";
    let config = FIT.replace("VIRTIO_BLK=y", "VIRTIO_BLK=m") + "CONFIG_BLK_DEV_INITRD=y\n";
    let modules = place.path("root/lib/modules").join(release);
    fs::create_dir_all(&modules)?;
    fs::create_dir(place.path("root/boot"))?;
    fs::write(modules.join("virtio_blk.ko"), "")?;
    let file = place.vmlinux("root/boot/vmlinuz", release, Some(&config), Entry::Pvh)?;
    assert_eq!(place.about(&["check"], &file)?.status.code(), Some(0));
    let wanted = place.store().join("lib/modules").join(release);
    let from =
        format!("from '{}/root/boot/../lib/modules/{release}' to '{}'", place.path("").display(), wanted.display());
    let words = ["its modules are not found", "CONFIG_VIRTIO_BLK", &*from.replace("//", "/"), "--kernel"];
    nex::failed(&place.about(&["add"], &file)?, &words)?;
    assert!(!place.path("data").exists(), "nothing was made");

    // The same where only its bytes tell, and none that lacks a driver becomes the one that is taken.
    let unknown = place.vmlinux("unknown", release, None, Entry::Pvh)?;
    let content = fs::read(&unknown)?;
    let at = content.windows(10).position(|window| window == b"virtio_blk").expect("it has the driver");
    let without = [&content[..at], b"----------", &content[at + 10..]].concat();
    fs::write(&unknown, without)?;
    let copy = format!("copy its modules to '{}' first", wanted.display());
    nex::failed(&place.about(&["add"], &unknown)?, &["its modules are not found", &copy])?;
    fs::create_dir_all(wanted.join("kernel"))?;
    fs::set_permissions(place.store(), Permissions::from_mode(0o700))?;
    fs::copy(modules.join("virtio_blk.ko"), wanted.join("virtio_blk.ko"))?;
    let added = place.about(&["add"], &file)?;
    assert!(added.status.success(), "{}", said(&added.stderr));
    Ok(())
}

#[test]
fn a_path_that_cannot_be_printed_is_not_printed_as_another() -> Result<()> {
    let place = Place::new()?;
    let file = place.vmlinux("vmlinux", "6.12.1", Some(FIT), Entry::Pvh)?;
    let call = |arguments: &[&str]| -> Result<std::process::Output> {
        let mut kernel = place.kernel(arguments);
        command::output(kernel.env("XDG_DATA_HOME", place.path("da\u{1b}[31mta")))
    };
    assert!(call(&["add", &file.display().to_string()])?.status.success());
    nex::failed(&call(&["path", "--platform", "amd64"])?, &["cannot be printed", r"da\u{1b}[31mta", "XDG_DATA_HOME"])
}
