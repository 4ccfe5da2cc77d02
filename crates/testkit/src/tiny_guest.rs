//! A guest of a few instructions, for a VMM that is real on a machine where no Linux gets far: an ELF file that is entered as a
//! kernel is (64 bits, the zero page's address in RSI) and writes to the first serial port.

use crate::made_kernel::DRIVERS;

/// What such a guest does when it has written its text and its command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Resets the machine by the keyboard's controller, as a kernel does with `reboot=k`.
    Reset,
    /// Gives back what is typed, up to the end of a line, and resets the machine.
    Echo,
    /// Nothing, for ever.
    Hang,
}

/// Where it is loaded and entered.
const ADDRESS: u64 = 1 << 20;
const HEADER_BYTES: u16 = 64;
const PROGRAM_HEADER_BYTES: u16 = 56;
const PAGE: usize = 4096;
const EM_X86_64: u16 = 62;

/// Writes the text at RBX, up to a NUL, to the port in DX.
const PRINT: &[u8] = &[
    0x8a, 0x03, // mov al, [rbx]
    0x84, 0xc0, // test al, al
    0x74, 0x06, // jz, behind all this
    0xee, // out dx, al
    0x48, 0xff, 0xc3, // inc rbx
    0xeb, 0xf4, // jmp, to the first
];

/// Reads from the port until a line ends, and writes the same.
const ECHO: &[u8] = &[
    0x66, 0xba, 0xfd, 0x03, // mov dx, the line status register
    0xec, // in al, dx
    0xa8, 0x01, // test al, data ready
    0x74, 0xf7, // jz, to the first
    0x66, 0xba, 0xf8, 0x03, // mov dx, the data register
    0xec, // in al, dx
    0xee, // out dx, al
    0x3c, 0x0a, // cmp al, '\n'
    0x75, 0xed, // jne, to the first
];

const RESET: &[u8] = &[
    0xb0, 0xfe, // mov al, pulse the reset line
    0xe6, 0x64, // out 0x64, al
];

const HANG: &[u8] = &[
    0xf4, // hlt
    0xeb, 0xfd, // jmp, to the first
];

/// The guest's file, a vmlinux for whoever loads one.
pub fn vmlinux(text: &str, then: Then) -> Vec<u8> {
    let mut code = vec![
        0x66, 0xba, 0xf8, 0x03, // mov dx, the data register of ttyS0
        0x48, 0x8d, 0x1d, 0, 0, 0, 0, // lea rbx, [rip + the text]
    ];
    let behind_lea = code.len();
    code.extend_from_slice(PRINT);
    code.extend_from_slice(&[0x8b, 0x9e, 0x28, 0x02, 0x00, 0x00]); // mov ebx, [rsi + cmd_line_ptr]
    code.extend_from_slice(PRINT);
    code.extend_from_slice(&[0xb0, 0x0a, 0xee]); // mov al, '\n'; out dx, al
    code.extend_from_slice(if then == Then::Echo { ECHO } else { &[] });
    code.extend_from_slice(if then == Then::Hang { &[] } else { RESET });
    code.extend_from_slice(HANG);
    let distance = u32::try_from(code.len() - behind_lea).unwrap_or_default();
    code[behind_lea - 4..behind_lea].copy_from_slice(&distance.to_le_bytes());
    code.extend_from_slice(text.as_bytes());
    code.push(0);
    // It needs no driver, and passes for a kernel that has all built in.
    code.extend_from_slice(DRIVERS);

    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let length = code.len() as u64;
    for (value, bytes) in [
        (2, 2), // e_type: an executable
        (u64::from(EM_X86_64), 2),
        (1, 4),                       // e_version
        (ADDRESS, 8),                 // e_entry
        (u64::from(HEADER_BYTES), 8), // e_phoff
        (0, 8),                       // e_shoff
        (0, 4),                       // e_flags
        (u64::from(HEADER_BYTES), 2),
        (u64::from(PROGRAM_HEADER_BYTES), 2),
        (1, 2), // e_phnum
        (0, 6), // no sections
        (1, 4), // PT_LOAD
        (5, 4), // to read and to execute
        (PAGE as u64, 8),
        (ADDRESS, 8),
        (ADDRESS, 8),
        (length, 8),
        (length, 8),
        (PAGE as u64, 8),
    ] {
        file.extend_from_slice(&value.to_le_bytes()[..bytes]);
    }
    file.resize(PAGE, 0);
    file.extend_from_slice(&code);
    file
}
