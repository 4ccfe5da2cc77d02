//! The hash by which an indexed directory finds a name. The writer's is half MD4 over signed bytes.

/// `DX_HASH_HALF_MD4`, as `s_def_hash_version` and the root of an index have it.
pub(crate) const HASH_VERSION: u8 = 1;

/// `EXT2_FLAGS_SIGNED_HASH` for `s_flags`: names are hashed as signed bytes, whatever a `char` is on the machine that
/// mounts. It is what mke2fs chooses on x86_64, and the only variant that some readers know.
pub(crate) const HASH_FLAGS: u32 = 1;

/// `EXT2_FLAGS_UNSIGNED_HASH`: they are hashed as unsigned bytes.
pub(crate) const UNSIGNED_HASH_FLAG: u32 = 2;

/// What is computed of a name (`DX_HASH_LEGACY`, `DX_HASH_HALF_MD4`, `DX_HASH_TEA`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Legacy,
    HalfMd4,
    Tea,
}

impl Algorithm {
    /// The algorithm that the root of an index names; `None` for one that needs more than the name's bytes.
    pub fn of_version(version: u8) -> Option<Self> {
        match version {
            0 => Some(Self::Legacy),
            HASH_VERSION => Some(Self::HalfMd4),
            2 => Some(Self::Tea),
            _ => None,
        }
    }
}

/// How the bytes of a name become numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chars {
    Signed,
    Unsigned,
}

impl Chars {
    fn number(self, byte: u8) -> i32 {
        match self {
            Self::Signed => i32::from(byte as i8),
            Self::Unsigned => i32::from(byte),
        }
    }
}

/// The words of a name that one transformation takes: of half MD4, and of TEA.
const MD4_WORDS: usize = 8;
const TEA_WORDS: usize = 4;

/// MD4's initial state, for a seed of zeros.
const DEFAULT_STATE: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// Hashes end below this one (`EXT4_HTREE_EOF_32BIT << 1`), which marks the end of a directory.
const END: u32 = 0xffff_fffe;

/// What names of a file system are hashed with (`s_hash_seed`).
#[derive(Clone, Copy, Debug)]
pub(crate) struct HashSeed([u32; 4]);

impl HashSeed {
    /// The seed as the superblock has it.
    pub fn new(seed: &[u8; 16]) -> Self {
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(seed.as_chunks().0) {
            *word = u32::from_le_bytes(*bytes);
        }
        Self(if words == [0; 4] { DEFAULT_STATE } else { words })
    }

    /// The hash of a name in a directory that the writer makes. The lowest bit is always zero: an index uses it to mark a
    /// leaf that continues the one before.
    pub fn hash(&self, name: &[u8]) -> u32 {
        self.hash_by(Algorithm::HalfMd4, Chars::Signed, name)
    }

    /// The hash of a name in any directory (`ext4fs_dirhash`, major hash).
    pub fn hash_by(&self, algorithm: Algorithm, chars: Chars, name: &[u8]) -> u32 {
        let mut state = self.0;
        let hash = match algorithm {
            Algorithm::Legacy => legacy(name, chars),
            Algorithm::HalfMd4 => {
                chunks::<MD4_WORDS>(name, chars).for_each(|words| half_md4(&mut state, &words));
                state[1]
            }
            Algorithm::Tea => {
                chunks::<TEA_WORDS>(name, chars).for_each(|words| tea(&mut state, words));
                state[0]
            }
        };
        match hash & !1 {
            END => END - 2,
            hash => hash,
        }
    }
}

/// The words of a name, as many at a time as a transformation takes.
fn chunks<const WORDS: usize>(name: &[u8], chars: Chars) -> impl Iterator<Item = [u32; WORDS]> {
    (0..name.len()).step_by(WORDS * size_of::<u32>()).map(move |start| words(&name[start..], chars))
}

/// The next words of a name of which `rest` is left (`str2hashbuf_signed`, `str2hashbuf_unsigned`), padded with the length
/// of the rest.
fn words<const WORDS: usize>(rest: &[u8], chars: Chars) -> [u32; WORDS] {
    let padding = u32::from_ne_bytes([rest.len() as u8; 4]);
    let mut words = [padding; WORDS];
    for (word, bytes) in words.iter_mut().zip(rest.chunks(size_of::<u32>())) {
        for byte in bytes {
            // A byte's sign reaches into the bytes before it: the addition is one of whole words.
            *word = (*word << 8).wrapping_add_signed(chars.number(*byte));
        }
    }
    words
}

/// `dx_hack_hash_signed`, `dx_hack_hash_unsigned`.
fn legacy(name: &[u8], chars: Chars) -> u32 {
    let (mut last, mut before) = (0x12a3_fe2d_u32, 0x37ab_e8f9_u32);
    for byte in name {
        let product = chars.number(*byte).wrapping_mul(7_152_373) as u32;
        let mut hash = before.wrapping_add(last ^ product);
        if hash & 0x8000_0000 != 0 {
            hash = hash.wrapping_sub(0x7fff_ffff);
        }
        (before, last) = (last, hash);
    }
    last << 1
}

/// The Tiny Encryption Algorithm with half the rounds (`TEA_transform`).
fn tea(state: &mut [u32; 4], [a, b, c, d]: [u32; TEA_WORDS]) {
    const DELTA: u32 = 0x9e37_79b9;
    const ROUNDS: u32 = 16;
    let mix = |word: u32, sum: u32, left: u32, right: u32| {
        (word << 4).wrapping_add(left) ^ word.wrapping_add(sum) ^ (word >> 5).wrapping_add(right)
    };
    let (mut b0, mut b1) = (state[0], state[1]);
    for round in 1..=ROUNDS {
        let sum = DELTA.wrapping_mul(round);
        b0 = b0.wrapping_add(mix(b1, sum, a, b));
        b1 = b1.wrapping_add(mix(b0, sum, c, d));
    }
    state[0] = state[0].wrapping_add(b0);
    state[1] = state[1].wrapping_add(b1);
}

/// MD4's transformation with half the rounds (`half_md4_transform`).
fn half_md4(state: &mut [u32; 4], input: &[u32; MD4_WORDS]) {
    const ROUNDS: [Round; 3] = [
        Round { mix: choose, constant: 0, order: [0, 1, 2, 3, 4, 5, 6, 7], shifts: [3, 7, 11, 19] },
        Round { mix: majority, constant: 0x5a82_7999, order: [1, 3, 5, 7, 0, 2, 4, 6], shifts: [3, 5, 9, 13] },
        Round { mix: parity, constant: 0x6ed9_eba1, order: [3, 7, 2, 6, 1, 5, 0, 4], shifts: [3, 9, 11, 15] },
    ];
    let [mut a, mut b, mut c, mut d] = *state;
    for round in &ROUNDS {
        for (step, word) in round.order.iter().enumerate() {
            let sum = a.wrapping_add((round.mix)(b, c, d)).wrapping_add(input[*word]).wrapping_add(round.constant);
            (a, b, c, d) = (d, sum.rotate_left(round.shifts[step % 4]), b, c);
        }
    }
    for (word, more) in state.iter_mut().zip([a, b, c, d]) {
        *word = word.wrapping_add(more);
    }
}

/// Eight steps of the transformation.
struct Round {
    /// How three words of the state are mixed.
    mix: fn(u32, u32, u32) -> u32,
    /// What is added in each step.
    constant: u32,
    /// Which word of the input each step takes.
    order: [usize; MD4_WORDS],
    /// How far each step rotates, in turn.
    shifts: [u32; 4],
}

fn choose(x: u32, y: u32, z: u32) -> u32 {
    z ^ (x & (y ^ z))
}

fn majority(x: u32, y: u32, z: u32) -> u32 {
    (x & y) | (x & z) | (y & z)
}

fn parity(x: u32, y: u32, z: u32) -> u32 {
    x ^ y ^ z
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 0fc48be0-17dc-4791-b120-39964e159a31.
    const SEED: [u8; 16] = *b"\x0f\xc4\x8b\xe0\x17\xdc\x47\x91\xb1\x20\x39\x96\x4e\x15\x9a\x31";

    #[test]
    fn names_hash_as_debugfs_has_it() {
        // From `debugfs -R "dx_hash -h half_md4 -s UUID NAME"` of e2fsprogs 1.47.0, with no seed and with ours.
        let expected: [(&[u8], u32, u32); 9] = [
            (b"a", 0xd5fa_7d7a, 0x7d24_c66e),
            (b"hello", 0x1746_da32, 0xfc91_e31c),
            (b"lost+found", 0x591d_e422, 0x77f8_9326),
            (&[b'x'; 32], 0xae38_ae70, 0xca38_96b8),
            (&[b'y'; 33], 0xcf79_e5d6, 0xf454_76dc),
            (&[b'z'; 255], 0x3b4d_55ea, 0x36cd_6694),
            ("é".as_bytes(), 0x89d4_704e, 0x4d62_15ea),
            ("NetLock_Arany_=Class_Gold=_Főtanúsítvány.pem".as_bytes(), 0xc2b4_2ad6, 0xb3b3_fac6),
            (b"\xff\xfe\x80", 0x45b5_f8b0, 0x2608_1c1a),
        ];
        for (name, unseeded, seeded) in expected {
            let shown = name.escape_ascii();
            assert_eq!(HashSeed::new(&[0; 16]).hash(name), unseeded, "{shown} without a seed");
            assert_eq!(HashSeed::new(&SEED).hash(name), seeded, "{shown}");
        }
    }

    #[test]
    fn other_hashes_are_debugfs_s_too() {
        // From `debugfs -R "dx_hash -h VERSION [-s UUID] NAME"` of e2fsprogs 1.47.0.
        let expected: [(Algorithm, &[u8], u32, u32); 6] = [
            (Algorithm::Legacy, b"hello", 0x3225_2546, 0x3225_2546),
            (Algorithm::Legacy, &[b'x'; 33], 0x4e0d_46ea, 0x4e0d_46ea),
            (Algorithm::Legacy, "é".as_bytes(), 0x1108_3c86, 0x1108_3c86),
            (Algorithm::Tea, b"hello", 0x6f5b_b1a8, 0xcb4e_12b4),
            (Algorithm::Tea, &[b'x'; 33], 0xaeca_7924, 0x900c_4984),
            (Algorithm::Tea, "é".as_bytes(), 0x591e_9bd6, 0x2c1a_8568),
        ];
        for (algorithm, name, unseeded, seeded) in expected {
            let shown = name.escape_ascii();
            let hash = |seed: &[u8; 16]| HashSeed::new(seed).hash_by(algorithm, Chars::Signed, name);
            assert_eq!(hash(&[0; 16]), unseeded, "{algorithm:?} of {shown} without a seed");
            assert_eq!(hash(&SEED), seeded, "{algorithm:?} of {shown}");
        }
    }
}
