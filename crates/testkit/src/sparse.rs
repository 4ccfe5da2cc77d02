//! Tars with a sparse file in them, in each of the four forms, field by field: for maps that GNU tar would not write.
//!
//! The forms are those of the GNU tar manual, "Storing Sparse Files".

/// Regions that an old GNU header holds, and those that each header behind it holds.
const IN_HEADER: usize = 4;
const IN_EXTENSION: usize = 21;
const RECORD: usize = 512;

/// How a sparse file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Old GNU: the map in the header and in headers behind it.
    Gnu,
    /// PAX 0.0: a pair of records for each region.
    Pax00,
    /// PAX 0.1: the map in one record.
    Pax01,
    /// PAX 1.0: the map in front of the content.
    Pax10,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Gnu, Self::Pax00, Self::Pax01, Self::Pax10];
}

/// A tar of one sparse file of `size` bytes with these regions: where each begins, and what is in it.
pub fn tar(form: Form, name: &str, size: u64, regions: &[(u64, &[u8])]) -> Vec<u8> {
    let map: Vec<(u64, u64)> = regions.iter().map(|(offset, bytes)| (*offset, bytes.len() as u64)).collect();
    let stored = regions.iter().map(|(_, bytes)| *bytes).collect::<Vec<_>>().concat();
    [headers(form, name, size, &map, stored.len() as u64), padded(stored), vec![0; 2 * RECORD]].concat()
}

/// Everything in front of the content, which has `stored` bytes. The map may say something else.
pub fn headers(form: Form, name: &str, size: u64, map: &[(u64, u64)], stored: u64) -> Vec<u8> {
    let record = |key: &str, value: String| pax_record(&format!("GNU.sparse.{key}"), &value);
    match form {
        Form::Gnu => old_gnu(name, size, map, stored),
        Form::Pax00 => {
            let pairs = map.iter().map(|(offset, length)| {
                [record("offset", offset.to_string()), record("numbytes", length.to_string())].concat()
            });
            let records: Vec<String> = [record("size", size.to_string()), record("numblocks", map.len().to_string())]
                .into_iter()
                .chain(pairs)
                .collect();
            pax(records.concat().into_bytes(), &header(name.as_bytes(), b'0', stored))
        }
        Form::Pax01 => {
            let list: Vec<String> = map.iter().map(|(offset, length)| format!("{offset},{length}")).collect();
            let records = [
                record("size", size.to_string()),
                record("numblocks", map.len().to_string()),
                record("name", name.to_owned()),
                record("map", list.join(",")),
            ];
            pax(records.concat().into_bytes(), &header(b"GNUSparseFile.0/cut", b'0', stored))
        }
        Form::Pax10 => {
            let records = [
                record("major", "1".to_owned()),
                record("minor", "0".to_owned()),
                record("name", name.to_owned()),
                record("realsize", size.to_string()),
            ];
            let lines: Vec<String> = map.iter().map(|(offset, length)| format!("{offset}\n{length}\n")).collect();
            let map = padded(format!("{}\n{}", map.len(), lines.concat()).into_bytes());
            let size = stored + map.len() as u64;
            [pax(records.concat().into_bytes(), &header(b"GNUSparseFile.0/cut", b'0', size)), map].concat()
        }
    }
}

/// An entry's header behind a header with these PAX records.
pub fn pax(records: Vec<u8>, header_of_entry: &[u8; RECORD]) -> Vec<u8> {
    [&header(b"PaxHeaders/x", b'x', records.len() as u64)[..], &padded(records), header_of_entry].concat()
}

/// One record of a PAX header: `LENGTH KEY=VALUE` and a newline.
pub fn pax_record(key: &str, value: &str) -> String {
    let rest = key.len() + value.len() + 3;
    let length = (rest + 1..).find(|length| length.to_string().len() + rest == *length).unwrap_or(rest);
    format!("{length} {key}={value}\n")
}

/// A header with the magic of POSIX, of an entry of this type and size.
pub fn header(name: &[u8], kind: u8, size: u64) -> [u8; RECORD] {
    let mut header = [0; RECORD];
    let kept = name.len().min(100);
    header[..kept].copy_from_slice(&name[..kept]);
    header[100..108].copy_from_slice(b"0000644\0");
    header[108..116].copy_from_slice(b"0000000\0");
    header[116..124].copy_from_slice(b"0000000\0");
    put_number(&mut header[124..136], size);
    header[136..148].copy_from_slice(b"13727410000\0");
    header[156] = kind;
    header[257..265].copy_from_slice(b"ustar\x0000");
    seal(&mut header);
    header
}

/// Gives a header the checksum of its bytes.
pub fn seal(header: &mut [u8; RECORD]) {
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

fn old_gnu(name: &str, size: u64, map: &[(u64, u64)], stored: u64) -> Vec<u8> {
    let mut header = header(name.as_bytes(), b'S', stored);
    header[257..265].copy_from_slice(b"ustar  \0");
    put_regions(&mut header[386..482], map.iter().take(IN_HEADER));
    let rest = map.get(IN_HEADER..).unwrap_or_default();
    header[482] = u8::from(!rest.is_empty());
    put_number(&mut header[483..495], size);
    seal(&mut header);
    let mut all = header.to_vec();
    let mut extensions = rest.chunks(IN_EXTENSION).peekable();
    while let Some(regions) = extensions.next() {
        let mut extension = [0; RECORD];
        put_regions(&mut extension[..504], regions.iter());
        extension[504] = u8::from(extensions.peek().is_some());
        all.extend_from_slice(&extension);
    }
    all
}

fn put_regions<'a>(fields: &mut [u8], map: impl Iterator<Item = &'a (u64, u64)>) {
    for (field, (offset, length)) in fields.chunks_exact_mut(24).zip(map) {
        put_number(&mut field[..12], *offset);
        put_number(&mut field[12..], *length);
    }
}

/// Eleven octal digits, or, where they do not hold the number, a big-endian one behind a set top bit (base 256).
fn put_number(field: &mut [u8], number: u64) {
    if number < 1 << 33 {
        field.copy_from_slice(format!("{number:011o}\0").as_bytes());
    } else {
        field.fill(0);
        field[0] = 0x80;
        field[4..].copy_from_slice(&number.to_be_bytes());
    }
}

/// Fills up the last record with zeros.
pub fn padded(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().next_multiple_of(RECORD), 0);
    bytes
}
