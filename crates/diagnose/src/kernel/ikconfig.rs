//! The configuration inside a kernel that was built with `CONFIG_IKCONFIG` (`kernel/configs.c`): gzip between two marks.

use std::io::Read;

use memchr::memmem;

use super::Config;

const START: &[u8] = b"IKCFG_ST";

/// Ten times what a kernel with everything has.
const LONGEST: u64 = 4 << 20;

/// The first text behind a mark that is gzip and holds options. The mark's own text stands in kernels that have none.
pub(super) fn find(kernel: &[u8]) -> Option<Config> {
    memmem::find_iter(kernel, START).find_map(|at| {
        let packed = kernel.get(at + START.len()..)?;
        let mut text = Vec::new();
        flate2::bufread::GzDecoder::new(packed).take(LONGEST).read_to_end(&mut text).ok()?;
        Config::parse(&text)
    })
}
