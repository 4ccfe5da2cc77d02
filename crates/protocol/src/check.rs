//! The check at the end of each line: a message of the kernel's in the middle of a line must not go unnoticed.

/// The polynomial of CRC-16/XMODEM, whose first remainder is 0.
const POLYNOMIAL: u16 = 0x1021;

const TABLE: [u16; 256] = table();

/// The CRC-16 (XMODEM) of some bytes.
pub fn check(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |remainder, &byte| {
        let [high, _] = remainder.to_be_bytes();
        (remainder << 8) ^ TABLE[usize::from(high ^ byte)]
    })
}

const fn table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut index = 0;
    while index < table.len() {
        let mut remainder = (index as u16) << 8;
        let mut bit = 0;
        while bit < u8::BITS {
            let carry = remainder & 0x8000 != 0;
            remainder <<= 1;
            if carry {
                remainder ^= POLYNOMIAL;
            }
            bit += 1;
        }
        table[index] = remainder;
        index += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_published_check_value_comes_out() {
        assert_eq!(super::check(b"123456789"), 0x31c3);
    }
}
