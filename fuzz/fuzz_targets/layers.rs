//! Layers as tars, through the whole build: reader, merge, guest, writer. What comes out must be an ext4 that another
//! reader takes; what is refused must leave nothing behind.
//!
//! With `NEX_FUZZ_E2FSCK` in the environment, e2fsck judges every image too: for going over a corpus.

#![no_main]

use std::path::Path;
use std::sync::Arc;
use std::{env, fs};

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use nex_fuzz::{build, place, tar_mutation, walk};
use nex_image::NoProgress;
use nex_testkit::layout::{Compression, Image};
use nex_testkit::{fsck, packed};

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    tar_mutation::mutate(data, size, max_size, seed)
});

fuzz_target!(|data: &[u8]| {
    let layout = place::fresh("layout");
    let image = Image {
        layers: packed::layers(data),
        compression: Compression::None,
        media_type: true,
        architecture: "amd64",
        config: Default::default(),
    };
    image.write(&layout, "image").expect("our own directory");
    let out = place::fresh("out");
    let output = out.join("out.ext4");
    let result =
        nex_rootfs::build(&build::options(layout, &output), &(Arc::new(NoProgress) as Arc<dyn nex_rootfs::Events>));
    match result {
        Ok(_) => {
            walk::everything(&output).expect("ext4-view takes the image");
            if env::var_os("NEX_FUZZ_E2FSCK").is_some() {
                judge(&output);
            }
        }
        Err(error) => {
            place::check_message(&error);
            assert_eq!(fs::read_dir(&out).expect("our own directory").count(), 0, "left behind after: {error}");
        }
    }
});

/// e2fsck finds nothing. It takes times of 2310 to 2378 for ones that a kernel of 2012 wrote wrong, though ext4 has them.
fn judge(image: &Path) {
    if let Err(objection) = fsck::check(image) {
        let text = objection.to_string();
        assert!(text.contains("are likely pre-1970") && text.contains("exit status: 0"), "{text}");
    }
}
