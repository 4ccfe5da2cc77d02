//! Makes Debian images, where they are not there yet, and prints their paths: for the benchmarks and for curious people.
//!
//! `cargo run -p nex-testkit --bin test-images -- large` (or `minimal`)

use std::env;

use nex_testkit::debian::Debian;
use nex_testkit::{Failure, Result};

fn main() -> Result<()> {
    let debian = match env::args().nth(1).as_deref() {
        Some("minimal") => Debian::Minimal,
        Some("large") => Debian::Large,
        other => return Err(Failure::new(format!("{other:?} is no image; there are minimal and large"))),
    };
    for path in [debian.tar()?, debian.gzip_layout()?, debian.zstd_layout()?] {
        println!("{}", path.display());
    }
    Ok(())
}
