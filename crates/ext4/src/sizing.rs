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
use crate::geometry::{self, BLOCKS_PER_GROUP, Geometry};
use crate::journal;
use crate::options::Size;

const MIB: u64 = 1 << 20;
/// The room for work that `Size::Auto` leaves at least.
const DEFAULT_FREE: u64 = 64 * MIB;
/// The part of the content that `Size::Auto` leaves free at least: a tenth.
const DEFAULT_FREE_PART: u64 = 10;

/// What has to find its place.
pub(crate) struct Demand {
    /// Behind the data and the tree's own blocks.
    pub cursor: Cursor,
    /// Inodes in use, the reserved ones included.
    pub inodes: u64,
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
    fn new(demand: &Demand, geometry: Geometry, file_size: u64, journal_blocks: u32) -> Self {
        let mut cursor = demand.cursor.clone();
        let journal = cursor.take_extents(u64::from(journal_blocks));
        let journal_nodes = (0..extent::node_count(journal.len())).map(|_| cursor.take()).collect();
        let double_indirect = cursor.take();
        let mut groups = place_bitmaps(geometry.group_count, &mut cursor);
        let mut runs = cursor.taken_since(&demand.cursor);
        for group in &mut groups {
            group.inode_table = cursor.take_contiguous(geometry.table_blocks());
            runs.push(group.inode_table..group.inode_table + geometry.table_blocks());
        }
        runs.extend(super_runs(&geometry));
        Self { geometry, file_size, journal, journal_nodes, double_indirect, groups, runs, end: cursor.taken_end() }
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

/// Chooses the size; the second value is the smallest size in bytes that would do.
pub(crate) fn plan(demand: &Demand, size: Size) -> Result<(Plan, u64), Error> {
    let needed = raise(demand, 0, BLOCK_SIZE, |_| journal::MIN_BLOCKS, |plan| plan.fits())?.file_size;
    let plan = match size {
        Size::Exact(size) => exact(demand, size, needed)?,
        Size::Auto { free } => auto(demand, free)?,
    };
    Ok((plan, needed))
}

/// The given size, with the largest usual journal that still leaves room for the content.
fn exact(demand: &Demand, size: u64, needed: u64) -> Result<Plan, Error> {
    let blocks = size / BLOCK_SIZE;
    let max_size = geometry::max_blocks(demand.span) * BLOCK_SIZE;
    if size > max_size {
        return Err(Error::TooLarge { size, max_size });
    }
    journal::candidates(blocks)
        .filter_map(|journal_blocks| {
            let geometry = Geometry::new(blocks, demand.inodes, demand.span)?;
            Some(Plan::new(demand, geometry, size, journal_blocks))
        })
        .find(Plan::fits)
        .ok_or(Error::TooSmall { needed, size })
}

/// The smallest size in whole MiB with the usual journal and the wanted room.
fn auto(demand: &Demand, free: Option<u64>) -> Result<Plan, Error> {
    let content = demand.content_blocks * BLOCK_SIZE;
    let free = free.unwrap_or_else(|| DEFAULT_FREE.max(content / DEFAULT_FREE_PART)).div_ceil(BLOCK_SIZE);
    let enough = |plan: &Plan| plan.fits() && plan.free_blocks(demand) >= free;
    raise(demand, free, MIB, journal::blocks, enough)
}

/// Raises the size in whole `step`s from the least that can do, until a plan is good enough.
fn raise(
    demand: &Demand,
    free: u64,
    step: u64,
    journal_blocks: impl Fn(u64) -> u32,
    enough: impl Fn(&Plan) -> bool,
) -> Result<Plan, Error> {
    let max_blocks = geometry::max_blocks(demand.span);
    let steps = |blocks: u64| blocks.saturating_mul(BLOCK_SIZE).div_ceil(step).saturating_mul(step);
    let mut size = steps(demand.cursor.taken_end().max(demand.content_blocks.saturating_add(free)));
    loop {
        let blocks = size / BLOCK_SIZE;
        if blocks > max_blocks {
            return Err(Error::TooLarge { size, max_size: max_blocks * BLOCK_SIZE });
        }
        let mut least = blocks + 1;
        if let Some(geometry) = Geometry::new(blocks, demand.inodes, demand.span) {
            let plan = Plan::new(demand, geometry, size, journal_blocks(blocks));
            if enough(&plan) {
                return Ok(plan);
            }
            let missing = free.saturating_sub(plan.free_blocks(demand));
            least = least.max(plan.end).max(plan.geometry.block_count + missing);
        }
        size = steps(least);
    }
}
