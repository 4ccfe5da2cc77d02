//! How large the file system becomes, and where the metadata of the groups stands behind the data.
//!
//! Everything is placed before the size is chosen, so no number here is an estimate. Size and metadata depend on each
//! other (more groups need more tables), so the size is raised until both agree.

use std::ops::Range;

use crate::BLOCK_SIZE;
use crate::content::Extent;
use crate::cursor::Cursor;
use crate::error::Error;
use crate::extent;
use crate::geometry::{self, BLOCKS_PER_GROUP, Geometry, Inodes};
use crate::numbering;
use crate::options::{Layout, Reserved, Size, Sizes};

const MIB: u64 = 1 << 20;
/// The room for work that `Size::Auto` leaves at least.
const DEFAULT_FREE: u64 = 64 * MIB;
/// The part of the content that `Size::Auto` leaves free at least: a tenth.
const DEFAULT_FREE_PART: u64 = 10;
/// The part of the file system that can be reserved for root at most: half, or e2fsck takes the superblock for damaged.
const MAX_RESERVED_PART: u64 = 2;
/// What [`Reserved::Share`] counts in.
const SHARES: u64 = 10_000;

/// What has to find its place.
pub(crate) struct Demand {
    /// Behind the data and the tree's own blocks.
    pub cursor: Cursor,
    /// The inodes.
    pub inodes: Inodes,
    /// Blocks in use below the cursor, without superblocks and descriptors.
    pub content_blocks: u64,
    /// The span that the layout keeps at the start of each backup group.
    pub span: u64,
}

/// Where a group's bitmaps and inode table stand.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct GroupPlaces {
    pub block_bitmap: u64,
    pub inode_bitmap: u64,
    pub inode_table: u64,
}

/// A size, and the place of everything that depends on it.
pub(crate) struct Plan {
    pub geometry: Geometry,
    /// The length of the file in bytes.
    pub file_size: u64,
    /// Blocks that only root may fill.
    pub reserved: u64,
    /// Empty when there is no journal.
    pub journal: Vec<Extent>,
    /// Blocks of the journal's extent tree outside its inode.
    pub journal_nodes: Vec<u64>,
    /// The resize inode's block.
    pub double_indirect: u64,
    pub groups: Vec<GroupPlaces>,
    /// Every run of blocks in use but the demand's content.
    pub runs: Vec<Range<u64>>,
    /// Behind the last block in use.
    end: u64,
}

impl Plan {
    pub fn journal_blocks(&self) -> u64 {
        self.journal.iter().map(|extent| u64::from(extent.length)).sum()
    }

    /// Places the metadata of a file system of this geometry behind the demand's cursor.
    fn new(demand: &Demand, geometry: Geometry, file_size: u64, journal_blocks: u64, reserved: Reserved) -> Self {
        let mut cursor = demand.cursor.clone();
        let journal = cursor.take_extents(journal_blocks);
        let journal_nodes = (0..extent::node_count(journal.len())).map(|_| cursor.take()).collect();
        let double_indirect = cursor.take();
        let mut groups = place_bitmaps(geometry.group_count, &mut cursor);
        let mut runs = cursor.taken_since(&demand.cursor);
        for group in &mut groups {
            group.inode_table = cursor.take_contiguous(geometry.table_blocks());
            runs.push(group.inode_table..group.inode_table + geometry.table_blocks());
        }
        runs.extend(super_runs(&geometry));
        let reserved = reserved.blocks(geometry.block_count);
        let end = cursor.taken_end();
        Self { geometry, file_size, reserved, journal, journal_nodes, double_indirect, groups, runs, end }
    }

    fn fits(&self) -> bool {
        self.end <= self.geometry.block_count
    }

    /// Blocks that nothing uses.
    fn free_blocks(&self, demand: &Demand) -> u64 {
        let metadata: u64 = self.runs.iter().map(|run| run.end - run.start).sum();
        self.geometry.block_count.saturating_sub(demand.content_blocks + metadata)
    }
}

/// All block bitmaps, then all inode bitmaps; the tables follow.
fn place_bitmaps(group_count: u64, cursor: &mut Cursor) -> Vec<GroupPlaces> {
    let mut groups = vec![GroupPlaces::default(); group_count as usize];
    groups.iter_mut().for_each(|group| group.block_bitmap = cursor.take());
    groups.iter_mut().for_each(|group| group.inode_bitmap = cursor.take());
    groups
}

/// The primary superblock and the backups, with descriptors and reserve.
fn super_runs(geometry: &Geometry) -> impl Iterator<Item = Range<u64>> {
    let span = geometry.super_span();
    std::iter::once(0).chain(geometry.backup_groups()).map(move |group| {
        let start = group * BLOCKS_PER_GROUP;
        start..start + span
    })
}

impl Reserved {
    /// `s_r_blocks_count` of a file system of so many blocks.
    fn blocks(self, block_count: u64) -> u64 {
        match self {
            Self::Blocks(blocks) => blocks,
            Self::Share(share) => block_count.saturating_mul(share.into()) / SHARES,
        }
    }

    fn check(self, block_count: u64) -> Result<(), Error> {
        let (reserved, most) = (self.blocks(block_count), block_count / MAX_RESERVED_PART);
        if reserved > most {
            let reserved = reserved.saturating_mul(BLOCK_SIZE);
            return Err(Error::ReservedTooLarge { reserved, most: most * BLOCK_SIZE });
        }
        Ok(())
    }
}

impl Sizes {
    /// Refuses before anything is placed what no content could make possible.
    ///
    /// # Errors
    /// When a part is too large or too small for what `layout` says of the whole.
    pub fn check(&self, layout: &Layout) -> Result<(), Error> {
        let span = geometry::span(layout);
        self.journal.check()?;
        match self.size {
            Size::Exact(size) => {
                let blocks = size / BLOCK_SIZE;
                check_inodes(self.inodes, numbering::LOST_AND_FOUND.into(), blocks)?;
                self.reserved.check(blocks)?;
                check_growth(span, blocks)
            }
            Size::Auto { .. } => {
                check_inodes(self.inodes, numbering::LOST_AND_FOUND.into(), geometry::max_blocks(span))?;
                self.reserved.check(geometry::max_blocks(span))
            }
        }
    }
}

fn check_inodes(wanted: Option<u64>, least: u64, blocks: u64) -> Result<(), Error> {
    let most = geometry::max_inodes(blocks);
    match wanted {
        Some(wanted) if !(least..=most).contains(&wanted) => Err(Error::InodeCount { wanted, least, most }),
        _ => Ok(()),
    }
}

fn check_growth(span: u64, blocks: u64) -> Result<(), Error> {
    let (max_blocks, most) = (geometry::max_blocks(span), geometry::max_growth(blocks));
    if max_blocks > most {
        let [max_size, size, most] = [max_blocks, blocks, most].map(|blocks| blocks * BLOCK_SIZE);
        return Err(Error::GrowthTooLarge { max_size, size, most });
    }
    Ok(())
}

/// Chooses the size; the second value is the smallest size in bytes that would do.
pub(crate) fn plan(demand: &Demand, sizes: &Sizes) -> Result<(Plan, u64), Error> {
    let most = match sizes.size {
        Size::Exact(size) => size / BLOCK_SIZE,
        Size::Auto { .. } => geometry::max_blocks(demand.span),
    };
    sizes.journal.check()?;
    check_inodes(sizes.inodes, demand.inodes.in_use, most)?;
    let needed = raise(demand, sizes, 0, BLOCK_SIZE, |_| sizes.journal.least(), Plan::fits)?.file_size;
    let plan = match sizes.size {
        Size::Exact(size) => exact(demand, sizes, size, needed)?,
        Size::Auto { free } => auto(demand, sizes, free)?,
    };
    sizes.reserved.check(plan.geometry.block_count)?;
    check_growth(demand.span, plan.geometry.block_count)?;
    Ok((plan, needed))
}

/// The given size, with the largest usual journal that still leaves room for the content.
fn exact(demand: &Demand, sizes: &Sizes, size: u64, needed: u64) -> Result<Plan, Error> {
    let blocks = size / BLOCK_SIZE;
    let max_size = geometry::max_blocks(demand.span) * BLOCK_SIZE;
    if size > max_size {
        return Err(Error::TooLarge { size, max_size });
    }
    sizes
        .journal
        .candidates(blocks)
        .filter_map(|journal_blocks| {
            let geometry = Geometry::new(blocks, demand.inodes, demand.span)?;
            Some(Plan::new(demand, geometry, size, journal_blocks, sizes.reserved))
        })
        .find(Plan::fits)
        .ok_or(Error::TooSmall { needed, size })
}

/// The smallest size in whole MiB with the wanted journal and room.
fn auto(demand: &Demand, sizes: &Sizes, free: Option<u64>) -> Result<Plan, Error> {
    let content = demand.content_blocks * BLOCK_SIZE;
    let free = free.unwrap_or_else(|| DEFAULT_FREE.max(content / DEFAULT_FREE_PART)).div_ceil(BLOCK_SIZE);
    let enough = |plan: &Plan| {
        let reserve_is_legal = plan.reserved <= plan.geometry.block_count / MAX_RESERVED_PART;
        plan.fits() && plan.free_blocks(demand) >= free && reserve_is_legal
    };
    raise(demand, sizes, free, MIB, |blocks| sizes.journal.best(blocks), enough)
}

/// Raises the size in whole `step`s from the least that can do, until a plan is good enough.
fn raise(
    demand: &Demand,
    sizes: &Sizes,
    free: u64,
    step: u64,
    journal_blocks: impl Fn(u64) -> u64,
    enough: impl Fn(&Plan) -> bool,
) -> Result<Plan, Error> {
    let max_blocks = geometry::max_blocks(demand.span);
    let steps = |blocks: u64| blocks.saturating_mul(BLOCK_SIZE).div_ceil(step).saturating_mul(step);
    let content = demand.content_blocks.saturating_add(free).saturating_add(sizes.journal.least());
    let mut size = steps(demand.cursor.taken_end().max(content).max(geometry::min_blocks(demand.inodes.least())));
    loop {
        let blocks = size / BLOCK_SIZE;
        if blocks > max_blocks {
            return Err(Error::TooLarge { size, max_size: max_blocks * BLOCK_SIZE });
        }
        let mut least = blocks + 1;
        if let Some(geometry) = Geometry::new(blocks, demand.inodes, demand.span) {
            let plan = Plan::new(demand, geometry, size, journal_blocks(blocks), sizes.reserved);
            if enough(&plan) {
                return Ok(plan);
            }
            let missing = free.saturating_sub(plan.free_blocks(demand));
            let reserve = plan.reserved.saturating_mul(MAX_RESERVED_PART);
            least = least.max(plan.end).max(plan.geometry.block_count + missing).max(reserve);
        }
        size = steps(least);
    }
}
