//! Sparse files: where the stored bytes go in them, in the four forms that GNU tar has written over time.
//!
//! | form | the map stands |
//! | --- | --- |
//! | old GNU | in the header, four regions, and in records of 21 behind it |
//! | PAX 0.0 | in a pair of records for each region |
//! | PAX 0.1 | in one record, numbers with commas between |
//! | PAX 1.0 | in front of the content, a number in each line |
//!
//! The GNU tar manual describes them under "Storing Sparse Files".

use crate::error::Error;
use crate::header::{RawHeader, number};
use crate::pax::{Pax, SparseRecords, SparseVersion};
use crate::record::{RECORD, Record};

/// The most regions that a sparse file may have; each takes 16 bytes of memory.
const MAX_REGIONS: usize = 1 << 20;

/// Old GNU's records behind a header: 21 regions of two fields of 12 bytes, then whether one more record follows.
const FIELD: usize = 12;
const MORE: usize = 21 * 2 * FIELD;

/// A run of stored bytes and its place in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    pub offset: u64,
    pub length: u64,
}

/// What a sparse file consists of.
#[derive(Debug, PartialEq, Eq)]
pub struct Map {
    /// In order, none inside another.
    pub regions: Vec<Region>,
    /// Bytes of the file, holes included.
    pub size: u64,
}

/// Reads the map of an entry whose content takes `stored` bytes, and takes off `stored` what the map itself takes of it.
/// `None` for a file that is not sparse.
///
/// `next` gives the records behind the header.
///
/// # Errors
/// When the stream fails, or the map contradicts itself or the sizes.
pub fn read_map(
    header: &RawHeader<'_>,
    pax: &Pax,
    stored: &mut u64,
    next: impl FnMut() -> Result<Record, Error>,
) -> Result<Option<Map>, Error> {
    let map = if header.kind() == b'S' {
        old_gnu(header, next)?
    } else {
        match pax.sparse.version()? {
            None => return Ok(None),
            Some(version) => {
                let size = pax.sparse.size.ok_or(Error::SparseMap)?;
                let regions = match version {
                    SparseVersion::Records => in_records(&pax.sparse)?,
                    SparseVersion::Content => in_content(stored, next)?,
                };
                Map { regions, size }
            }
        }
    };
    map.check(*stored)?;
    Ok(Some(map))
}

fn old_gnu(header: &RawHeader<'_>, mut next: impl FnMut() -> Result<Record, Error>) -> Result<Map, Error> {
    let size = u64::try_from(number("realsize", header.gnu_real_size())?).map_err(|_| Error::Size)?;
    let mut regions = Vec::new();
    for field in header.gnu_regions().chunks_exact(2 * FIELD) {
        if !add(&mut regions, &field[..FIELD], &field[FIELD..])? {
            break;
        }
    }
    let mut more = header.gnu_is_extended();
    while more {
        let record = next()?;
        more = record[MORE] != 0;
        for field in record[..MORE].chunks_exact(2 * FIELD) {
            if !add(&mut regions, &field[..FIELD], &field[FIELD..])? {
                // Records that are not full would be a list without an end that costs no memory.
                return if more { Err(Error::SparseMap) } else { Ok(Map { regions, size }) };
            }
        }
    }
    Ok(Map { regions, size })
}

/// Takes over a region; `false` where the fields are empty, which ends the list.
fn add(regions: &mut Vec<Region>, offset: &[u8], length: &[u8]) -> Result<bool, Error> {
    if offset.starts_with(&[0]) || length.starts_with(&[0]) {
        return Ok(false);
    }
    let part = |name, field| u64::try_from(number(name, field)?).map_err(|_| Error::SparseMap);
    push(regions, Region { offset: part("offset", offset)?, length: part("numbytes", length)? })?;
    Ok(true)
}

/// The numbers of PAX records, in pairs.
fn in_records(sparse: &SparseRecords) -> Result<Vec<Region>, Error> {
    let (pairs, rest) = sparse.map.as_chunks::<2>();
    let is_counted = sparse.count.is_none_or(|count| count == pairs.len() as u64);
    if !rest.is_empty() || !is_counted {
        return Err(Error::SparseMap);
    }
    let mut regions = Vec::new();
    pairs.iter().try_for_each(|&[offset, length]| push(&mut regions, Region { offset, length }))?;
    Ok(regions)
}

/// One region more, within the limit.
fn push(regions: &mut Vec<Region>, region: Region) -> Result<(), Error> {
    if regions.len() >= MAX_REGIONS {
        return Err(Error::SparseRegions(MAX_REGIONS));
    }
    regions.push(region);
    Ok(())
}

/// Reads lines in front of the content: how many regions, then an offset and a length for each.
fn in_content(stored: &mut u64, mut next: impl FnMut() -> Result<Record, Error>) -> Result<Vec<Region>, Error> {
    let mut lines = Lines { record: [0; RECORD], at: RECORD };
    let mut next = || {
        *stored = stored.checked_sub(RECORD as u64).ok_or(Error::SparseMap)?;
        next()
    };
    let count = lines.number(&mut next)?;
    let mut regions = Vec::new();
    for _ in 0..count {
        let (offset, length) = (lines.number(&mut next)?, lines.number(&mut next)?);
        push(&mut regions, Region { offset, length })?;
    }
    Ok(regions)
}

/// Decimal numbers in lines, which may go across the ends of records.
struct Lines {
    record: Record,
    at: usize,
}

impl Lines {
    fn number(&mut self, mut next: impl FnMut() -> Result<Record, Error>) -> Result<u64, Error> {
        let mut value = None;
        loop {
            let Some(&byte) = self.record.get(self.at) else {
                self.record = next()?;
                self.at = 0;
                continue;
            };
            self.at += 1;
            value = match byte {
                b'\n' => return value.ok_or(Error::SparseMap),
                b'0'..=b'9' => {
                    let digit = u64::from(byte - b'0');
                    let more = value.unwrap_or(0u64).checked_mul(10).and_then(|value| value.checked_add(digit));
                    Some(more.ok_or(Error::SparseMap)?)
                }
                _ => return Err(Error::SparseMap),
            };
        }
    }
}

impl Map {
    fn check(&self, stored: u64) -> Result<(), Error> {
        let (mut sum, mut end) = (0u64, 0u64);
        for region in &self.regions {
            if region.offset < end {
                return Err(Error::SparseMap);
            }
            end = region.offset.checked_add(region.length).ok_or(Error::SparseMap)?;
            sum = sum.checked_add(region.length).ok_or(Error::SparseMap)?;
        }
        if end > self.size || sum != stored { Err(Error::SparseMap) } else { Ok(()) }
    }
}
