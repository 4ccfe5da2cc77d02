//! Where the files of one run stand: in memory, and always the same names.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::{env, fs};

use nex_image::{ImageDirectories, Limits, Options, Platform};
use tempfile::TempDir;

/// A directory in memory, in the one that `NEX_FUZZ_DIRECTORY` names: libFuzzer ends without cleaning up, so who starts it
/// does.
pub fn directory() -> &'static Path {
    static DIRECTORY: OnceLock<TempDir> = OnceLock::new();
    let made = DIRECTORY.get_or_init(|| {
        let parent = env::var_os("NEX_FUZZ_DIRECTORY").unwrap_or_else(|| "/dev/shm".into());
        tempfile::Builder::new().prefix("nex-fuzz-").tempdir_in(parent).expect("a directory in memory")
    });
    made.path()
}

/// An empty directory of this name.
pub fn fresh(name: &str) -> PathBuf {
    let path = directory().join(name);
    if path.exists() {
        fs::remove_dir_all(&path).expect("our own directory");
    }
    fs::create_dir(&path).expect("our own directory");
    path
}

/// How images are looked for: with limits far below what the machine can stand, so that libFuzzer's own limits are met
/// only where ours fail.
pub fn options() -> Options {
    Options {
        platform: Platform::new("linux", "amd64", None),
        offline: true,
        cache: None,
        aside: None,
        installed: ImageDirectories::default(),
        registry: nex_registry::Options::default(),
        limits: Limits {
            document_bytes: 1 << 20,
            layers: 32,
            uncompressed_bytes: 32 << 20,
            ratio: 200,
            ratio_free_bytes: 1 << 20,
        },
    }
}

/// What an error says must be fit for a terminal: no image may move the cursor or forge lines of ours.
pub fn check_message(error: &dyn std::error::Error) {
    check_text(&error.to_string());
}

/// The same of any text of ours.
pub fn check_text(text: &str) {
    assert!(!text.is_empty());
    assert!(text.chars().all(|letter| !letter.is_control() || letter == '\n'), "{text:?}");
}
