//! Sparse files: in every form in which tars have them, holes stay holes and bytes stay where they are.

use std::fs::{self, File};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::process::Command;

use nex_testkit::kernel::{self, Access, Mount};
use nex_testkit::layout::{self, Compression, Image};
use nex_testkit::nex::{self, fails, rootfs};
use nex_testkit::sparse::{self, Form};
use nex_testkit::{Result, command, fsck};

const MIB: u64 = 1 << 20;
/// What `stat(2)` and debugfs count in.
const SECTOR: u64 = 512;
const BLOCK: u64 = 4096;

/// A sparse file: its size, and where its regions are. Each region begins with its own offset in digits.
struct Shape {
    name: &'static str,
    size: u64,
    regions: Vec<(u64, u64)>,
}

/// Files with holes in every place, and with more regions than fit in a header (4) and in one behind it (21).
fn shapes() -> Vec<Shape> {
    let spread = |count: u64| (0..count).map(|number| (number * MIB + 64 * BLOCK, BLOCK)).collect();
    let shape = |name, size, regions| Shape { name, size, regions };
    vec![
        shape("empty", 0, vec![]),
        shape("only-a-hole", 5 * MIB, vec![]),
        shape("leading", 3 * MIB, vec![(3 * MIB - BLOCK, BLOCK)]),
        shape("trailing", 3 * MIB, vec![(0, BLOCK)]),
        shape("both-ends", 3 * MIB, vec![(0, BLOCK), (3 * MIB - 2 * BLOCK, 2 * BLOCK)]),
        shape("odd-end", 3 * MIB + 1234, vec![(3 * MIB, 1234)]),
        shape("four", 4 * MIB, spread(4)),
        shape("five", 5 * MIB, spread(5)),
        shape("twenty-five", 25 * MIB, spread(25)),
        shape("twenty-six", 26 * MIB, spread(26)),
        shape("sixty", 61 * MIB, spread(60)),
        shape("nine-gibibytes", 9 << 30, vec![(BLOCK, BLOCK), (9 << 30 >> 1, BLOCK), ((9 << 30) - BLOCK, BLOCK)]),
    ]
}

fn content((offset, length): (u64, u64)) -> Vec<u8> {
    let mut bytes = format!("region at {offset}\n").into_bytes();
    bytes.resize(length as usize, b'.');
    bytes
}

/// Makes the files in a directory, with holes.
fn make(directory: &Path, shapes: &[Shape]) -> Result<()> {
    for shape in shapes {
        let file = File::create(directory.join(shape.name))?;
        file.set_len(shape.size)?;
        for &region in &shape.regions {
            file.write_all_at(&content(region), region.0)?;
        }
    }
    Ok(())
}

/// Without the SHA-256 of the output, which would be read for it, terabytes of holes too.
fn build(image: &str, output: &Path) -> Result<()> {
    command::run(rootfs(image, output)?.args(["--size", "auto"])).map(drop)
}

/// The file in an image has the size and no more blocks than its regions. Asked of debugfs.
fn has_holes(image: &Path, shape: &Shape) -> Result<()> {
    let name = shape.name;
    let request = format!("stat /{name}");
    let stat =
        command::run(Command::new("debugfs").env("DEBUGFS_PAGER", "__none__").args(["-R", &request]).arg(image))?;
    let stat = String::from_utf8_lossy(&stat);
    let number = |label: &str| {
        let rest = stat.split_once(label).map(|(_, rest)| rest.trim_start());
        rest.and_then(|rest| rest.split_whitespace().next()).and_then(|text| text.parse::<u64>().ok())
    };
    assert_eq!(number("Size:"), Some(shape.size), "{name}\n{stat}");
    let stored: u64 = shape.regions.iter().map(|(_, length)| length.next_multiple_of(BLOCK)).sum();
    let blocks = number("Blockcount:").map(|sectors| sectors * SECTOR / BLOCK);
    // Above four extents, a block more holds their list.
    assert!(blocks.is_some_and(|blocks| (stored / BLOCK..=stored / BLOCK + 1).contains(&blocks)), "{name}\n{stat}");
    Ok(())
}

/// The file has the bytes of its regions, and zeros before and behind each. Read by the kernel.
fn has_bytes(mounted: &Path, shape: &Shape) -> Result<()> {
    let name = shape.name;
    let file = File::open(mounted.join(name))?;
    assert_eq!(file.metadata()?.len(), shape.size, "{name}");
    let mut end = 0;
    for &(offset, length) in shape.regions.iter().chain([&(shape.size, 0)]) {
        let hole = (offset - end).min(2 * BLOCK) as usize;
        let mut bytes = vec![1; hole + length as usize];
        file.read_exact_at(&mut bytes, offset - hole as u64)?;
        assert!(bytes[..hole].iter().all(|&byte| byte == 0), "{name}: the hole before {offset}");
        assert!(length == 0 || bytes[hole..] == content((offset, length)), "{name}: the region at {offset}");
        end = offset + length;
    }
    Ok(())
}

/// Builds from a tar, as a plain root filesystem and as a layer, has both judged, and looks at each file.
fn carries(tar: &Path, shapes: &[Shape]) -> Result<()> {
    let directory = nex::directory()?;
    let output = directory.path().join("out.ext4");
    let image = Image { layers: vec![fs::read(tar)?], ..Image::of(&[])?.compressed(Compression::Zstd) };
    let layout = directory.path().join("layout");
    image.write(&layout, "image")?;
    for image in [format!("tar:{}", tar.display()), format!("oci:{}:image", layout.display())] {
        build(&image, &output)?;
        fsck::check(&output)?;
        shapes.iter().try_for_each(|shape| has_holes(&output, shape))?;
        if kernel::is_available() {
            let mount = Mount::new(&output, Access::ReadOnly)?;
            shapes.iter().try_for_each(|shape| has_bytes(mount.path(), shape))?;
            mount.unmount()?;
        }
    }
    Ok(())
}

#[test]
fn a_directory_keeps_the_holes_of_its_files() -> Result<()> {
    let (directory, root) = (nex::directory()?, nex::directory()?);
    let mut shapes = shapes();
    let (first, second) = ((64 * BLOCK, BLOCK), ((10 << 30) - 8192, 8192));
    shapes.push(Shape { name: "ten-gibibytes", size: 10 << 30, regions: vec![first, second] });
    make(root.path(), &shapes)?;
    // Zeros that are written are no hole.
    fs::write(root.path().join("zeros"), [0; 5 * BLOCK as usize])?;
    let output = directory.path().join("out.ext4");
    build(&format!("rootfs:{}", root.path().display()), &output)?;
    fsck::check(&output)?;
    shapes.iter().try_for_each(|shape| has_holes(&output, shape))?;
    has_holes(&output, &Shape { name: "zeros", size: 5 * BLOCK, regions: vec![(0, 5 * BLOCK)] })?;
    if kernel::is_available() {
        let mount = Mount::new(&output, Access::ReadOnly)?;
        shapes.iter().try_for_each(|shape| has_bytes(mount.path(), shape))?;
        mount.unmount()?;
    }
    Ok(())
}

#[test]
fn gnu_tar_in_all_its_forms() -> Result<()> {
    let directory = nex::directory()?;
    let (files, tar) = (directory.path().join("files"), directory.path().join("files.tar"));
    fs::create_dir(&files)?;
    make(&files, &shapes())?;
    let forms: [&[&str]; 4] = [
        &["--format=gnu"],
        &["--format=posix", "--sparse-version=0.0"],
        &["--format=posix", "--sparse-version=0.1"],
        &["--format=posix", "--sparse-version=1.0"],
    ];
    for form in forms {
        command::run(Command::new("tar").args(form).args(["-S", "-C"]).arg(&files).arg("-cf").arg(&tar).arg("."))?;
        assert!(fs::metadata(&tar)?.len() < 4 * MIB, "GNU tar leaves holes out");
        carries(&tar, &shapes())?;
    }
    Ok(())
}

#[test]
fn libarchives_tar() -> Result<()> {
    let directory = nex::directory()?;
    let (files, tar) = (directory.path().join("files"), directory.path().join("files.tar"));
    fs::create_dir(&files)?;
    make(&files, &shapes())?;
    command::run(Command::new("bsdtar").args(["--format=pax", "-C"]).arg(&files).arg("-cf").arg(&tar).arg("."))?;
    assert!(fs::metadata(&tar)?.len() < 4 * MIB, "bsdtar leaves holes out");
    carries(&tar, &shapes())
}

/// 100,000 regions of one block each, with a hole of one block before each.
#[test]
#[ignore = "slow: some hundred thousand extents"]
fn a_hundred_thousand_regions() -> Result<()> {
    const COUNT: u64 = 100_000;
    let regions: Vec<(u64, u64)> = (0..COUNT).map(|number| ((2 * number + 1) * BLOCK, 16)).collect();
    let bytes: Vec<Vec<u8>> = regions.iter().map(|&(offset, _)| format!("{offset:016}").into_bytes()).collect();
    let pieces: Vec<(u64, &[u8])> = regions.iter().zip(&bytes).map(|(region, bytes)| (region.0, &bytes[..])).collect();
    let directory = nex::directory()?;
    let (tar, output) = (directory.path().join("many.tar"), directory.path().join("out.ext4"));
    for form in Form::ALL {
        fs::write(&tar, sparse::tar(form, "many", 2 * COUNT * BLOCK + 7, &pieces))?;
        let image = format!("tar:{}", tar.display());
        if matches!(form, Form::Pax00 | Form::Pax01) {
            // These keep the map in records that have to be held in memory, and records have a limit.
            fails(&mut rootfs(&image, &output)?, directory.path(), &["layer 1", "entry 1", "--max-headers"])?;
        }
        let mut build = rootfs(&image, &output)?;
        command::run(build.args(["--size", "auto", "--max-headers", "16777216"]))?;
        fsck::check(&output)?;
        if !kernel::is_available() {
            continue;
        }
        let mount = Mount::new(&output, Access::ReadOnly)?;
        let file = File::open(mount.path().join("many"))?;
        assert_eq!(file.metadata()?.len(), 2 * COUNT * BLOCK + 7, "{form:?}");
        assert!(file.metadata()?.blocks() * SECTOR < (COUNT + 1000) * BLOCK, "{form:?}: holes became blocks");
        let mut found = [0; 16];
        for &(offset, expected) in &pieces {
            file.read_exact_at(&mut found, offset)?;
            assert_eq!(found, expected, "{form:?} at {offset}");
        }
        drop(file);
        mount.unmount()?;
    }
    Ok(())
}

/// Sizes that need base 256 in old GNU's fields: 8 GiB and more, up to what a file in ext4 may have.
#[test]
fn sizes_of_terabytes() -> Result<()> {
    let directory = nex::directory()?;
    let (tar, output) = (directory.path().join("large.tar"), directory.path().join("out.ext4"));
    let last = (8u64 << 40) - BLOCK;
    for form in Form::ALL {
        let pieces: [(u64, &[u8]); 2] = [(8 << 30, b"region at 8589934592\n"), (last, b"end")];
        fs::write(&tar, sparse::tar(form, "large", 8 << 40, &pieces))?;
        build(&format!("tar:{}", tar.display()), &output)?;
        fsck::check(&output)?;
        let stat = command::run(Command::new("debugfs").args(["-R", "stat /large"]).arg(&output))?;
        let stat = String::from_utf8_lossy(&stat);
        assert!(stat.contains("Size: 8796093022208") && stat.contains("Blockcount: 16"), "{form:?}\n{stat}");
        assert!(stat.contains("(2097152):") && stat.contains("(2147483647):"), "{form:?}\n{stat}");
    }
    Ok(())
}

#[test]
fn a_file_larger_than_ext4_holds_is_refused() -> Result<()> {
    let directory = nex::directory()?;
    let (tar, output) = (directory.path().join("huge.tar"), directory.path().join("out.ext4"));
    for (form, size) in Form::ALL.iter().zip([u64::MAX >> 1, u64::MAX, 1 << 60, 16 << 40]) {
        fs::write(&tar, sparse::tar(*form, "huge", size, &[(0, b"start")]))?;
        let image = format!("tar:{}", tar.display());
        fails(&mut rootfs(&image, &output)?, directory.path(), &["layer 1", "entry 1", "huge"])?;
    }
    Ok(())
}

/// Made by hand: the map and the sizes of a file cannot both be right.
#[test]
fn a_map_that_contradicts_the_sizes_is_refused() -> Result<()> {
    let directory = nex::directory()?;
    let output = directory.path().join("out.ext4");
    for form in Form::ALL {
        let headers = sparse::headers(form, "lying", 10_000, &[(0, 600), (500, 424)], 1024);
        let layer = [headers, vec![b'x'; 1024], vec![0; 1024]].concat();
        let layout = directory.path().join(layout::digest(&layer).replace(':', "-"));
        Image { layers: vec![layer], ..Image::of(&[])? }.write(&layout, "image")?;
        let image = format!("oci:{}:image", layout.display());
        fails(&mut rootfs(&image, &output)?, directory.path(), &["layer 1", "entry 1", "sparse map"])?;
    }
    Ok(())
}
