//! Numbers and bytes that look random and are the same in every run: Marsaglia's xorshift with 64 bits.

/// Numbers, the same for the same seed.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Starts with a seed. Neighbours among them give numbers that have nothing in common.
    pub fn new(seed: u64) -> Self {
        // From zero it would not get away.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Any number but zero.
    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `end`, which is more than zero.
    pub fn below(&mut self, end: usize) -> usize {
        // The lowest bits are the least random ones.
        ((self.number() >> 11) % end as u64) as usize
    }

    /// Any byte.
    pub fn byte(&mut self) -> u8 {
        (self.number() >> 11) as u8
    }
}

/// Content that does not compress, and that is not the same in two blocks.
pub fn bytes(length: usize, seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    std::iter::repeat_with(|| random.number().to_le_bytes()).flatten().take(length).collect()
}
