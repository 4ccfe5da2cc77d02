//! The kernel grows a mounted file system as far as its reserved descriptors go, and past them.

mod support;

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use nex_ext4::{BLOCK_SIZE, Editor, Kind, Layout, Size, Tree};
use nex_testkit::online_growth::{self, Fill, Growth};
use nex_testkit::{Result, fsck};
use support::{Builder, GIB, Image, MIB, debugfs, pattern};

/// Files of every shape that growth could tear apart: small ones, one with holes, and one over the first backup where
/// there is room for it.
fn image(size: u64, max_size: u64) -> Image {
    let mut builder = Builder::new(&Layout { max_size, size_limit: Some(size) });
    let directory = builder.add_directory(Tree::ROOT, "directory");
    (0..400).for_each(|i| _ = builder.add_file(directory, format!("file {i}"), &pattern(i, i as usize * 37)));
    let mut holes = builder.writer.file();
    for i in 0..400 {
        holes.write(&pattern(i, 4096)).unwrap();
        holes.hole(4096).unwrap();
    }
    let holes = holes.finish().unwrap();
    builder.add(Tree::ROOT, "holes", Kind::File(holes));
    if size > 140 * MIB {
        // Content without a name is free space in the end.
        builder.place(&vec![0; 122 << 20]);
        let content = builder.place(&pattern(1, 6 << 20));
        assert_eq!(content.extents().len(), 2);
        builder.add(Tree::ROOT, "over the backup", Kind::File(content));
    }
    builder.finish(Size::Exact(size))
}

/// Grows images of these sizes in one guest, with so much reserved, to these multiples.
fn grows(max_size: u64, cases: &[(u64, &[u64], Fill)]) -> Result<()> {
    let images: Vec<Image> = cases.iter().map(|(size, ..)| image(*size, max_size)).collect();
    let growth = |(image, (size, factors, fill)): (&Image, &(u64, &[u64], Fill))| Growth {
        image: image.path(),
        sizes: factors.iter().map(|factor| size * factor).collect(),
        fill: *fill,
    };
    online_growth::judge(&images.iter().zip(cases).map(growth).collect::<Vec<_>>())
}

#[test]
#[ignore = "slow: a guest grows images"]
fn growth_within_the_reserve_is_clean() -> Result<()> {
    let cases: [(u64, &[u64], Fill); 8] = [
        (64 * MIB, &[2], Fill::Files),
        (64 * MIB, &[16], Fill::Files),
        (150 * MIB, &[2, 16], Fill::Files),
        (150 * MIB, &[100], Fill::Blocks),
        (GIB, &[2], Fill::Files),
        (GIB, &[2, 16], Fill::Files),
        (9 * GIB, &[2], Fill::Blocks),
        (9 * GIB, &[16], Fill::Files),
    ];
    grows(256 * GIB, &cases)
}

#[test]
#[ignore = "slow: a guest grows images"]
fn growth_past_the_reserve_is_clean() -> Result<()> {
    let cases: [(u64, &[u64], Fill); 5] = [
        (64 * MIB, &[2, 400], Fill::Files),
        (150 * MIB, &[150], Fill::Blocks),
        (150 * MIB, &[16, 150, 300], Fill::Files),
        (GIB, &[20], Fill::Files),
        (8 * GIB, &[2, 16], Fill::Files),
    ];
    grows(0, &cases)
}

#[test]
#[ignore = "slow: a guest grows images and uses their last inode"]
fn all_that_growth_adds_can_be_used() -> Result<()> {
    grows(256 * GIB, &[(64 * MIB, &[4], Fill::InodesAndBlocks), (64 * MIB, &[2], Fill::InodesAndBlocks)])
}

/// Grows it with nobody mounting it, by our own code.
fn grow_offline(image: &Path, size: u64) -> Result<()> {
    Editor::open(&File::options().read(true).write(true).open(image)?)?.grow(size)?;
    fsck::check(image)
}

#[test]
#[ignore = "slow: a guest grows images"]
fn growth_in_the_kernel_and_our_own_follow_each_other() -> Result<()> {
    // What is prepared for, the size made, and the sizes grown to: by us, by the kernel, by us.
    let cases = [
        (256 * GIB, 64 * MIB, [GIB, 3 * GIB, 20 * GIB]),
        (256 * GIB, 150 * MIB, [20 * GIB, 30 * GIB, 300 * GIB]),
        (0, 64 * MIB, [5 * GIB, 20 * GIB, 40 * GIB]),
        (0, 150 * MIB, [20 * GIB, 40 * GIB, 50 * GIB]),
    ];
    let images: Vec<Image> = cases.iter().map(|(max_size, size, _)| image(*size, *max_size)).collect();
    let mut growths = Vec::new();
    for (image, (.., [first, second, _])) in images.iter().zip(cases) {
        grow_offline(&image.path(), first)?;
        growths.push(Growth { image: image.path(), sizes: vec![second], fill: Fill::Blocks });
    }
    online_growth::judge(&growths)?;
    images.iter().zip(cases).try_for_each(|(image, (.., [.., last]))| grow_offline(&image.path(), last))
}

#[test]
#[ignore = "slow: a guest"]
fn the_kernel_refuses_a_resize_inode_that_e2fsck_accepts() -> Result<()> {
    /// Two of the later entries: e2fsck looks at the first quarter only.
    const ENTRIES: [u32; 2] = [20, 21];
    let image = image(64 * MIB, 256 * GIB);
    let shown = debugfs(&image.path(), "stat <7>");
    let (_, block) = shown.split_once("(DIND):").unwrap();
    let block: u64 = block.split(',').next().unwrap().trim().parse()?;
    let place = block * BLOCK_SIZE + 4 * u64::from(ENTRIES[0]);
    let bytes = |entries: [u32; 2]| entries.map(u32::to_le_bytes).concat();
    let file = File::options().read(true).write(true).open(image.path())?;
    let mut found = [0; 8];
    file.read_exact_at(&mut found, place)?;
    assert_eq!(found[..], bytes(ENTRIES.map(|entry| entry + 1)), "reserved blocks begin behind the superblock");
    file.write_all_at(&bytes([ENTRIES[1] + 1, ENTRIES[0] + 1]), place)?;
    fsck::check(&image.path())?;

    let growth = Growth { image: image.path(), sizes: vec![GIB], fill: Fill::Files };
    match online_growth::grow(&[growth]) {
        Ok(None) => Ok(()),
        Ok(Some(console)) => panic!("the kernel grew it: {console}"),
        Err(failure) => {
            let text = failure.to_string();
            assert!(text.contains("the kernel does not grow it"), "{text}");
            assert!(text.contains("EXT4-fs warning") && text.contains("reserve"), "{text}");
            Ok(())
        }
    }
}
