//! The JSON of an image: index, manifest, config, as a layout has them. Each line of the input is a document (see
//! [`nex_testkit::packed::write_documents`]).

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use nex_fuzz::place;
use nex_image::{NoProgress, Reference};
use nex_testkit::packed;

fuzz_target!(|data: &[u8]| {
    let layout = place::fresh("layout");
    packed::write_documents(data, &layout).expect("our own directory");
    let options = place::options();
    let image = match nex_image::open(&Reference::OciLayout { directory: layout, name: None }, &options) {
        Ok(image) => image,
        Err(error) => return place::check_message(&error),
    };
    assert!(!image.layers.is_empty() && image.layers.len() <= options.limits.layers);
    assert!(options.platform.suits(&image.platform).is_some());
    assert!(image.config.env.iter().all(|text| !text.contains('\0')));
    for index in 0..image.layers.len() {
        let layer = image.open_layer(index, Arc::new(NoProgress));
        if let Err(error) = layer.and_then(|layer| layer.finish()) {
            place::check_message(&error);
        }
    }
});
