//! What blocks an inode counts: content, extent tree, attributes, a link's target, the journal.

mod support;

use nex_ext4::{Kind, Layout, Size, Tree, Xattr};
use support::{Builder, GIB, MIB, debugfs, have, in_kernel};

const ROOM: Size = Size::Auto { free: Some(8 * MIB) };

/// The kernel's answers to one `stat --format` for the files `0`, `1`, ...
fn answers(image: &support::Image, format: &str, count: usize) -> Option<Vec<String>> {
    let names: Vec<String> = (0..count).map(|number| number.to_string()).collect();
    let said = in_kernel(image, &format!("stat --format='{format}' {}", names.join(" ")))?;
    Some(said.lines().map(str::to_owned).collect())
}

/// The kernel takes a link for a short one when it has no blocks but that of its attributes.
#[test]
fn links_of_every_length_are_read_with_and_without_attributes() {
    let lengths = [1, 58, 59, 60, 61, 4094, 4095];
    let mut builder = Builder::new(&Layout::default());
    for (number, length) in lengths.into_iter().chain(lengths).enumerate() {
        let link = builder.add(Tree::ROOT, number.to_string(), Kind::Symlink(vec![b'x'; length].into()));
        if number >= lengths.len() {
            let xattr = Xattr { name: b"trusted.large"[..].into(), value: vec![1; 1000].into() };
            builder.tree.inode_mut(link).xattrs = [xattr].into();
        }
    }
    let image = builder.finish(ROOM);
    image.assert_clean();
    let script = format!("for name in $(seq 0 {}); do readlink $name; done", 2 * lengths.len() - 1);
    let Some(found) = in_kernel(&image, &script) else { return };
    let found: Vec<usize> = found.lines().map(str::len).collect();
    assert_eq!(found, lengths.repeat(2));
    let Some(blocks) = answers(&image, "%b", 2 * lengths.len()) else { return };
    let expected = |length: usize, attributes: usize| (8 * (usize::from(length > 59) + attributes)).to_string();
    let expected: Vec<String> =
        [0, 1].into_iter().flat_map(|more| lengths.map(|length| expected(length, more))).collect();
    assert_eq!(blocks, expected);
}

/// `i_blocks` counts the blocks of the content, of the extent tree and of the attributes.
#[test]
fn blocks_count_attributes_and_extent_trees() {
    // One block of content for each extent; the tree has a block of its own from the fifth on.
    let cases = [(0, 0), (1, 1), (4, 4), (5, 6), (340, 341), (341, 343)];
    let mut builder = Builder::new(&Layout::default());
    for (number, (extents, _)) in cases.into_iter().chain(cases).enumerate() {
        let mut file = builder.writer.file();
        for _ in 0..extents {
            file.write(&[7; 4096]).unwrap();
            file.hole(4096).unwrap();
        }
        let content = file.finish().unwrap();
        let file = builder.add(Tree::ROOT, number.to_string(), Kind::File(content));
        if number >= cases.len() {
            let xattrs = [("user.small", 20), ("user.large", 4000)];
            let xattr =
                |(name, length): (&str, usize)| Xattr { name: name.as_bytes().into(), value: vec![1; length].into() };
            builder.tree.inode_mut(file).xattrs = xattrs.map(xattr).into();
        }
    }
    let image = builder.finish(ROOM);
    image.assert_clean();
    let Some(found) = answers(&image, "%b", 2 * cases.len()) else { return };
    let expected = [0, 1].into_iter().flat_map(|more| cases.map(|(_, blocks)| (8 * (blocks + more)).to_string()));
    assert_eq!(found, expected.collect::<Vec<_>>());
}

#[test]
fn no_extent_of_a_journal_of_a_gib_is_too_long() {
    let image = Builder::new(&Layout::default()).finish(Size::Exact(200 * GIB));
    assert_eq!(image.report.journal_blocks, 262_144);
    support::assert_fsck_is_silent(&image.path());
    if have("debugfs") {
        assert_extents_follow(&debugfs(&image.path(), "dump_extents <8>"), 262_144);
    }
}

/// Reads the leaves of `dump_extents`, lines such as ` 1/ 1   2/ 64  32768 -  65535  66112 -  98879  32768`: each begins
/// where the one before ends, and none is longer than the kernel's `EXT_INIT_MAX_LEN`.
fn assert_extents_follow(dump: &str, blocks: u64) {
    const LONGEST: u64 = 32_768;
    let mut next = 0;
    for line in dump.lines().skip(1) {
        let (levels, rest) = line.split_at(6);
        let is_leaf = levels[..2] == levels[3..5];
        let numbers: Vec<u64> =
            rest.split(|letter: char| !letter.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
        if is_leaf {
            let &[_, _, first, last, _, _, length] = &numbers[..] else { panic!("debugfs wrote {line:?}") };
            assert_eq!((first, last - first + 1), (next, length), "{line}");
            assert!(length <= LONGEST, "{line}");
            next = last + 1;
        }
    }
    assert_eq!(next, blocks);
}
