//! Layers as tars, through the whole build: reader, merge, guest, writer. What comes out must be an ext4 that another
//! reader takes; what is refused must leave nothing behind.
//!
//! With `NEX_FUZZ_E2FSCK` in the environment, e2fsck judges every image too: for going over a corpus.

#![no_main]

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::{env, fs};

use libfuzzer_sys::{fuzz_mutator, fuzz_target};
use nex_ext4::Size;
use nex_fuzz::{place, tar_mutation, walk};
use nex_image::{ImageName, NoProgress, Reference};
use nex_rootfs::{Destination, FileSystemOptions, GuestOptions, Limits, Options};
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
    let result = nex_rootfs::build(&options(layout, &output), &(Arc::new(NoProgress) as Arc<dyn nex_rootfs::Events>));
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

fn options(layout: PathBuf, output: &Path) -> Options {
    Options {
        reference: Reference::OciLayout { directory: layout, name: Some(ImageName::Tag("image".to_owned())) },
        image: place::options(),
        agent: agent().to_owned(),
        size: Size::Auto { free: Some(0) },
        file_system: FileSystemOptions::default(),
        output: Destination::new(output.as_os_str()),
        digest: false,
        verity: None,
        script: None,
        boot_script: None,
        source_date_epoch: None,
        guest: GuestOptions::default(),
        limits: Limits { entries: 10_000, headers: 256 << 10, metadata: 4 << 20 },
        cache: None,
    }
}

/// A static program that does nothing: an ELF header alone.
fn agent() -> &'static Path {
    const HEADER: [u8; 64] = {
        let mut header = [0; 64];
        let ident = *b"\x7fELF\x02\x01\x01";
        let mut index = 0;
        while index < ident.len() {
            header[index] = ident[index];
            index += 1;
        }
        // ET_EXEC, EM_X86_64, EV_CURRENT, then the sizes of the headers.
        header[16] = 2;
        header[18] = 62;
        header[20] = 1;
        header[52] = 64;
        header[54] = 56;
        header
    };
    static AGENT: OnceLock<PathBuf> = OnceLock::new();
    AGENT.get_or_init(|| {
        let path = place::directory().join("agent");
        fs::write(&path, HEADER).expect("our own directory");
        path
    })
}
