//! Block devices, as they appear.

use std::path::Path;
use std::time::{Duration, Instant};

/// Waits until a device is there; for ever without a limit.
///
/// # Errors
/// When it has not come in time; the text names those that have.
pub fn wait_for(device: &Path, patience: Option<Duration>) -> Result<(), String> {
    /// A driver takes some milliseconds.
    const PAUSE: Duration = Duration::from_millis(5);
    let start = Instant::now();
    while !device.exists() {
        if let Some(patience) = patience.filter(|patience| start.elapsed() >= *patience) {
            let seconds = patience.as_secs();
            return Err(format!("{} is not there after {seconds} s; there are: {}", device.display(), names()));
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// The block devices that the kernel knows. `/sys` should be mounted.
fn names() -> String {
    let entries = std::fs::read_dir("/sys/class/block").into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    if names.is_empty() { "none".into() } else { names.join(" ") }
}
