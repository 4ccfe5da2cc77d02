//! ELF programs, made byte by byte.

/// `e_machine` of x86-64.
pub const X86_64: u16 = 62;

/// `e_machine` of arm64.
pub const AARCH64: u16 = 183;

/// A static program of 64 bits with this code and this segment of notes.
pub fn program(machine: u16, code: &[u8], notes: &[u8]) -> Vec<u8> {
    const ADDRESS: u64 = 0x40_0000;
    const HEADERS: u64 = 64 + 2 * 56;
    let (start, length) = (HEADERS + notes.len() as u64, HEADERS + (notes.len() + code.len()) as u64);
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let segment = |kind: u64, flags: u64, place: u64, length: u64, align: u64| {
        [
            (kind, 4),
            (flags, 4),
            (place, 8),
            (ADDRESS + place, 8),
            (ADDRESS + place, 8),
            (length, 8),
            (length, 8),
            (align, 8),
        ]
    };
    let header = [
        (2, 2), // e_type: an executable
        (u64::from(machine), 2),
        (1, 4),               // e_version
        (ADDRESS + start, 8), // e_entry
        (64, 8),              // e_phoff
        (0, 8),               // e_shoff
        (0, 4),               // e_flags
        (64, 2),              // e_ehsize
        (56, 2),              // e_phentsize
        (2, 2),               // e_phnum
        (0, 6),               // no sections
    ];
    // PT_LOAD, to be read and executed, and PT_NOTE.
    let (load, note) = (segment(1, 5, 0, length, 0x1000), segment(4, 4, HEADERS, notes.len() as u64, 4));
    for (value, bytes) in header.into_iter().chain(load).chain(note) {
        file.extend_from_slice(&u64::to_le_bytes(value)[..bytes]);
    }
    [&file, notes, code].concat()
}

/// The note by which nex knows an agent of its own, with this number of a protocol.
pub fn mark(protocol: u32) -> Vec<u8> {
    let descriptor = [&protocol.to_le_bytes()[..], b"0.0.9\0\0\0"].concat();
    let numbers = [4, descriptor.len() as u32, 1].map(u32::to_le_bytes).concat();
    [&numbers, &b"nex\0"[..], &descriptor].concat()
}
