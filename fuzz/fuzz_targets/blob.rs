//! A layer's blob: found to be plain, gzip or zstd, and decompressed. What comes out must be what the compressions' own
//! libraries make of it.

#![no_main]

use std::fs;
use std::io::Read;
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;
use libfuzzer_sys::fuzz_target;
use nex_fuzz::place;
use nex_image::{Compression, NoProgress, Reference, TarSource};

fuzz_target!(|data: &[u8]| {
    let file = place::directory().join("blob");
    fs::write(&file, data).expect("our own directory");
    let image = nex_image::open(&Reference::Tar(TarSource::File(file)), &place::options()).expect("a file");
    let mut layer = image.open_layer(0, Arc::new(NoProgress)).expect("threads");
    let mut tar = Vec::new();
    if let Err(error) = layer.read_to_end(&mut tar) {
        place::check_message(&error);
        return;
    }
    let summary = layer.finish().expect("all of it was read");
    assert_eq!((summary.compressed, summary.uncompressed), (data.len() as u64, tar.len() as u64));
    let mut expected = Vec::new();
    match summary.compression {
        Compression::None => expected.extend_from_slice(data),
        Compression::Gzip => {
            let padding = data.iter().rev().take_while(|&&byte| byte == 0).count();
            // A member's length may end in zeros too, and an empty member ends in nine of them.
            let results = (0..=padding.min(16)).map(|kept| data.len() - padding + kept);
            let decoded = results.filter_map(|end| gunzip(&data[..end]).ok()).next();
            expected = decoded.expect("flate2 takes it too");
        }
        Compression::Zstd => {
            zstd::stream::copy_decode(data, &mut expected).expect("libzstd takes it too");
        }
        // No other reader of it is here; a test of the command asks xz itself.
        Compression::Xz => return,
    }
    assert!(tar == expected);
});

fn gunzip(data: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut tar = Vec::new();
    MultiGzDecoder::new(data).read_to_end(&mut tar)?;
    Ok(tar)
}
