//! Changes tars so that they still look like tars: without a right checksum, everything behind it stays unseen.

use libfuzzer_sys::fuzzer_mutate;

/// The size of a header, and what content is padded to.
const RECORD: usize = 512;
/// Where the fields stand in a header (POSIX `ustar`; the last is old GNU's, in sparse headers and those that follow).
const SIZE: std::ops::Range<usize> = 124..136;
const CHECKSUM: std::ops::Range<usize> = 148..156;
const TYPE: usize = 156;
const MORE_SPARSE_HEADERS: usize = 482;
const EVEN_MORE_SPARSE_HEADERS: usize = 504;

/// libFuzzer's mutator for inputs that are tars: libFuzzer's own changes and changes of whole records, then repaired.
pub fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut size = match seed % 4 {
        0 | 1 => fuzzer_mutate(data, size, max_size),
        2 => mutate_one_record(data, size, seed),
        _ => move_records(data, size, max_size, seed),
    };
    if !(seed >> 8).is_multiple_of(8) {
        size = restate_pax_lengths(data, size, max_size);
        seal(&mut data[..size]);
    }
    size
}

/// Changes one record and leaves the others where they are.
fn mutate_one_record(data: &mut [u8], size: usize, seed: u32) -> usize {
    let records = size / RECORD;
    if records > 0 {
        let at = (seed as usize >> 11) % records * RECORD;
        fuzzer_mutate(&mut data[at..at + RECORD], RECORD, RECORD);
    }
    size
}

/// Doubles a run of records, takes one out, or writes one over another.
fn move_records(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let records = size / RECORD;
    if records < 2 {
        return fuzzer_mutate(data, size, max_size);
    }
    let (from, to) = ((seed as usize >> 11) % records * RECORD, (seed as usize >> 21) % records * RECORD);
    let length = (1 + (seed as usize >> 17) % 3) * RECORD;
    let length = length.min(size - from).min(size - to);
    match (seed >> 2) % 3 {
        0 if size + length <= max_size => {
            let run = data[from..from + length].to_vec();
            data.copy_within(to..size, to + length);
            data[to..to + length].copy_from_slice(&run);
            size + length
        }
        1 => {
            data.copy_within(from + length..size, from);
            size - length
        }
        _ => {
            data.copy_within(from..from + length, to);
            size
        }
    }
}

/// Gives every header the checksum that it should have.
pub fn seal(data: &mut [u8]) {
    let mut at = 0;
    while let Some(header) = data.get_mut(at..at + RECORD) {
        if is_header(header) {
            header[CHECKSUM].fill(b' ');
            let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
            header[CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        }
        at = next_header(data, at);
    }
}

/// Makes each PAX record's length the one that it has, and each PAX header's size the one of its records.
fn restate_pax_lengths(data: &mut [u8], size: usize, max_size: usize) -> usize {
    let mut at = 0;
    while at + RECORD <= size {
        if matches!(data[at + TYPE], b'x' | b'g') && is_header(&data[at..at + RECORD]) {
            let start = at + RECORD;
            let end = next_header(&data[..size], at).min(size);
            if start < end {
                let records = restated(&data[start..end]);
                let room = (end - start) / RECORD * RECORD;
                if records.len() <= room && end <= max_size {
                    data[start..start + room].fill(0);
                    data[start..start + records.len()].copy_from_slice(&records);
                    data[at..][SIZE].copy_from_slice(format!("{:011o}\0", records.len()).as_bytes());
                }
            }
        }
        at = next_header(&data[..size], at);
    }
    size
}

/// The records `LENGTH KEY=VALUE` of these lines, with right lengths.
fn restated(content: &[u8]) -> Vec<u8> {
    let mut records = Vec::new();
    for line in content.split(|&byte| byte == b'\n') {
        let digits = line.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b' ').count();
        let body = &line[digits..];
        if body.is_empty() || body[0] == 0 {
            continue;
        }
        let rest = body.len() + 2;
        let length = (rest + 1..).find(|length| length.to_string().len() + rest == *length).unwrap_or(rest);
        records.extend_from_slice(format!("{length} ").as_bytes());
        records.extend_from_slice(body);
        records.push(b'\n');
    }
    records
}

/// Neither zeros nor a break between layers.
fn is_header(record: &[u8]) -> bool {
    record.iter().any(|&byte| byte != 0) && record != nex_testkit::packed::LAYER_BREAK
}

/// Where the record behind a header's content stands, as far as a reader without any extension could tell.
fn next_header(data: &[u8], at: usize) -> usize {
    let header = &data[at..at + RECORD];
    if !is_header(header) {
        return at + RECORD;
    }
    let mut next = at + RECORD;
    if header[TYPE] == b'S' && header[MORE_SPARSE_HEADERS] != 0 {
        while let Some(more) = data.get(next..next + RECORD) {
            next += RECORD;
            if more[EVEN_MORE_SPARSE_HEADERS] == 0 {
                break;
            }
        }
    }
    let has_content = !matches!(header[TYPE], b'1'..=b'6');
    let content = if has_content { octal(&header[SIZE]) } else { 0 };
    next.saturating_add(content).checked_next_multiple_of(RECORD).unwrap_or(usize::MAX - RECORD)
}

fn octal(field: &[u8]) -> usize {
    let digits = field.iter().take_while(|byte| matches!(byte, b'0'..=b'7'));
    digits.fold(0usize, |number, digit| number.saturating_mul(8).saturating_add(usize::from(digit - b'0')))
}
