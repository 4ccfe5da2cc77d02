//! Reads all layers of an image and says how long it took: `cargo run --release --example read-image -- oci:DIR`.

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use nex_image::{ImageDirectories, Limits, NoProgress, Options, Platform, Reference, open};

fn main() -> Result<(), Box<dyn Error>> {
    let text = std::env::args_os().nth(1).ok_or("usage: read-image REFERENCE")?;
    let options = Options {
        platform: Platform::host(),
        offline: false,
        cache: None,
        aside: None,
        installed: ImageDirectories::default(),
        registry: nex_registry::Options::from_environment(),
        limits: Limits::default(),
    };
    let image = open(&Reference::parse(&text)?, &options)?;
    println!("{} for {}", image.name, image.platform);
    for index in 0..image.layers.len() {
        let start = Instant::now();
        let layer = image.open_layer(index, Arc::new(NoProgress))?.finish()?;
        let seconds = start.elapsed().as_secs_f64();
        let speed = layer.uncompressed as f64 / 1e6 / seconds;
        println!(
            "layer {index}: {} -> {} bytes, {seconds:.2} s, {speed:.0} MB/s",
            layer.compressed, layer.uncompressed
        );
    }
    Ok(())
}
