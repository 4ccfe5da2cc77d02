//! Tars that hold an image: what `docker save` writes, and OCI archives.

#![no_main]

use std::fs;
use std::sync::Arc;

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use nex_fuzz::{place, tar_mutation};
use nex_image::{NoProgress, Reference};

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    tar_mutation::mutate(data, size, max_size, seed)
});

fuzz_target!(|data: &[u8]| {
    let file = place::directory().join("archive.tar");
    fs::write(&file, data).expect("our own directory");
    for reference in [
        Reference::DockerArchive { file: file.clone(), name: None },
        Reference::OciArchive { file: file.clone(), name: None },
    ] {
        let image = match nex_image::open(&reference, &place::options()) {
            Ok(image) => image,
            Err(error) => {
                place::check_message(&error);
                continue;
            }
        };
        for index in 0..image.layers.len() {
            let layer = image.open_layer(index, Arc::new(NoProgress));
            if let Err(error) = layer.and_then(|layer| layer.finish()) {
                place::check_message(&error);
            }
        }
    }
});
