//! The hash by which an indexed directory finds a name: half MD4 over signed bytes.

/// `DX_HASH_HALF_MD4`, as `s_def_hash_version` and the root of an index have it.
pub(crate) const HASH_VERSION: u8 = 1;

/// `EXT2_FLAGS_SIGNED_HASH` for `s_flags`: names are hashed as signed bytes, whatever a `char` is on the machine that
/// mounts. It is what mke2fs chooses on x86_64, and the only variant that some readers know.
pub(crate) const HASH_FLAGS: u32 = 1;

/// The words of a name that one transformation takes.
const CHUNK_WORDS: usize = 8;
const CHUNK: usize = CHUNK_WORDS * size_of::<u32>();

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

    /// The hash of a name (`ext4fs_dirhash`, major hash). The lowest bit is always zero: an index uses it to mark a
    /// leaf that continues the one before.
    pub fn hash(&self, name: &[u8]) -> u32 {
        let mut state = self.0;
        for start in (0..name.len()).step_by(CHUNK) {
            half_md4(&mut state, &words(&name[start..]));
        }
        match state[1] & !1 {
            END => END - 2,
            hash => hash,
        }
    }
}

/// The next words of a name of which `rest` is left (`str2hashbuf_signed`), padded with the length of the rest.
fn words(rest: &[u8]) -> [u32; CHUNK_WORDS] {
    let padding = u32::from_ne_bytes([rest.len() as u8; 4]);
    let mut words = [padding; CHUNK_WORDS];
    for (word, bytes) in words.iter_mut().zip(rest.chunks(size_of::<u32>())) {
        for byte in bytes {
            // A byte's sign reaches into the bytes before it: the addition is one of whole words.
            *word = (*word << 8).wrapping_add_signed(i32::from(*byte as i8));
        }
    }
    words
}

/// MD4's transformation with half the rounds (`half_md4_transform`).
fn half_md4(state: &mut [u32; 4], input: &[u32; CHUNK_WORDS]) {
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
    order: [usize; CHUNK_WORDS],
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
}
