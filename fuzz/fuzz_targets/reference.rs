//! What users and images say in one line: references, digests, platforms. What is printed reads back as the same.

#![no_main]

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use libfuzzer_sys::fuzz_target;
use nex_fuzz::place;
use nex_image::{Platform, Reference};
use nex_registry::Digest;

fuzz_target!(|data: &[u8]| {
    match Reference::parse(OsStr::from_bytes(data)) {
        // The user typed it, and may see it again as it is.
        Err(error) => assert!(!error.to_string().is_empty()),
        Ok(reference) => {
            let printed = reference.to_string();
            // Bytes that are not UTF-8 cannot be printed as they are.
            if str::from_utf8(data).is_ok() {
                assert_eq!(printed.parse::<Reference>().expect("what we print"), reference);
            }
        }
    }
    let Ok(text) = str::from_utf8(data) else { return };
    match text.parse::<Digest>() {
        Err(error) => place::check_message(&error),
        Ok(digest) => assert_eq!(digest.to_string(), text),
    }
    match text.parse::<Platform>() {
        Err(error) => place::check_message(&error),
        Ok(platform) => {
            let again: Platform = platform.to_string().parse().expect("what we print");
            assert_eq!(again, platform);
            assert!(platform.suits(&platform).is_some());
        }
    }
});
