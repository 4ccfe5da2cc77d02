//! Small images of ours, damaged, and what is then done to them.

use std::sync::OnceLock;

use nex_ext4::Journal;

use crate::memory::Memory;
use crate::pieces::{Base, CHANGE};
use crate::small_image::image;

/// How large growth may make a file system: the reserve of descriptors ends far below.
const MOST_GROWTH: u64 = 64 << 40;

/// What is done to the image.
#[derive(Clone, Copy, Debug)]
pub enum Operation {
    /// A file gets other content, of this many bytes.
    Replace {
        /// Its path.
        path: &'static [u8],
        /// Bytes.
        size: u64,
    },
    /// The file system grows to so many bytes.
    Grow {
        /// Bytes.
        size: u64,
    },
}

/// An input, in parts.
pub struct Input<'a> {
    /// What is done.
    pub operation: Operation,
    /// Which of the images.
    image: usize,
    /// Changes of bytes, five bytes each: which piece of metadata, where in it, and the new byte.
    damage: &'a [u8],
}

impl<'a> Input<'a> {
    /// Reads an input; `None` for one that is too short.
    pub fn read(data: &'a [u8]) -> Option<Self> {
        const PATHS: [&[u8]; 6] =
            [b"/usr/agent", b"/many/name-of-some-length-0042", b"/pieces", b"/link", b"/usr", b"/pieces/../usr/agent"];
        let (&[choice, path, a, b, c], damage) = data.split_first_chunk::<5>()?;
        let number = u64::from(u32::from_le_bytes([a, b, c, 0]));
        let operation = match choice & 1 {
            0 => Operation::Replace { path: PATHS[usize::from(path) % PATHS.len()], size: number.min(4 << 20) },
            // Every power of two, and sizes between.
            _ => Operation::Grow { size: ((number + 1) << (path % 40)).min(MOST_GROWTH) },
        };
        Some(Self { operation, image: usize::from(choice >> 1) % IMAGES.len(), damage })
    }

    /// Whether nothing is damaged.
    pub fn is_harmless(&self) -> bool {
        self.damage.len() < CHANGE
    }
}

/// The images: with a journal, and without one.
const IMAGES: [Journal; 2] = [Journal::Blocks(1024), Journal::None];

/// The image of an input, damaged.
pub fn damaged(input: &Input<'_>) -> Memory {
    static BASES: OnceLock<Vec<Base>> = OnceLock::new();
    let bases = BASES.get_or_init(|| IMAGES.iter().map(|journal| Base::new(&image(*journal))).collect());
    bases[input.image].damaged(input.damage)
}
