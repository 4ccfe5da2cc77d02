//! The configuration inside a kernel that was built with `CONFIG_IKCONFIG` (`kernel/configs.c`): gzip between two marks.

use std::io::Read;

use memchr::memmem;

use crate::config::Config;
use crate::error::Error;
use crate::kernel::Kernel;
use crate::window::Window;

const START: &[u8] = b"IKCFG_ST";

/// Ten times what a kernel with everything has.
const LONGEST: u64 = 4 << 20;

/// What gzip begins with.
const GZIP: &[u8] = b"\x1f\x8b";

/// Marks with gzip behind them that are looked at: a file full of them would keep us for hours.
const MOST: usize = 16;

/// The configuration inside a kernel; `None` when it carries none.
///
/// # Errors
/// When it is compressed, and cannot be unpacked.
pub fn embedded_config(kernel: &Kernel) -> Result<Option<Config>, Error> {
    let mut search = Search::default();
    kernel.windows(|window| search.look(&window))?;
    Ok(search.found)
}

/// A search through a kernel's windows.
#[derive(Default)]
struct Search {
    found: Option<Config>,
    tried: usize,
}

impl Search {
    /// Looks for the first text behind a mark that is gzip and holds options. The mark's own text stands in kernels that have none.
    fn look(&mut self, window: &Window<'_>) {
        let places = memmem::find_iter(window.bytes, START).take_while(|place| *place < window.fresh);
        let texts = places.filter_map(|place| window.bytes.get(place + START.len()..));
        for packed in texts.filter(|text| text.starts_with(GZIP)) {
            if self.found.is_some() || self.tried == MOST {
                return;
            }
            self.tried += 1;
            let mut text = Vec::new();
            let unpacked = flate2::bufread::GzDecoder::new(packed).take(LONGEST).read_to_end(&mut text);
            self.found = unpacked.ok().and_then(|_| Config::parse(&text));
        }
    }
}
