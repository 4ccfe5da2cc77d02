//! Random stacks over few names, so that entries meet.

use nex_testkit::layout::Compression;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::attributes::attributes;
use crate::stack::{Mark, Member, Stack, What};

/// A member whose hard link has no target yet: that is one of the names before it.
#[derive(Clone, Debug)]
struct Draft {
    member: Member,
    target: Option<Index>,
}

/// Stacks of 1 to 5 layers.
pub fn stacks() -> impl Strategy<Value = Stack> {
    let layer = prop_oneof![20 => vec(draft(), 0..8).boxed(), 1 => crowd().boxed()];
    (vec(layer, 1..6), compression()).prop_map(|(layers, compression)| {
        let mut linkable = Vec::new();
        let layers =
            layers.into_iter().map(|layer| layer.into_iter().map(|draft| settle(draft, &mut linkable)).collect());
        Stack { layers: layers.collect(), compression }
    })
}

fn compression() -> impl Strategy<Value = Compression> {
    prop_oneof![
        3 => Just(Compression::None),
        1 => Just(Compression::Gzip),
        1 => Just(Compression::GzipMembers),
        1 => Just(Compression::Zstd),
    ]
}

/// So many long names in one directory that it needs an index.
fn crowd() -> impl Strategy<Value = Vec<Draft>> {
    (path(), 20..160usize, 100..200usize, attributes()).prop_map(|(directory, count, length, attributes)| {
        let path = |number| [&directory, format!("/{number:0>length$}").as_bytes()].concat();
        let member = |number| Member { path: path(number), what: What::Fifo, attributes: attributes.clone() };
        (0..count).map(|number| Draft { member: member(number), target: None }).collect()
    })
}

/// Links a draft to one of the names before it.
fn settle(draft: Draft, linkable: &mut Vec<Vec<u8>>) -> Member {
    let Draft { mut member, target } = draft;
    if let (Some(index), false) = (target, linkable.is_empty()) {
        member.what = What::HardLink(index.get(linkable).clone());
    }
    if !matches!(member.what, What::Directory | What::Whiteout(_) | What::Opaque | What::Bookkeeping(_)) {
        linkable.push(member.path.clone());
    }
    member
}

fn draft() -> impl Strategy<Value = Draft> {
    let target = prop_oneof![6 => Just(None), 1 => any::<Index>().prop_map(Some)];
    let of_root = prop_oneof![3 => Just(What::Directory), 1 => Just(What::Opaque)];
    let root = (Just(b"./".to_vec()), of_root);
    let member = prop_oneof![1 => root.boxed(), 15 => (path(), what()).boxed()];
    (member, attributes(), target).prop_map(|((path, what), attributes, target)| {
        let target = target.filter(|_| path != b"./");
        Draft { member: Member { path, what, attributes }, target }
    })
}

fn name() -> impl Strategy<Value = Vec<u8>> {
    let odd: Vec<&[u8]> = vec![b"\xff\xfe", b".wh", b"...", b"a b\n", &[b'n'; 255], &[0xC3; 255]];
    prop_oneof![
        30 => select(vec![b"a", b"b", b"c"]).prop_map(|name| name.to_vec()),
        1 => select(odd).prop_map(<[u8]>::to_vec),
    ]
}

/// A path in one of its spellings.
fn path() -> impl Strategy<Value = Vec<u8>> {
    let before = prop_oneof![10 => Just(""), 1 => Just("./"), 1 => Just("/"), 1 => Just("//")];
    let between = prop_oneof![10 => Just("/"), 1 => Just("//"), 1 => Just("/./")];
    let behind = prop_oneof![10 => Just(""), 1 => Just("/")];
    let names =
        prop_oneof![40 => vec(name(), 1..4), 1 => vec(select(vec![b"a", b"b"]).prop_map(|name| name.to_vec()), 4..40)];
    (before, names, between, behind).prop_map(|(before, names, between, behind)| {
        [before.as_bytes(), &names.join(between.as_bytes()), behind.as_bytes()].concat()
    })
}

fn what() -> impl Strategy<Value = What> {
    prop_oneof![
        5 => Just(What::Directory),
        4 => content().prop_map(What::File),
        1 => sparse(),
        4 => symlink_target().prop_map(What::Symlink),
        1 => path().prop_map(What::HardLink),
        1 => Just(What::Fifo),
        1 => (0..4096u32, 0..(1u32 << 20)).prop_map(|(major, minor)| What::CharacterDevice(major, minor)),
        1 => (0..300u32, 0..300u32).prop_map(|(major, minor)| What::BlockDevice(major, minor)),
        3 => mark().prop_map(What::Whiteout),
        2 => Just(What::Opaque),
        1 => select(vec![".wh..wh.plnk", ".wh..wh.aufs", ".wh..wh..opq.x"]).prop_map(What::Bookkeeping),
    ]
}

fn mark() -> impl Strategy<Value = Mark> {
    prop_oneof![5 => Just(Mark::File), 1 => Just(Mark::HardLink), 1 => Just(Mark::Symlink), 1 => Just(Mark::Directory)]
}

/// Nothing, little, or whole blocks and a byte more or less.
fn content() -> impl Strategy<Value = Vec<u8>> {
    let large = (1..4usize, -1..2isize, 1..=255u8)
        .prop_map(|(blocks, more, byte)| vec![byte; (blocks * 4096).wrapping_add_signed(more)]);
    prop_oneof![5 => vec(any::<u8>(), 0..20), 2 => large, 1 => Just(vec![0; 9000])]
}

/// Regions in order, with holes of any length between them, before and behind.
fn sparse() -> impl Strategy<Value = What> {
    let region = (0..20_000u64, vec(1..=255u8, 1..5000));
    (vec(region, 0..5), 0..20_000u64).prop_map(|(drafts, behind)| {
        let mut size = 0;
        let mut regions = Vec::new();
        for (hole, bytes) in drafts {
            let start = size + hole;
            size = start + bytes.len() as u64;
            regions.push((start, bytes));
        }
        What::Sparse(size + behind, regions)
    })
}

/// Relative or absolute, up and down, to something or nothing.
fn symlink_target() -> impl Strategy<Value = Vec<u8>> {
    let step = prop_oneof![6 => name(), 3 => Just(b"..".to_vec()), 1 => Just(b".".to_vec())];
    let start = prop_oneof![3 => Just(""), 1 => Just("/")];
    let path = (start, vec(step, 1..4)).prop_map(|(start, steps)| [start.as_bytes(), &steps.join(&b'/')].concat());
    // Around the length that an inode holds, and the longest that the kernel takes.
    let long =
        select(vec![58usize, 59, 60, 61, 4095]).prop_map(|length| [&b"b"[..], &b"/".repeat(length - 1)].concat());
    prop_oneof![12 => path, 1 => long]
}
