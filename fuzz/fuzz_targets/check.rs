//! The contract check of damaged images: whatever the bytes are, it ends with a report.
//!
//! An input damages the metadata and the files of a small guest byte by byte, and the checksums are made right again, so
//! that the damage is seen behind them.

#![no_main]

use std::fs::File;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use nex_diagnose::{CheckOptions, check_file};
use nex_fuzz::guest_image::{GUESTS, image};
use nex_fuzz::pieces::Base;
use nex_fuzz::place;

fuzz_target!(|data: &[u8]| {
    static BASES: OnceLock<Vec<Base>> = OnceLock::new();
    let bases = BASES.get_or_init(|| (0..GUESTS).map(|guest| Base::new(&image(guest)).with_content()).collect());
    let Some((guest, changes)) = data.split_first() else { return };
    let path = place::directory().join("checked.ext4");
    let file = File::create(&path).expect("our own directory");
    bases[usize::from(*guest) % GUESTS].damaged(changes).write_to(&file).expect("our own directory");
    let report = check_file(&path, &CheckOptions::default()).expect("the file can be read");
    for finding in &report.findings {
        place::check_text(&finding.evidence);
        place::check_text(&finding.remedy.words(|setting| setting.name().to_owned()));
    }
    for unchecked in &report.unchecked {
        place::check_text(&unchecked.why);
    }
});
