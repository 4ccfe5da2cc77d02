//! Makes an ext4 image of a layout with the crate oci2rootfs: `bench-oci2rootfs LAYOUT OUTPUT SIZE`.

use std::env;
use std::error::Error;

use oci2rootfs::{Converter, OciLayoutSource, Platform};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [layout, output, size] = &arguments[..] else {
        return Err("usage: bench-oci2rootfs LAYOUT OUTPUT SIZE".into());
    };
    let source = OciLayoutSource::open(layout)?.platform(Platform::new("linux", "amd64"));
    Converter::new(output).size(size.parse()?).convert(source)?;
    Ok(())
}
