//! What the kernel reads at the limits of the format: times, owners, devices, links, and more directories than it counts.

mod support;

use std::fs::{self, Metadata as Found};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use nex_ext4::{Device, Inode, InodeId, Kind, Layout, Metadata, Size, Timestamp, Tree};
use nex_testkit::kernel::{self, Access, Mount};
use nex_testkit::{Result, fsck};
use support::{Builder, Image, MIB, metadata};

const ROOM: Size = Size::Auto { free: Some(8 * MIB) };

/// An image with so many inodes in its root, which have their numbers for names.
fn numbered(count: usize, add: impl Fn(&mut Builder, usize) -> InodeId) -> Image {
    let mut builder = Builder::new(&Layout::default());
    for number in 0..count {
        let id = add(&mut builder, number);
        builder.link(Tree::ROOT, format!("{number}"), id);
    }
    builder.finish(ROOM)
}

/// What the kernel shows of so many inodes; `None` where it cannot.
fn shown(image: &Image, count: usize) -> Result<Option<Vec<Found>>> {
    let Some(mount) = mounted(image)? else { return Ok(None) };
    let look = |number: usize| Ok(mount.path().join(format!("{number}")).symlink_metadata()?);
    let found = (0..count).map(look).collect::<Result<_>>()?;
    mount.unmount()?;
    Ok(Some(found))
}

fn mounted(image: &Image) -> Result<Option<Mount>> {
    kernel::is_available().then(|| Mount::new(&image.path(), Access::ReadWrite)).transpose()
}

/// An inode that differs from the usual in its metadata.
fn fifo(builder: &mut Builder, change: impl FnOnce(&mut Metadata)) -> InodeId {
    let mut metadata = metadata(0o644);
    change(&mut metadata);
    builder.tree.add(Inode { metadata, kind: Kind::Fifo, xattrs: Box::default() })
}

/// An image with these times, each with several nanoseconds; and the kernel shows them so.
fn times(seconds: &[i64]) -> Result<Image> {
    let given: Vec<(i64, u32)> = seconds.iter().flat_map(|at| [(*at, 0), (*at, 1), (*at, 999_999_999)]).collect();
    let image = numbered(given.len(), |builder, number| {
        let (seconds, nanoseconds) = given[number];
        fifo(builder, |metadata| metadata.time = Timestamp { seconds, nanoseconds })
    });
    for (time, found) in given.iter().zip(shown(&image, given.len())?.unwrap_or_default()) {
        let time = (time.0, i64::from(time.1));
        assert_eq!((found.mtime(), found.mtime_nsec()), time);
        assert_eq!((found.ctime(), found.ctime_nsec()), time);
        assert_eq!((found.atime(), found.atime_nsec()), time);
    }
    Ok(image)
}

#[test]
fn times_from_1901_on_are_the_kernels_to_the_nanosecond() -> Result<()> {
    let image = times(&[-0x8000_0000, -1, 0, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x1_0000_0000, 0x2_7fff_ffff])?;
    fsck::check(&image.path())
}

#[test]
fn times_up_to_2446_are_the_kernels_though_e2fsck_doubts_them() -> Result<()> {
    let image = times(&[0x2_8000_0000, 0x3_7fff_ffff])?;
    // Old kernels encoded times before 1970 so, and e2fsck takes these for such.
    let doubt = fsck::check(&image.path()).unwrap_err().to_string();
    assert!(doubt.contains("beyond 2310-04-04 are likely pre-1970"), "{doubt}");
    Ok(())
}

#[test]
fn owners_and_modes_are_the_kernels_to_the_last_bit() -> Result<()> {
    let owners = [0, 1, 65_534, 65_535, 65_536, 0x8000_0000, u32::MAX - 1];
    let modes = [0, 0o777, 0o1000, 0o2000, 0o4000, 0o7777, 0o6755];
    let group = |number: usize| owners[owners.len() - 1 - number];
    let image = numbered(owners.len(), |builder, number| {
        fifo(builder, |metadata| {
            metadata.mode = modes[number];
            metadata.uid = owners[number];
            metadata.gid = group(number);
        })
    });
    fsck::judge(&image.path())?;
    for (number, found) in shown(&image, owners.len())?.unwrap_or_default().iter().enumerate() {
        assert_eq!(found.mode() & 0o7777, u32::from(modes[number]));
        assert_eq!((found.uid(), found.gid()), (owners[number], group(number)));
    }
    Ok(())
}

#[test]
fn devices_are_the_kernels_in_the_small_form_and_in_the_large() -> Result<()> {
    let devices = [(0, 0), (1, 3), (255, 255), (256, 0), (0, 256), (4095, 0xF_FFFF)];
    let device = |number: usize| {
        let (major, minor) = devices[number / 2];
        Device { major, minor }
    };
    let image = numbered(2 * devices.len(), |builder, number| {
        let device = device(number);
        let kind = if number % 2 == 0 { Kind::CharacterDevice(device) } else { Kind::BlockDevice(device) };
        builder.tree.add(Inode { metadata: metadata(0o600), kind, xattrs: Box::default() })
    });
    fsck::judge(&image.path())?;
    for (number, found) in shown(&image, 2 * devices.len())?.unwrap_or_default().iter().enumerate() {
        let Device { major, minor } = device(number);
        assert_eq!(found.rdev(), rustix::fs::makedev(major, minor));
        let kinds = (found.file_type().is_char_device(), found.file_type().is_block_device());
        assert_eq!(kinds, (number % 2 == 0, number % 2 == 1));
    }
    Ok(())
}

#[test]
fn links_of_every_length_are_the_kernels() -> Result<()> {
    // One of 60 bytes takes a block of its own.
    let lengths = [1, 59, 60, 61, 4094, 4095];
    let mut builder = Builder::new(&Layout::default());
    for length in lengths {
        builder.add(Tree::ROOT, format!("{length}"), Kind::Symlink(vec![0xE9; length].into()));
    }
    let image = builder.finish(ROOM);
    fsck::judge(&image.path())?;
    let Some(mount) = mounted(&image)? else { return Ok(()) };
    for length in lengths {
        let link = mount.path().join(format!("{length}"));
        assert_eq!(fs::read_link(&link)?.as_os_str().as_bytes(), vec![0xE9; length]);
        assert_eq!(link.symlink_metadata()?.len(), length as u64);
    }
    mount.unmount()
}

#[test]
fn the_kernel_finds_each_of_70_000_subdirectories_and_makes_more() -> Result<()> {
    const COUNT: u32 = 70_000;
    let mut builder = Builder::new(&Layout::default());
    let many = builder.add_directory(Tree::ROOT, "many");
    (0..COUNT).for_each(|i| _ = builder.add_directory(many, format!("subdirectory {i}")));
    let image = builder.finish(ROOM);
    let Some(mount) = mounted(&image)? else { return Ok(()) };
    let many = mount.path().join("many");
    assert_eq!(many.metadata()?.nlink(), 1, "a directory with so many does not count them");
    for i in 0..COUNT {
        assert!(many.join(format!("subdirectory {i}")).is_dir(), "{i}");
    }
    assert_eq!(fs::read_dir(&many)?.count(), COUNT as usize);
    fs::create_dir(many.join("one more"))?;
    (0..COUNT).step_by(7).try_for_each(|i| fs::remove_dir(many.join(format!("subdirectory {i}"))))?;
    assert_eq!(many.metadata()?.nlink(), 1);
    mount.unmount()?;
    fsck::check(&image.path())
}
