//! Many files, large files, large images: what they take, and what they leave.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

use nex_testkit::kernel::{self, Access, Mount};
use nex_testkit::layer::Entry;
use nex_testkit::layout::Image;
use nex_testkit::nex::{self, rootfs};
use nex_testkit::{Failure, Result, command, fsck};
use serde_json::Value;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// How many bytes of free space have an inode, as mke2fs has it.
const INODE_RATIO: u64 = 16 << 10;

#[test]
fn a_hundred_thousand_files_of_a_byte_fit_and_leave_inodes_for_as_many_as_there_is_room() -> Result<()> {
    const FILES: usize = 100_000;
    let directory = nex::directory()?;
    let files = (0..FILES).map(|number| Entry::file(format!("d{}/{number}", number % 100), "x"));
    let layout = directory.path().join("layout");
    Image::of(&[files.collect()])?.write(&layout, "image")?;
    let output = directory.path().join("out.ext4");
    let mut build = rootfs(&format!("oci:{}:image", layout.display()), &output)?;
    let free = ["--size", "auto", "--free", "300MiB", "--format", "json"];
    let report: Value = serde_json::from_slice(&command::run(build.args(free))?)?;
    let number = |part: &str, unit: &str| report[part][unit].as_u64().ok_or(Failure::new(format!("no {part}.{unit}")));
    let (used, left) = (number("used", "inodes")?, number("free", "inodes")?);
    assert!(used > FILES as u64);
    assert!(left >= used / 4 && left >= number("free", "bytes")? / INODE_RATIO, "{left} inodes are free, {used} used");
    fsck::check(&output)?;
    if kernel::is_available() {
        let mount = Mount::new(&output, Access::ReadWrite)?;
        mount.run("mkdir new; cd new; seq 20000 | xargs touch; ls | wc -l")?;
        mount.unmount()?;
        fsck::check(&output)?;
    }
    Ok(())
}

#[test]
fn a_large_image_takes_no_more_of_the_disk_than_its_content() -> Result<()> {
    let directory = nex::directory()?;
    let layout = directory.path().join("layout");
    Image::of(&[vec![Entry::file("content", vec![7; 50 << 20])]])?.write(&layout, "image")?;
    let output = directory.path().join("out.ext4");
    let mut build = rootfs(&format!("oci:{}:image", layout.display()), &output)?;
    command::run(build.args(["--size", "10GiB"]))?;
    let metadata = output.metadata()?;
    assert_eq!(metadata.len(), 10 * GIB);
    assert!(metadata.blocks() * 512 < 60 * MIB, "{} MiB", metadata.blocks() * 512 / MIB);
    Ok(())
}

#[test]
#[ignore = "slow: a file of 8 GiB, half a minute"]
fn a_file_of_8_gib_passes_through_512_mib_of_address_space() -> Result<()> {
    const SIZE: u64 = 8 * GIB;
    const KIBIBYTES: &str = "524288";
    let directory = nex::directory()?;
    let output = directory.path().join("out.ext4");
    let build = rootfs("tar:-", &output)?;
    let mut bounded = Command::new("sh");
    bounded.args(["-c", "ulimit -v \"$0\"; exec \"$@\"", KIBIBYTES]).arg(build.get_program()).args(build.get_args());
    bounded.args(["--size", "auto"]).stdin(Stdio::piped()).stdout(Stdio::null());
    let mut running = bounded.spawn()?;
    let mut pipe = running.stdin.take().ok_or(Failure::new("no pipe"))?;
    let header = nex_testkit::layer::file_header("large", SIZE)?;
    let zeros = vec![0; 1 << 20];
    pipe.write_all(&header)?;
    (0..SIZE / zeros.len() as u64).try_for_each(|_| pipe.write_all(&zeros))?;
    pipe.write_all(&zeros[..1024])?;
    drop(pipe);
    assert!(running.wait()?.success());
    fsck::check(&output)
}
